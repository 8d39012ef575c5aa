//! Saving the state of a training, and ending it on request.

use burn::tensor::TensorData;

use super::Training;
use crate::experiment::ExperimentError;
use crate::experiment::snapshot::{Parts, State};
use crate::hook::HookState;
use crate::task::{Evaluator, TaskModel};

impl<M: TaskModel> Training<'_, M> {
    /// Saves the state if it is due, and ends the training if that is requested.
    pub(super) fn between_steps(&mut self) -> Result<(), ExperimentError> {
        self.stop_if_requested()?;
        self.stop_at_limit()?;
        if let Some(lock) = &self.run.lock {
            lock.beat(self.place.step, self.batches * self.settings().epochs);
        }
        let is_last = self.place.batch == self.batches;
        let Some(recorder) = &mut self.recorder else {
            return Ok(());
        };
        if !is_last && recorder.is_due(self.place.step)? {
            self.save(None)?;
        }
        Ok(())
    }

    /// Saves the state and ends the training, if a signal or Burn's dashboard has asked for it.
    pub(super) fn stop_if_requested(&mut self) -> Result<(), ExperimentError> {
        let stop = self.run.observer.stop();
        let interrupter = self.hook.interrupter();
        if (stop.is_none() && interrupter.interruption().is_none())
            || self.hook.divergence().is_some()
        {
            return Ok(());
        }
        self.save(None)?;
        if let Some(recorder) = &mut self.recorder {
            recorder.wait()?;
        }
        Err(match stop {
            Some(stop) => {
                self.run
                    .interrupted(stop, self.place.step, self.batches * self.settings().epochs)
            }
            None => self.ended(None),
        })
    }

    /// Saves the state and ends the training, if a measure has passed a limit.
    pub(super) fn stop_at_limit(&mut self) -> Result<(), ExperimentError> {
        let Some(message) = self.run.limits.passed() else {
            return Ok(());
        };
        self.save(None)?;
        if let Some(recorder) = &mut self.recorder {
            recorder.wait()?;
        }
        Err(ExperimentError::Limit {
            path: self.run.folder.path().into(),
            message,
            step: self.place.step,
        })
    }

    /// Begins to write a snapshot. A diverged training has none.
    pub(super) fn save(&mut self, score: Option<f64>) -> Result<(), ExperimentError> {
        if self.recorder.is_none() {
            return Ok(());
        }
        self.settle()?;
        let Some(parts) = self.parts()? else {
            return Ok(());
        };
        self.recorder
            .as_mut()
            .map_or(Ok(()), |recorder| recorder.begin(parts, score))
    }

    /// Returns the whole state; `None` if the training has diverged.
    pub fn parts(&self) -> Result<Option<Parts>, ExperimentError> {
        let HookState {
            reference,
            task_losses,
            penalties,
            is_collapse_reported,
            regularizer,
            ..
        } = self.hook.state()?;
        if self.hook.divergence().is_some() {
            return Ok(None);
        }
        let (regularizer, tensors) = regularizer.split();
        let is_within = self.place.batch > 0;
        let state = State {
            settings: self.settings().clone(),
            rows: self.rows.clone(),
            place: self.place,
            sums: self.meter.sums.clone(),
            split_seconds: self.split_seconds,
            seconds: self.stopwatch.total(),
            lines: self.lines.clone(),
            before: self.before.clone(),
            losses: self.losses.clone(),
            task_losses,
            penalties,
            is_collapse_reported,
            regularizer,
            batches: self.batches,
            processes: self.run.world.size(),
        };
        let model = self.model().inner().clone();
        Ok(Some(Parts {
            // Parameters and two moments of each, in single precision.
            bytes: 12 * model.num_params() as u64,
            model: model.into_record(),
            optimizer: self.optimizer.to_record(),
            state,
            regularizer: tensors,
            reference: reference.filter(|_| is_within),
            answers: self
                .meter
                .answers
                .as_ref()
                .filter(|_| is_within)
                .map(Evaluator::to_bytes),
        }))
    }
}

/// The state of the hook that a snapshot holds; `None` if its tensors are of another regularizer.
pub(super) fn hook_state(
    state: &State,
    reference: Option<TensorData>,
    tensors: Vec<TensorData>,
) -> Option<HookState> {
    Some(HookState {
        total_steps: state.place.step as u64,
        reference,
        step: state.place.batch,
        task_losses: state.task_losses.clone(),
        penalties: state.penalties.clone(),
        is_collapse_reported: state.is_collapse_reported,
        regularizer: state.regularizer.clone().join(tensors)?,
    })
}
