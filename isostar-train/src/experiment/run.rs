//! The run itself.

use std::sync::Arc;

use burn::prelude::*;
use burn::train::metric::LossMetric;
use burn::train::renderer::MetricsRenderer;
use burn::train::{Learner, LearningResult, SupervisedTraining};
use isostar_core::Regularizer;
use isostar_models::Pretrained;

use super::optimizer::{WarmupLinear, adamw};
use super::prepare::{Prepared, Work};
use super::renderer::{RunRenderer, TrainingSeconds};
use super::values::EpochValues;
use super::{Experiment, ExperimentError, Observer, Phase, RunFolder, RunResult, SplitReport, TrainSettings, evaluate};
use crate::data::{BatchLoader, BatchSource, TrainingOrder};
use crate::hook::{Hook, HookEvent, Regularized};
use crate::metric::{IsoScoreMetric, SplitScoreMetric};
use crate::task::{PreparedSplit, TaskMetric, TaskModel};

/// Rows a step where nothing is learned.
const EVALUATION_BATCH: usize = 64;

impl Experiment {
    /// Trains, measures before and after, and fills the run folder.
    ///
    /// With `done` epochs behind it, the run goes on from the checkpoint of that epoch, and sees the batches that an uninterrupted one would.
    ///
    /// # Errors
    /// If the folder cannot be written, or training stops on an error; checkpoints made so far are kept.
    pub fn run(self, folder: &RunFolder, done: usize, observer: Arc<dyn Observer>) -> Result<RunResult, ExperimentError> {
        let Self { settings, task, work, regularizer, device } = self;
        folder.create(&settings)?;
        let run = Run { settings, name: task.name, metrics: task.metrics, regularizer, device, folder: folder.clone(), done, observer };
        match work {
            Work::Sequences(prepared) => run.finish(*prepared),
            Work::Spans(prepared) => run.finish(*prepared),
        }
    }
}

/// What a run knows beside its model and its rows.
struct Run {
    settings: TrainSettings,
    name: String,
    metrics: Vec<TaskMetric>,
    regularizer: Option<Arc<dyn Regularizer>>,
    device: Device,
    folder: RunFolder,
    done: usize,
    observer: Arc<dyn Observer>,
}

impl Run {
    fn finish<M: TaskModel>(self, prepared: Prepared<M>) -> Result<RunResult, ExperimentError> {
        let before = self.evaluate(&prepared.model.model, &prepared)?;
        self.observer.before(&before);

        let hook = self.hook(&prepared);
        let training_seconds = TrainingSeconds::default();
        let trained = self.train(&prepared, &hook, &training_seconds)?;

        let report = self.evaluate(&trained, &prepared)?;
        let tokens = prepared.train.source.lengths().into_iter().map(|length| length as usize).sum();
        let written = Pretrained { model: trained, ..prepared.model.clone() };
        written.write(self.folder.model())?;
        let all_seconds = *training_seconds.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let result = self.result(&report, all_seconds - hook.calibration_seconds(), hook.calibration_seconds(), tokens);
        self.folder.write_result(&result)?;
        self.observer.after(&report, &result);
        Ok(result)
    }

    /// What a model makes of the rows to judge by; the scores of further development sets stand beside, such as `accuracy_mismatched` of
    /// `dev_mismatched`.
    fn evaluate<M: TaskModel>(&self, model: &M, prepared: &Prepared<M>) -> Result<SplitReport, ExperimentError> {
        let device = self.device.clone().without_autodiff();
        let of = |split: &PreparedSplit<M>| {
            let loader = BatchLoader::evaluation(split.source.clone(), EVALUATION_BATCH, &device);
            evaluate(model, &loader, split.judge(), self.observer.as_ref())
        };
        let mut report = of(&prepared.dev)?;
        for (name, split) in &prepared.further {
            let suffix = name.trim_start_matches("dev");
            report.metrics.extend(of(split)?.metrics.into_iter().map(|(metric, value)| (format!("{metric}{suffix}"), value)));
        }
        Ok(report)
    }

    fn hook<M: TaskModel>(&self, prepared: &Prepared<M>) -> Hook<M::Batch> {
        let Some(regularizer) = self.regularizer.clone() else { return Hook::without_regularizer() };
        let layers = self.settings.layers.indices(prepared.model.config.sizes().layers).map_or(1, |layers| layers.len());
        let limit = self.settings.calibration_states;
        let sample = BatchLoader::calibration(
            prepared.train.source.clone(),
            EVALUATION_BATCH,
            self.settings.seed,
            self.done,
            limit / layers,
            &self.device.clone().without_autodiff(),
        );
        let (observer, done) = (self.observer.clone(), self.done);
        Hook::new(regularizer)
            .with_limit(limit)
            .with_calibration_loader(Arc::new(sample))
            .with_observer(move |event| tell(observer.as_ref(), event, done))
    }

