//! Preparing a run before anything is written.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use burn::prelude::*;
use isostar_core::{Padding, Regularizer};
use isostar_kernels::Precision;
use isostar_models::{
    BertConfig, Labels, ModelConfig, Pretrained, PretrainedModel, ProblemType, SequenceClassifier,
    SpanExtractor,
};

use super::measured::check_limits;
use super::{ExperimentError, Observer, SCRATCH, TrainSettings};
use crate::data::streams::{Purpose, device_seed};
use crate::data::{BatchSource, DEFAULT_TOKENIZER, DataError, TextEncoder};
use crate::device::parse_devices;
use crate::model::find_model;
use crate::task::{Preparation, PreparedFor, Task, TaskKind, TaskModel, TaskSummary};

/// A run that is ready to start: settings checked, rows tokenized, model on its device. The text of
/// the rows is dropped, except for the paragraphs from which answers are extracted.
#[derive(Debug)]
pub struct Experiment {
    /// The settings.
    pub settings: TrainSettings,
    /// The task.
    pub task: TaskSummary,
    pub(super) work: Work,
    pub(super) regularizer: Option<Arc<dyn Regularizer>>,
    pub(super) device: Device,
}

/// A model with its rows, by the kind of its head.
#[derive(Debug)]
pub(super) enum Work {
    /// For classes and numbers.
    Sequences(Box<Prepared<SequenceClassifier>>),
    /// For answers.
    Spans(Box<Prepared<SpanExtractor>>),
}

/// A model before training, and its rows.
#[derive(Debug)]
pub(super) struct Prepared<M: TaskModel> {
    pub model: Pretrained<M>,
    pub train: PreparedFor<M>,
    pub dev: PreparedFor<M>,
    /// Further development sets by name.
    pub further: Vec<(&'static str, PreparedFor<M>)>,
}

impl Experiment {
    /// Checks the settings, and reads the data and the model. The observer is notified if a model
    /// is downloaded from the hub. Lengths left open in the settings are set from the model.
    ///
    /// # Errors
    /// If any of them is invalid; returns the first error.
    pub fn prepare(
        mut settings: TrainSettings,
        observer: &dyn Observer,
    ) -> Result<Self, ExperimentError> {
        settings.check()?;
        if settings.padding == Padding::Keep && settings.pad_to > 1 {
            let expected = "1 under --padding keep, where padding is part of the score";
            return Err(ExperimentError::Setting {
                name: "pad_to",
                value: settings.pad_to.to_string(),
                expected,
            });
        }
        settings.controlled(0)?;
        // The model is read on the first device, and goes to the others in every step.
        let devices = parse_devices(&settings.device)?;
        let device = devices[0].clone();
        if devices.len() * settings.accumulate > 1 && settings.monitor.is_some() {
            return Err(ExperimentError::NotMonitored);
        }
        let precision = Precision::from(settings.precision);
        if !devices.iter().all(|device| precision.is_supported(device)) {
            let expected = "f32 on this device, which does not compute in bf16";
            return Err(ExperimentError::Setting {
                name: "precision",
                value: "bf16".into(),
                expected,
            });
        }
        let mut task = Task::read(settings.source(), observer)?;
        if let (TaskKind::Classification, [label]) = (task.kind, task.labels.names()) {
            let (rows, label) = (task.splits.train.rows.len(), label.clone());
            return Err(DataError::OneLabel { rows, label }.into());
        }

        let seed = device_seed(settings.seed, 0, Purpose::Weights);
        device.seed(seed);
        // It draws the fresh weights of models on every device.
        #[cfg(feature = "flex")]
        Device::flex().seed(seed);
        let (task, work) = match task.kind {
            TaskKind::Classification | TaskKind::Regression => {
                let problem = if task.kind == TaskKind::Regression {
                    ProblemType::Regression
                } else {
                    ProblemType::SingleLabel
                };
                let labels = |task: &Task| Labels::new(task.labels.names(), problem);
                let model = match settings.model.as_str() {
                    SCRATCH => from_scratch(labels(&task), &settings, &device)?,
                    model => {
                        let folder = find_model(model, observer)?;
                        if let Some(outputs) = stored_labels(&folder) {
                            task.take_order_of(&outputs);
                        }
                        Pretrained::<SequenceClassifier>::read_for(folder, labels(&task), &device)?
                    }
                };
                let (prepared, summary) = Prepared::new(model, task, &mut settings)?;
                (summary, Work::Sequences(Box::new(prepared)))
            }
            TaskKind::Span => {
                let model = match settings.model.as_str() {
                    SCRATCH => from_scratch(Labels::default(), &settings, &device)?,
                    model => {
                        Pretrained::<SpanExtractor>::read(find_model(model, observer)?, &device)?
                    }
                };
                let (prepared, summary) = Prepared::new(model, task, &mut settings)?;
                (summary, Work::Spans(Box::new(prepared)))
            }
        };
        let steps = work.sequences().div_ceil(settings.rows_per_step()) * settings.epochs;
        let regularizer = settings.controlled(steps)?;
        let depth = work.config().sizes().layers;
        settings.layers.indices(depth)?;
        if let Some(regularizer) = &regularizer {
            regularizer
                .states()
                .map_or(Ok(Vec::new()), |states| states.layers.indices(depth))?;
        }
        check_limits(&settings, &task.metrics, regularizer.as_deref())?;
        Ok(Self {
            settings,
            task,
            work,
            regularizer,
            device,
        })
    }

