//! The training loop of a run.
//!
//! A run drives its own loop: burn-train's Learner keeps its optimizer and the sums of its metrics
//! to itself, and can be neither saved nor begun within an epoch. The step is that of a hook under
//! the Learner, see [`Regularized`].

mod beginning;
mod display;
mod losses;
mod meter;
mod plain;
mod reading;
mod recorder;
mod same;
mod saving;
mod seconds;
mod settle;
mod spikes;
mod step;
mod sums;
mod validate;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use burn::data::dataloader::DataLoader;
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::ModuleOptimizer;
use burn::train::TrainStep;
use serde::Serialize;

use super::optimizer::WarmupLinear;
use super::prepare::Prepared;
use super::run::Run;
use super::snapshot::{Before, Place};
use super::{EpochReport, ExperimentError, TrainSettings};
use crate::data::BatchSource;
use crate::hook::{Hook, Regularized, RegularizedOutput};
use crate::progress::Phase;
use crate::readback::host_for;
use crate::task::TaskModel;
pub(super) use beginning::Beginning;
use display::{Display, ShownMetric};
pub use losses::OnSpike;
pub(super) use losses::RecentLosses;
use meter::TrainingMeter;
use reading::Reading;
pub(super) use recorder::Recorder;
pub(super) use seconds::{Seconds, Stopwatch};
use step::{Computed, Crew, Outputs, StepError, clip};
pub(super) use sums::Sums;

/// Whether the loop goes on, or has reached the place at which it was to end.
type Flow = ControlFlow<()>;

/// One line of metrics.jsonl.
#[derive(Serialize)]
struct Line<'a> {
    epoch: usize,
    split: &'a str,
    rows: usize,
    metrics: &'a BTreeMap<String, f64>,
    seconds: f64,
}

/// A training between its steps.
pub(super) struct Training<'a, M: TaskModel> {
    pub(super) run: &'a Run,
    prepared: &'a Prepared<M>,
    pub(super) hook: Hook<M::Batch>,
    stopwatch: Arc<Stopwatch>,
    /// The model; absent only while the optimizer updates it.
    pub(super) model: Option<Regularized<M>>,
    pub(super) optimizer: ModuleOptimizer,
    schedule: WarmupLinear,
    /// Computes steps in parts; `None` if one device of one process takes each batch as a whole.
    crew: Option<Crew<M>>,
    train: Arc<dyn DataLoader<M::Batch>>,
    /// Batches per epoch.
    batches: usize,
    pub(super) place: Place,
    meter: TrainingMeter<M>,
    /// The last step, if its numbers are not in the meter.
    unsettled: Option<Reading<Outputs<M::Output>>>,
    split_seconds: f64,
    pub(super) losses: RecentLosses,
    lines: Vec<String>,
    before: Before,
    rows: String,
    /// Writes the run folder; `None` for a replay and in every process but the first, which write
    /// nothing.
    pub(super) recorder: Option<Recorder>,
    display: Display,
    began: Instant,
    epochs_since: u32,
}