    fn train<M: TaskModel>(
        &self,
        prepared: &Prepared<M>,
        hook: &Hook<M::Batch>,
        training_seconds: &TrainingSeconds,
    ) -> Result<M, ExperimentError> {
        let Self { settings, folder, done, observer, .. } = self;
        let device = self.device.clone().autodiff();
        let order = TrainingOrder { batch_size: settings.batch_size, batching: settings.batching, seed: settings.seed, first_epoch: *done };
        let train = BatchLoader::training(prepared.train.source.clone(), order, &device);
        let steps = train.batches() * settings.epochs;
        let valid = BatchLoader::evaluation(prepared.dev.source.clone(), EVALUATION_BATCH, &self.device.clone().without_autodiff());
        let interrupter = hook.interrupter();
        let renderer =
            RunRenderer::new(&folder.metrics(), observer.clone(), dashboard(&interrupter, observer.as_ref()), training_seconds.clone())?;

        let mut training = SupervisedTraining::<Regularized<M>>::new(folder.path(), hook.tap(Arc::new(train)), Arc::new(valid))
            .metric_train_numeric(LossMetric::new())
            .metric_valid_numeric(LossMetric::new())
            .metric_valid_numeric(IsoScoreMetric::new())
            .with_metric_logger(EpochValues::default())
            .with_application_logger(None)
            .with_default_checkpointers()
            .with_interrupter(interrupter.clone())
            .renderer(Box::new(renderer))
            .num_epochs(settings.epochs);
        for metric in self.metrics.iter().filter(|metric| !metric.is_of_part()) {
            training = training.metric_valid_numeric(SplitScoreMetric::new(*metric, prepared.dev.judge()));
            if let Some(judge) = &prepared.train.judge {
                training = training.metric_train_numeric(SplitScoreMetric::new(*metric, judge.clone()));
            }
        }
        if let (Some(penalty), Some(measure)) = (hook.penalty_metric(), hook.measure_metric()) {
            training = training.metric_train_numeric(penalty).metric_train_numeric(measure);
        }
        if *done > 0 {
            training = training.checkpoint(*done);
        }

        let warmup = (settings.warmup * steps as f64).round() as usize;
        let schedule = WarmupLinear::new(settings.learning_rate, warmup, steps, settings.schedule);
        let model = hook.wrap(prepared.model.model.clone().train());
        let LearningResult { model, error, interrupted, .. } = training.launch(Learner::new(model, adamw(settings.weight_decay), schedule));
        let stopped = error.map(|error| error.to_string()).or_else(|| interrupter.error().map(|error| error.to_string()));
        let stopped = stopped.or_else(|| interrupted.map(|stop| stop.reason.unwrap_or_else(|| "it was interrupted".into())));
        match stopped {
            Some(message) => Err(ExperimentError::Training { message }),
            None => Ok(model.into_inner()),
        }
    }

    fn result(&self, report: &SplitReport, seconds: f64, calibration_seconds: f64, tokens: usize) -> RunResult {
        let settings = &self.settings;
        let tokens = tokens * (settings.epochs - self.done);
        RunResult {
            task: self.name.clone(),
            model: settings.model.clone(),
            regularizer: settings.regularizer,
            weight: settings.weight,
            shrinkage: settings.shrinkage,
            layers: settings.layers.clone(),
            seed: settings.seed,
            epochs: settings.epochs,
            device: settings.device.clone(),
            metrics: report.metrics.clone(),
            task_loss: report.task_loss,
            isoscore: report.isoscore.clone(),
            seconds,
            calibration_seconds,
            tokens_per_second: tokens as f64 / seconds,
        }
    }
}

/// Burn's dashboard, where it is compiled in and a person is looking.
fn dashboard(interrupter: &burn::train::Interrupter, observer: &dyn Observer) -> Option<Box<dyn MetricsRenderer>> {
    #[cfg(feature = "tui")]
    if observer.wants_dashboard() {
        use std::io::IsTerminal;
        if std::io::stdout().is_terminal() {
            return Some(burn::train::renderer::default_renderer(interrupter.clone(), None));
        }
    }
    let _ = (interrupter, observer);
    None
}

fn tell(observer: &dyn Observer, event: &HookEvent, done: usize) {
    match event {
        HookEvent::CalibrationStarted { epoch, limit } => observer.begin(Phase::Calibration { epoch: done + epoch }, *limit),
        HookEvent::CalibrationProgress { epoch, states } => observer.advance(&Phase::Calibration { epoch: done + epoch }, *states),
        HookEvent::CalibrationFinished { epoch, states, isoscore, seconds } => {
            observer.end(&Phase::Calibration { epoch: done + epoch });
            let score = isoscore.map_or("none".into(), |score| format!("{score:.4}"));
            observer.note(&format!("reference from {states} states in {seconds:.1} s, IsoScore {score}"));
        }
        HookEvent::Collapsed { score, threshold } => observer.note(&format!(
            "the states have collapsed: a batch scores {score:.4}, under {threshold}. A --weight nearer to 0 keeps them apart; the published weights \
             belong to padded states (--padding keep)"
        )),
    }
}
