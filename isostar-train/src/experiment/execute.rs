//! Execution of a prepared experiment.

use std::sync::Arc;

use isostar_models::Pretrained;

use super::disk::check_space;
use super::evaluate::{EVALUATION_BATCH, evaluate_in};
use super::fingerprint::fingerprint;
use super::heartbeat::Heartbeat;
use super::limits::Limits;
use super::prepare::{Prepared, Work};
use super::result::finite;
use super::run::Run;
use super::snapshot::Before;
use super::step_log::StepLogs;
use super::together::{concluded, together};
use super::training::{Beginning, Recorder, Seconds, Stopwatch, Training};
use super::{
    Experiment, ExperimentError, IsoScores, Observer, RunFolder, RunLock, RunResult, SplitReport,
};
use crate::data::{BatchLoader, BatchSource};
use crate::device::kernel_note;
use crate::hook::{Divergence, NotFinite};
use crate::task::{PreparedFor, TaskModel};
use crate::world::World;

impl Experiment {
    /// Trains the model, evaluates it before and after, and writes the run folder.
    ///
    /// If the folder holds a snapshot, the run goes on from the newest whole one, and gives the
    /// numbers of an uninterrupted run. If all epochs are complete, it only evaluates the model and
    /// writes the result.
    ///
    /// # Errors
    /// If the folder holds a run with other settings or rows or cannot be written, or training stops
    /// before the end of its last epoch; snapshots are kept. A run that diverges writes a result that
    /// says so, and no model.
    pub fn run(
        self,
        lock: &RunLock,
        observer: Arc<dyn Observer>,
    ) -> Result<RunResult, ExperimentError> {
        self.run_in(&World::alone(), lock.folder(), Some(lock), observer)
    }

    /// Runs as one of the processes of a world, all of which call this with the same settings and
    /// rows. The first one writes the run folder and passes progress to its observer; the others
    /// only read snapshots from the folder. All of them return the same result.
    ///
    /// # Arguments
    /// - `lock`: the lock of the folder; only the first process has it
    ///
    /// # Errors
    /// As [`run`](Self::run); or if there is a monitor and several processes, or another process
    /// fails.
    pub fn run_in(
        self,
        world: &World,
        folder: &RunFolder,
        lock: Option<&RunLock>,
        observer: Arc<dyn Observer>,
    ) -> Result<RunResult, ExperimentError> {
        if world.size() > 1 && self.settings.monitor.is_some() {
            return Err(ExperimentError::NotMonitored);
        }
        let limits = Limits::new(
            self.settings.stop_below.as_ref(),
            self.settings.stop_above.as_ref(),
        );
        let observer: Arc<dyn Observer> = match lock.cloned() {
            Some(lock) => Arc::new(Heartbeat { observer, lock }),
            None => observer,
        };
        let (run, work) = self.into_run(folder, together(observer, world));
        let run = Run {
            limits: Arc::new(limits),
            lock: lock.cloned(),
            world: world.clone(),
            ..run
        };
        let _saving = Saving::begin(run.observer.clone());
        let result = match work {
            Work::Sequences(prepared) => run.finish(*prepared),
            Work::Spans(prepared) => run.finish(*prepared),
        };
        concluded(world, result)
    }
}

/// Tells the observer that requests to stop are obeyed, until it is dropped.
struct Saving(Arc<dyn Observer>);

impl Saving {
    fn begin(observer: Arc<dyn Observer>) -> Self {
        observer.saves(true);
        Self(observer)
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        self.0.saves(false);
    }
}

