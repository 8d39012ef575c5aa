//! What a training does about spikes.

use burn::module::Module;

use super::losses::{MOST_IN_A_ROW, MOST_WARNINGS, OnSpike, Spike};
use super::reading::Reading;
use super::step::Outputs;
use super::{Recorder, Training};
use crate::experiment::ExperimentError;
use crate::experiment::snapshot::{Parts, Place};
use crate::task::TaskModel;

impl<M: TaskModel> Training<'_, M> {
    /// Whether the step of a batch must not reach the weights, because its loss is a spike and the
    /// settings say so.
    ///
    /// # Errors
    /// If the settings, or too many spikes in a row, end the run.
    pub(super) fn leaves_out(
        &mut self,
        step: &Reading<Outputs<M::Output>>,
    ) -> Result<bool, ExperimentError> {
        let (policy, item) = (self.run.settings.on_spike, step.item());
        let loss = item.task_loss.clone().try_into_scalar::<f64>()?;
        let penalty = item
            .penalty
            .as_ref()
            .map(|penalty| penalty.value.clone().try_into_scalar::<f64>())
            .transpose()?;
        let judged = penalty
            .filter(|penalty| !penalty.is_finite())
            .unwrap_or(loss);
        if policy == OnSpike::Stop && !judged.is_finite() {
            // The guard of the hook ends the run, and its result says so.
            return Ok(false);
        }
        let Some(spike) = self.losses.judge(judged, self.run.settings.spike_factor) else {
            return Ok(false);
        };
        let place = spike_place(&spike, step.rows(), step.place());
        self.hook.discard_step();
        if policy == OnSpike::Stop || self.losses.in_a_row() > MOST_IN_A_ROW {
            // The saved state is that before the batch: another setting can go on from there.
            self.save(None)?;
            self.recorder
                .as_mut()
                .map_or(Ok(()), |recorder| recorder.wait())?;
            return Err(ExperimentError::Spike {
                path: self.run.folder.path().into(),
                spike: place,
            });
        }
        let done = match policy {
            OnSpike::Rollback => self.roll_back()?,
            _ => "the batch is left out".into(),
        };
        self.run.observer.note(&format!("{place}; {done}"));
        Ok(true)
    }

    /// Reports a spike that the training has used.
    pub(super) fn warn_of(&mut self, loss: f64, rows: &[u32], place: Place) {
        if self.run.settings.on_spike != OnSpike::Warn {
            return;
        }
        let Some(spike) = self.losses.judge(loss, self.run.settings.spike_factor) else {
            return;
        };
        self.losses.accept(loss);
        // The guard reports a loss that is not finite.
        if loss.is_finite() && self.losses.count() <= MOST_WARNINGS {
            let last = if self.losses.count() == MOST_WARNINGS {
                "; further spikes are not reported"
            } else {
                ""
            };
            self.run
                .observer
                .note(&format!("{}{last}", spike_place(&spike, rows, place)));
        }
    }

    /// Returns to the weights and the optimizer of the newest snapshot; the batches since then are
    /// left out. Says what was done.
    fn roll_back(&mut self) -> Result<String, ExperimentError> {
        match &mut self.recorder {
            Some(recorder) => recorder.wait()?,
            None if self.run.world.size() == 1 => return Ok(String::new()),
            None => {}
        }
        let Some(Parts {
            model,
            optimizer,
            state,
            ..
        }) = self.run.newest_snapshot()?
        else {
            return Ok("there is no snapshot to return to; the batch is left out".into());
        };
        let unfit = |message| ExperimentError::Snapshot {
            path: self.run.folder.path().into(),
            message,
        };
        let current = self
            .model
            .take()
            .expect("the optimizer has returned the model");
        self.model = Some(
            current
                .try_load_record(model)
                .map_err(|error| unfit(error.to_string()))?,
        );
        self.optimizer = self.optimizer.clone().load_record(optimizer);
        // What a resumed run goes on from must not depend on which snapshot was the newest.
        self.recorder.as_mut().map(Recorder::demand);
        let step = state.place.step;
        Ok(format!(
            "back to the weights after step {step} of the run, without the batches since"
        ))
    }
}

/// Names a spike and the step of a batch, which begins at `place`.
fn spike_place(spike: &Spike, rows: &[u32], place: Place) -> String {
    let rows: Vec<String> = rows.iter().map(u32::to_string).collect();
    format!(
        "{spike} in step {} of epoch {}, rows {}",
        place.batch + 1,
        place.epochs + 1,
        rows.join(", ")
    )
}