impl<'a, M: TaskModel> Training<'a, M> {
    fn settings(&self) -> &'a TrainSettings {
        &self.run.settings
    }

    pub(super) fn model(&self) -> &Regularized<M> {
        self.model
            .as_ref()
            .expect("the optimizer has returned the model")
    }

    /// Trains until the last epoch is complete, or until a place between two steps is reached.
    ///
    /// # Errors
    /// If the training diverges, is stopped, or the run folder cannot be written. Check
    /// [`Hook::divergence`] first.
    pub fn run(&mut self, until: Option<Place>) -> Result<(), ExperimentError> {
        self.display
            .start(self.settings().epochs, self.place.epochs + 1, &self.shown());
        self.check_parameters()?;
        self.began = Instant::now();
        while self.place.epochs < self.settings().epochs {
            if until == Some(self.place) || self.epoch(until)?.is_break() {
                return Ok(());
            }
        }
        self.recorder.as_mut().map_or(Ok(()), Recorder::wait)
    }

    /// Returns the trained model.
    pub fn into_model(self) -> M {
        self.model
            .expect("the optimizer has returned the model")
            .into_inner()
            .valid()
    }

    /// Metrics of the dashboard.
    fn shown(&self) -> Vec<ShownMetric> {
        let mut shown = vec![
            ShownMetric::new("Loss", false),
            ShownMetric::new("IsoScore", true),
        ];
        shown.extend(
            self.run
                .metrics
                .iter()
                .filter(|metric| !metric.is_of_part())
                .map(|metric| ShownMetric::new(metric.name(), true)),
        );
        if let Some(regularizer) = &self.run.regularizer {
            shown.extend([
                ShownMetric::new("Penalty", false),
                ShownMetric::new(regularizer.measure_name(), true),
            ]);
        }
        shown
    }

    /// Trains for the rest of an epoch, and validates.
    fn epoch(&mut self, until: Option<Place>) -> Result<Flow, ExperimentError> {
        let (epoch, epochs, began) = (
            self.place.epochs + 1,
            self.settings().epochs,
            Instant::now(),
        );
        let phase = Phase::Training { epoch, epochs };
        let rows = self.train.num_items();
        self.display.begin(&phase, rows);
        let trained = self.batches(&phase, until);
        let training = self.meter.metrics();
        if trained.as_ref().is_ok_and(ControlFlow::is_continue) {
            self.display.finals(&phase, &training);
        }
        self.display.end(&phase);
        if trained?.is_break() {
            return Ok(Flow::Break(()));
        }
        let rows_per_second = rows as f64 / self.split_seconds;

        self.check_parameters()?;
        let phase = Phase::Validation { epoch };
        let (validation, seconds) = self.validate(&phase)?;
        let valid_rows = self.prepared.dev.source.lengths().len();
        let is_finite = |metrics: &BTreeMap<String, f64>| {
            metrics.get("task_loss").is_none_or(|loss| loss.is_finite())
        };
        self.line(epoch, "train", rows, &training, self.split_seconds)?;
        if is_finite(&validation) {
            self.line(epoch, "valid", valid_rows, &validation, seconds)?;
        }

        self.place = Place {
            epochs: epoch,
            batch: 0,
            step: self.place.step,
        };
        self.meter.clear();
        self.split_seconds = 0.0;
        self.epochs_since += 1;
        if is_finite(&validation) {
            let mean = self.began.elapsed() / self.epochs_since;
            let seconds_left = mean.as_secs_f64() * (epochs - epoch) as f64;
            let main = self
                .run
                .metrics
                .first()
                .and_then(|metric| validation.get(metric.name()));
            let score = main.copied().filter(|score| score.is_finite());
            let seconds = began.elapsed().as_secs_f64();
            self.display.epoch(&EpochReport {
                epoch,
                epochs,
                training,
                validation,
                seconds,
                rows_per_second,
                seconds_left,
            });
            // After the last epoch too: more epochs may follow, `verify` needs it, and a process that
            // ends before its result is written has lost nothing.
            self.save(score)?;
        } else {
            self.save(None)?;
        }
        if epoch < epochs {
            self.stop_at_limit()?;
        }
        Ok(Flow::Continue(()))
    }

    /// Trains on the remaining batches of an epoch.
    fn batches(&mut self, phase: &Phase, until: Option<Place>) -> Result<Flow, ExperimentError> {
        let train = self.train.clone();
        let mut pass = train.iter();
        loop {
            let began = Instant::now();
            // Also checks the numbers of the last step, and ends a diverged training.
            let Some(batch) = pass.next() else { break };
            let batch = batch.map_err(|error| self.ended(Some(error.to_string())))?;
            self.step(batch)?;
            self.place.batch += 1;
            self.place.step += 1;
            let seconds = began.elapsed().as_secs_f64();
            self.stopwatch.trained(seconds);
            self.split_seconds += seconds;
            self.display.advance(phase, pass.progress().items_processed);
            if until == Some(self.place) {
                self.settle()?;
                return Ok(Flow::Break(()));
            }
            self.between_steps()?;
        }
        self.settle()?;
        if self.hook.divergence().is_some() {
            return Err(self.ended(None));
        }
        Ok(Flow::Continue(()))
    }

    /// Visits a batch: one step of the optimizer, unless its loss is a spike to leave out.
    fn step(&mut self, batch: M::Batch) -> Result<(), ExperimentError> {
        let rows = M::rows(&batch);
        self.measure_plain(&batch);
        let Some(Computed { gradients, output }) = self.compute(batch)? else {
            // Before a reference there is no step, and the state is that between two steps.
            self.stop_if_requested()?;
            return Err(self.ended(None));
        };
        // A regularizer that adapts needs its numbers before the next step.
        let adapts = output
            .penalty
            .as_ref()
            .is_some_and(|penalty| !penalty.details.is_empty());
        let mut reading = Reading::new(output, rows, self.place);
        if host_for(&self.run.device).is_some() && !adapts {
            self.hook.defer_numbers();
        }
        if self.settings().on_spike != OnSpike::Warn {
            reading = reading.begin().wait()?;
            if self.leaves_out(&reading)? {
                return Ok(());
            }
        }
        let gradients = match self.settings().clip_norm {
            Some(limit) => clip(self.model(), gradients, limit)?.0,
            None => gradients,
        };
        let rate = ModuleLearningRate::from(self.schedule.rate(self.place.step));
        let model = self
            .model
            .take()
            .expect("the optimizer has returned the model");
        self.model = Some(self.optimizer.step(rate, model, gradients));
        self.take(reading.begin())
    }

    /// Computes the gradients of a batch; `None` if the hook ends the training.
    fn compute(&mut self, batch: M::Batch) -> Result<Option<Computed<M::Output>>, ExperimentError> {
        let model = self
            .model
            .as_ref()
            .expect("the optimizer has returned the model");
        let Some(crew) = &mut self.crew else {
            let computed = Computed::from(TrainStep::step(model, batch));
            let has_ended = self.hook.failure().is_some() || self.hook.divergence().is_some();
            return Ok((!has_ended).then_some(computed));
        };
        let Ok(start) = model.begin_step() else {
            return Ok(None);
        };
        let rows = M::rows(&batch);
        match crew.compute(model.inner(), &batch, &start) {
            Ok(computed) => {
                let RegularizedOutput {
                    task_loss, penalty, ..
                } = &computed.output;
                self.hook.keep_numbers(rows, task_loss, penalty.as_ref());
                Ok(Some(computed))
            }
            Err(StepError::World(error)) => Err(error.into()),
            Err(failure) => Err(self.ended(Some(failure.to_string()))),
        }
    }

    /// Adds a line to metrics.jsonl.
    fn line(
        &mut self,
        epoch: usize,
        split: &str,
        rows: usize,
        metrics: &BTreeMap<String, f64>,
        seconds: f64,
    ) -> Result<(), ExperimentError> {
        let line = Line {
            epoch,
            split,
            rows,
            metrics,
            seconds,
        };
        self.lines
            .push(serde_json::to_string(&line).expect("a line is plain values"));
        match &self.recorder {
            Some(_) => self.run.folder.write_metrics(&self.lines),
            None => Ok(()),
        }
    }

    /// Returns the error of a training that ended early.
    fn ended(&self, reason: Option<String>) -> ExperimentError {
        let interruption = || {
            self.hook
                .interrupter()
                .interruption()
                .map(|stop| stop.reason.unwrap_or_else(|| "interrupted".into()))
        };
        let failure = || self.hook.failure().map(|failure| failure.to_string());
        let reason = failure()
            .or(reason)
            .or_else(interruption)
            .unwrap_or_else(|| "unknown reason".into());
        self.run.stopped(self.place.epochs, reason)
    }
}