impl Run {
    fn finish<M: TaskModel>(self, prepared: Prepared<M>) -> Result<RunResult, ExperimentError> {
        let writes = self.world.is_first();
        if writes {
            check_space(self.folder.path(), self.space(&prepared))?;
        }
        let parts = self.newest_snapshot()?;
        let rows = fingerprint(&prepared);
        self.world.check_same("rows", rows.as_bytes())?;
        if let Some(parts) = &parts {
            self.check_origin(parts, &rows)?;
            let (before, now) = (parts.state.processes, self.world.size());
            if before != now {
                self.observer.note(&format!(
                    "the run goes on with {now} processes instead of {before}: its numbers agree up to rounding"
                ));
            }
        } else if writes
            && self
                .folder
                .settings()
                .is_ok_and(|settings| settings.is_some())
        {
            self.observer
                .note("there is no whole snapshot; the run starts from the beginning");
        }
        if writes {
            self.folder.begin(&self.settings)?;
        }
        if let Some(note) = kernel_note(&self.settings.device) {
            self.observer.note(&note);
        }

        let before = match &parts {
            Some(parts) => parts.state.before.report(),
            None => self.evaluate(&prepared.model.model, &prepared, 0)?,
        };
        self.observer.before(&before);
        if writes {
            self.folder.restore_metrics(
                parts.as_ref().map_or(&[], |parts| &parts.state.lines),
                self.observer.as_ref(),
            )?;
        }

        let stopwatch = Arc::new(Stopwatch::default());
        let (done, step) = parts.as_ref().map_or((0, 0), |parts| {
            (parts.state.place.epochs, parts.state.place.step)
        });
        let logs = writes.then(|| StepLogs::new(&self.folder, step as u64));
        let hook = self.hook(&prepared, parts.as_ref(), &stopwatch, logs.transpose()?);
        let recorder = writes.then(|| {
            Recorder::new(
                self.folder.snapshots(),
                self.settings.snapshot_every,
                self.settings.keep,
                step,
            )
        });
        let beginning = Beginning {
            before: Before::new(&before),
            rows,
            parts,
        };
        let mut training = Training::new(
            &self,
            &prepared,
            hook.clone(),
            stopwatch.clone(),
            recorder,
            beginning,
        )?;
        let trained = training.run(None);
        if let Some(divergence) = hook.divergence() {
            drop(training);
            return Err(self.diverge(
                Divergence {
                    epoch: done + divergence.epoch,
                    ..divergence
                },
                &stopwatch,
            )?);
        }
        trained?;
        let step = training.place.step;
        let trained = training.into_model();

        let report = self.evaluate(&trained, &prepared, step)?;
        if !report.task_loss.is_finite() {
            let divergence =
                Divergence::after_epoch(NotFinite::ValidationLoss, self.settings.epochs);
            return Err(self.diverge(divergence, &stopwatch)?);
        }
        let written = Pretrained {
            model: trained,
            ..prepared.model.clone()
        };
        if writes {
            written.write(self.folder.model())?;
        }
        let seconds = stopwatch.total();
        let tokens = prepared
            .train
            .source
            .lengths()
            .into_iter()
            .map(|length| length as usize)
            .sum::<usize>()
            * self.settings.epochs;
        let tokens_per_second = finite(tokens as f64 / seconds.training);
        let result = RunResult {
            tokens_per_second,
            ..self
                .result(seconds, self.settings.epochs)
                .with_report(&report)
        };
        if writes {
            self.folder.write_result(&result)?;
        }
        self.observer.after(&report, &result);
        Ok(result)
    }

    /// Bytes that the run still needs: the snapshots that it keeps, one that is being written, and
    /// the model, less the snapshots that there are.
    fn space<M: TaskModel>(&self, prepared: &Prepared<M>) -> u64 {
        /// Settings, metrics, result and tokenizer.
        const OTHER: u64 = 2 << 20;
        let model = 4 * prepared.model.model.num_params() as u64;
        let snapshot = 3 * model + OTHER / 8;
        let snapshots = self.settings.keep as u64 + 2;
        let present = self.folder.snapshots().steps().len() as u64;
        snapshot * snapshots.saturating_sub(present).max(1) + model + OTHER
    }

    /// Evaluates a model on the validation rows. Metrics of additional development sets are
    /// included, such as `accuracy_mismatched` of `dev_mismatched`. `step` is that of the model.
    fn evaluate<M: TaskModel>(
        &self,
        model: &M,
        prepared: &Prepared<M>,
        step: usize,
    ) -> Result<SplitReport, ExperimentError> {
        let device = self.device.clone().without_autodiff();
        let of = |split: &PreparedFor<M>| {
            let loader = BatchLoader::evaluation(split.source.clone(), EVALUATION_BATCH, &device);
            let evaluator = split.evaluator();
            let report = evaluate_in(
                &self.world,
                model,
                &loader,
                evaluator,
                self.observer.as_ref(),
            );
            report.map_err(|error| match error {
                ExperimentError::Interrupted { stop, .. } => self.interrupted(stop, step, step),
                error => error,
            })
        };
        let mut report = of(&prepared.dev)?;
        for (name, split) in &prepared.further {
            let suffix = name.trim_start_matches("dev");
            report.metrics.extend(
                of(split)?
                    .metrics
                    .into_iter()
                    .map(|(metric, value)| (format!("{metric}{suffix}"), value)),
            );
        }
        Ok(report)
    }

    /// Writes the result of a run that diverged, and returns its error.
    fn diverge(
        &self,
        divergence: Divergence,
        stopwatch: &Stopwatch,
    ) -> Result<ExperimentError, ExperimentError> {
        let result = RunResult {
            stopped: Some(divergence),
            ..self.result(stopwatch.total(), self.folder.epochs_done())
        };
        if self.world.is_first() {
            self.folder.write_result(&result)?;
        }
        Ok(self
            .folder
            .diverged(&self.settings, &result)
            .expect("its result says so"))
    }

    /// Result after `epochs` epochs, before any evaluation.
    fn result(&self, seconds: Seconds, epochs: usize) -> RunResult {
        let settings = &self.settings;
        RunResult {
            task: self.name.clone(),
            model: settings.model.clone(),
            regularizer: settings.regularizer,
            weight: finite(settings.weight),
            target: settings.target.clone(),
            shrinkage: settings.shrinkage.fixed().and_then(finite),
            layers: settings.layers.clone(),
            seed: settings.seed,
            epochs,
            device: settings.device.clone(),
            metrics: self
                .metrics
                .iter()
                .map(|metric| (metric.name().to_string(), None))
                .collect(),
            task_loss: None,
            isoscore: IsoScores::default(),
            seconds: finite(seconds.training),
            calibration_seconds: finite(seconds.calibration),
            tokens_per_second: None,
            stopped: None,
        }
    }
}
