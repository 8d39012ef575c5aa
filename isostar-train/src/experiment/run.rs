//! Execution of a prepared experiment.

use std::sync::Arc;

use burn::prelude::*;
use burn::train::metric::LossMetric;
use burn::train::renderer::MetricsRenderer;
use burn::train::{Learner, LearningResult};
use isostar_core::{Padding, Regularizer};
use isostar_models::Pretrained;

use super::ending::Ending;
use super::hook_events::HookEvents;
use super::optimizer::{WarmupLinear, adamw};
use super::prepare::{Prepared, Work};
use super::renderer::RunRenderer;
use super::result::finite;
use super::seconds::{Seconds, Stopwatch};
use super::values::EpochValues;
use super::{Experiment, ExperimentError, IsoScores, Observer, RunFolder, RunResult, SplitReport, TrainSettings, evaluate};
use crate::data::{BatchLoader, BatchSource, TrainingOrder};
use crate::hook::{Divergence, Hook, HookConfig, NotFinite};
use crate::task::{PreparedFor, SplitScoreMetric, TaskMetric, TaskModel};

/// Rows per evaluation batch.
const EVALUATION_BATCH: usize = 64;

impl Experiment {
    /// Trains the model, evaluates it before and after, and writes the run folder.
    ///
    /// If `done` epochs are complete, the run resumes from the checkpoint of that epoch and sees
    /// the same batches as an uninterrupted run. If all epochs are complete, it only evaluates the
    /// model and writes the result.
    ///
    /// # Errors
    /// If the folder cannot be written, or training stops before the end of its last epoch; earlier
    /// checkpoints are kept. A run that diverges writes a result that says so, and no model.
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

/// Data of a run other than its model and rows.
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

        let stopwatch = Arc::new(Stopwatch::new(self.folder.clone(), self.done));
        let hook = self.hook(&prepared, &stopwatch);
        let trained = self.train(&prepared, &hook, &stopwatch);
        if let Some(divergence) = hook.divergence() {
            return Err(self.diverge(Divergence { epoch: self.done + divergence.epoch, ..divergence }, &stopwatch)?);
        }
        let trained = trained?;

