//! From settings to everything a run needs, before anything is written.

use std::sync::Arc;

use burn::prelude::*;
use isostar_core::Regularizer;
use isostar_models::{BertConfig, Labels, ModelConfig, Pretrained, ProblemType};

use super::{ExperimentError, Observer, SCRATCH, TrainSettings};
use crate::data::{DEFAULT_TOKENIZER, Examples, TextEncoder};
use crate::device::parse_device;
use crate::model::find_model;
use crate::task::Task;

/// A run that can start: settings checked, rows tokenized, model on its device.
#[derive(Debug)]
pub struct Experiment {
    /// The settings.
    pub settings: TrainSettings,
    /// The task.
    pub task: Task,
    /// The model before training.
    pub model: Pretrained,
    /// The rows to learn from.
    pub train: Arc<Examples>,
    /// The rows to judge by.
    pub dev: Arc<Examples>,
    pub(super) regularizer: Option<Arc<dyn Regularizer>>,
    pub(super) device: Device,
}

impl Experiment {
    /// Checks the settings, reads the data and the model; a model on the hub is downloaded, and the observer told.
    ///
    /// # Errors
    /// The first thing that is wrong with any of them.
    pub fn prepare(settings: TrainSettings, observer: &dyn Observer) -> Result<Self, ExperimentError> {
        settings.check()?;
        let regularizer = settings.regularizer()?;
        let device = parse_device(&settings.device)?;
        let task = Task::read(settings.task.as_deref(), settings.data.as_deref(), &settings.columns, settings.limit, settings.seed)?;

        device.seed(settings.seed);
        let labels = task.labels.names().iter().cloned();
        let model = match settings.model.as_str() {
            SCRATCH => from_scratch(labels, settings.max_length, &device)?,
            model => Pretrained::read_with_labels(find_model(model, observer)?, labels, &device)?,
        };
        if regularizer.is_some() {
            settings.layers.indices(model.config.sizes().layers)?;
        }
        let positions = model.config.sizes().positions;
        if settings.max_length > positions {
            let value = settings.max_length.to_string();
            return Err(ExperimentError::Setting { name: "max_length", value, expected: "no more than the model's positions" });
        }

        let encoder = TextEncoder::new(model.tokenizer.clone(), settings.max_length)?.for_model(&model.config);
        let encode = |split: &crate::data::Split| -> Result<Arc<Examples>, ExperimentError> {
            let labels = task.labels.indices_of(&split.rows, &split.path)?;
            Ok(Arc::new(encoder.encode(&split.rows, labels)?))
        };
        let (train, dev) = (encode(&task.splits.train)?, encode(&task.splits.dev)?);
        Ok(Self { settings, task, model, train, dev, regularizer, device })
    }

    /// The number of optimizer steps of the whole run.
    pub fn steps(&self) -> usize {
        self.train.len().div_ceil(self.settings.batch_size) * self.settings.epochs
    }
}

/// A small BERT with fresh weights: 4 layers of width 128, 1.6 million parameters.
fn from_scratch(labels: impl Iterator<Item = String>, max_length: usize, device: &Device) -> Result<Pretrained, ExperimentError> {
    let tokenizer = TextEncoder::from_json(DEFAULT_TOKENIZER, max_length)?.tokenizer().clone();
    let config = BertConfig {
        vocab_size: tokenizer.get_vocab_size(true),
        hidden_size: 128,
        num_hidden_layers: 4,
        num_attention_heads: 4,
        intermediate_size: 512,
        max_position_embeddings: max_length,
        labels: Labels::new(labels, ProblemType::SingleLabel),
        ..BertConfig::default()
    };
    Ok(Pretrained::from_scratch(ModelConfig::Bert(config), tokenizer, device)?)
}