    /// The configuration of the model.
    pub fn config(&self) -> &ModelConfig {
        self.work.config()
    }

    /// The names of the model's newly initialized tensors.
    pub fn fresh(&self) -> &[String] {
        match &self.work {
            Work::Sequences(prepared) => &prepared.model.fresh,
            Work::Spans(prepared) => &prepared.model.fresh,
        }
    }

    /// Notes on how the model's folder was read, see [`Pretrained::notes`].
    pub fn notes(&self) -> Vec<String> {
        match &self.work {
            Work::Sequences(prepared) => prepared.model.notes(),
            Work::Spans(prepared) => prepared.model.notes(),
        }
    }
}

impl Work {
    fn config(&self) -> &ModelConfig {
        match self {
            Self::Sequences(prepared) => &prepared.model.config,
            Self::Spans(prepared) => &prepared.model.config,
        }
    }

    /// The number of training sequences.
    fn sequences(&self) -> usize {
        match self {
            Self::Sequences(prepared) => prepared.train.source.lengths().len(),
            Self::Spans(prepared) => prepared.train.source.lengths().len(),
        }
    }
}

impl<M: TaskModel> Prepared<M> {
    /// Tokenizes the rows for a model. The text of each split is dropped once it is tokenized.
    fn new(
        model: Pretrained<M>,
        mut task: Task,
        settings: &mut TrainSettings,
    ) -> Result<(Self, TaskSummary), ExperimentError> {
        let [max_length, stride] = settings.set_lengths(model.config.sizes().positions)?;
        let encoder =
            TextEncoder::new(model.tokenizer.clone(), max_length)?.for_model(&model.config);
        let labels = task.labels.clone();
        let preparation = Preparation {
            encoder: &encoder,
            labels: &labels,
            stride,
            is_evaluated: false,
            pad_to: settings.pad_to,
        };
        let train = M::prepare(task.take_train(), preparation)?;
        let evaluated = Preparation {
            is_evaluated: true,
            ..preparation
        };
        let dev = M::prepare(task.take_dev(), evaluated)?;
        let further = task
            .take_further()
            .into_iter()
            .map(|(name, rows)| Ok((name, M::prepare(rows, evaluated)?)));
        let further = further.collect::<Result<_, DataError>>()?;
        let summary = TaskSummary::new(&task, train.summary.clone(), dev.summary.clone());
        Ok((
            Self {
                model,
                train,
                dev,
                further,
            },
            summary,
        ))
    }
}

/// Reads the output names from the configuration in a model's folder; `None` if it lists none in
/// order. Loading the model reports this if it matters.
fn stored_labels(folder: &Path) -> Option<Vec<String>> {
    let config = ModelConfig::from_json(&fs::read(folder.join("config.json")).ok()?).ok()?;
    config.labels().validate().ok()?;
    Some(config.labels().names())
}

/// Creates a small BERT with random weights: 4 layers of width 128, 1.6 million parameters.
fn from_scratch<M: PretrainedModel>(
    labels: Labels,
    settings: &TrainSettings,
    device: &Device,
) -> Result<Pretrained<M>, ExperimentError> {
    let max_length = settings.max_length.unwrap_or(settings.default_max_length());
    let tokenizer = TextEncoder::from_json(DEFAULT_TOKENIZER, max_length)?
        .tokenizer()
        .clone();
    let config = BertConfig {
        vocab_size: tokenizer.get_vocab_size(true),
        hidden_size: 128,
        num_hidden_layers: 4,
        num_attention_heads: 4,
        intermediate_size: 512,
        max_position_embeddings: max_length,
        labels,
        ..BertConfig::default()
    };
    Ok(Pretrained::from_scratch(
        ModelConfig::Bert(config),
        tokenizer,
        device,
    )?)
}