        let report = self.evaluate(&trained, &prepared)?;
        if !report.task_loss.is_finite() {
            let divergence = Divergence::after_epoch(NotFinite::ValidationLoss, self.settings.epochs);
            return Err(self.diverge(divergence, &stopwatch)?);
        }
        let written = Pretrained { model: trained, ..prepared.model.clone() };
        written.write(self.folder.model())?;
        let seconds = stopwatch.total();
        let tokens = prepared.train.source.lengths().into_iter().map(|length| length as usize).sum::<usize>() * self.settings.epochs;
        let tokens_per_second = seconds.and_then(|seconds| finite(tokens as f64 / seconds.training));
        let result = RunResult { tokens_per_second, ..self.result(seconds, self.settings.epochs).with_report(&report) };
        self.folder.write_result(&result)?;
        self.observer.after(&report, &result);
        Ok(result)
    }

    /// Evaluates a model on the validation rows. Metrics of additional development sets are
    /// included, such as `accuracy_mismatched` of `dev_mismatched`.
    fn evaluate<M: TaskModel>(&self, model: &M, prepared: &Prepared<M>) -> Result<SplitReport, ExperimentError> {
        let device = self.device.clone().without_autodiff();
        let of = |split: &PreparedFor<M>| {
            let loader = BatchLoader::evaluation(split.source.clone(), EVALUATION_BATCH, &device);
            evaluate(model, &loader, split.evaluator(), self.observer.as_ref())
        };
        let mut report = of(&prepared.dev)?;
        for (name, split) in &prepared.further {
            let suffix = name.trim_start_matches("dev");
            report.metrics.extend(of(split)?.metrics.into_iter().map(|(metric, value)| (format!("{metric}{suffix}"), value)));
        }
        Ok(report)
    }

    /// Writes the result of a run that diverged, and returns its error.
    fn diverge(&self, divergence: Divergence, stopwatch: &Stopwatch) -> Result<ExperimentError, ExperimentError> {
        let result = RunResult { stopped: Some(divergence), ..self.result(stopwatch.total(), self.folder.epochs_done()) };
        self.folder.write_result(&result)?;
        Ok(self.folder.diverged(&self.settings, &result).expect("its result says so"))
    }

    fn hook<M: TaskModel>(&self, prepared: &Prepared<M>, stopwatch: &Arc<Stopwatch>) -> Hook<M::Batch> {
        let Some(regularizer) = self.regularizer.clone() else { return Hook::without_regularizer() };
        let layers = self.settings.layers.indices(prepared.model.config.sizes().layers).map_or(1, |layers| layers.len());
        let (limit, padding, order, source) =
            (self.settings.calibration_states, self.settings.padding, self.order(), &prepared.train.source);
        // If padding is included, the batch size matters: the longest row of a batch determines its
        // padding.
        let batch_size = if padding == Padding::Keep { order.batch_size } else { EVALUATION_BATCH };
        let plain = self.device.clone().without_autodiff();
        let sample = BatchLoader::calibration(source.clone(), TrainingOrder { batch_size, ..order }, padding, limit / layers, &plain);
        let lengths = source.lengths();
        let events = HookEvents {
            observer: self.observer.clone(),
            stopwatch: stopwatch.clone(),
            done: self.done,
            padding,
            training_padding: move |epoch| order.padding_share(&lengths, epoch),
        };
        HookConfig::new()
            .with_limit(limit)
            .with_calibration_loader(Arc::new(sample))
            .with_observer(move |event| events.tell(event))
            .init(regularizer)
    }

    fn order(&self) -> TrainingOrder {
        let TrainSettings { batch_size, batching, seed, .. } = self.settings;
        TrainingOrder { batch_size, batching, seed, first_epoch: self.done }
    }

    fn train<M: TaskModel>(&self, prepared: &Prepared<M>, hook: &Hook<M::Batch>, stopwatch: &Arc<Stopwatch>) -> Result<M, ExperimentError> {
        let Self { settings, folder, done, observer, .. } = self;
        let device = self.device.clone().autodiff();
        let train = BatchLoader::training(prepared.train.source.clone(), self.order(), &device);
        let steps = train.batches() * settings.epochs;
        let valid = BatchLoader::evaluation(prepared.dev.source.clone(), EVALUATION_BATCH, &self.device.clone().without_autodiff());
        let interrupter = hook.interrupter();
        let ending = Ending::new(interrupter.clone());
        let dashboard = dashboard(&interrupter, observer.as_ref());
        let renderer = RunRenderer::new(&folder.metrics(), observer.clone(), dashboard, stopwatch.clone(), ending.clone())?;

        let mut training = hook
            .training::<M>(folder.path(), Arc::new(train), Arc::new(valid))
            .metric_train_numeric(LossMetric::new())
            .metric_valid_numeric(LossMetric::new())
            .with_metric_logger(EpochValues::default())
            .with_application_logger(None)
            .with_default_checkpointers()
            .renderer(Box::new(renderer))
            .num_epochs(settings.epochs);
        for metric in self.metrics.iter().filter(|metric| !metric.is_of_part()) {
            training = training.metric_valid_numeric(SplitScoreMetric::new(*metric, prepared.dev.evaluator()));
            if let Some(evaluator) = &prepared.train.evaluator {
                training = training.metric_train_numeric(SplitScoreMetric::new(*metric, evaluator.clone()));
            }
        }
        if *done > 0 {
            training = training.checkpoint(*done);
        }

        let warmup = (settings.warmup * steps as f64).round() as usize;
        let schedule = WarmupLinear::new(settings.learning_rate, warmup, steps, settings.schedule);
        let model = hook.wrap(prepared.model.model.clone().train());
        let optimizer = adamw(settings.weight_decay, settings.adam_epsilon);
        let LearningResult { model, .. } = training.launch(Learner::new(model, optimizer, schedule));
        ending.check(folder, settings.epochs)?;
        Ok(model.into_inner())
    }

    /// Result after `epochs` epochs, before any evaluation.
    fn result(&self, seconds: Option<Seconds>, epochs: usize) -> RunResult {
        let settings = &self.settings;
        RunResult {
            task: self.name.clone(),
            model: settings.model.clone(),
            regularizer: settings.regularizer,
            weight: finite(settings.weight),
            shrinkage: finite(settings.shrinkage),
            layers: settings.layers.clone(),
            seed: settings.seed,
            epochs,
            device: settings.device.clone(),
            metrics: self.metrics.iter().map(|metric| (metric.name().to_string(), None)).collect(),
            task_loss: None,
            isoscore: IsoScores::default(),
            seconds: seconds.map(|seconds| seconds.training),
            calibration_seconds: seconds.map(|seconds| seconds.calibration),
            tokens_per_second: None,
            stopped: None,
        }
    }
}

/// Burn's dashboard, if it is compiled in, the observer allows it and stdout is a terminal.
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
