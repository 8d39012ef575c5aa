//! config.json: which architecture it describes, and what it says about it.

pub(crate) mod check;
mod labels;

use burn::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::head::HeadSettings;
use crate::pretrained::Layout;
use crate::{AlbertConfig, BertConfig, DistilBertConfig, Encoder, Gpt2Config, ModelError, RobertaConfig};
pub use labels::{Labels, ProblemType};

/// The settings of a model of any supported architecture, as its config.json holds them.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelConfig {
    /// `bert`.
    Bert(BertConfig),
    /// `roberta`.
    Roberta(RobertaConfig),
    /// `distilbert`.
    DistilBert(DistilBertConfig),
    /// `albert`.
    Albert(AlbertConfig),
    /// `gpt2`.
    Gpt2(Gpt2Config),
}

/// What is the same for all architectures, whatever their fields are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelSizes {
    /// Rows of the word table.
    pub vocabulary: usize,
    /// Width d of the hidden states.
    pub width: usize,
    /// How many hidden states a forward pass returns after the embedding output.
    pub layers: usize,
    /// The longest sequence, in tokens.
    pub positions: usize,
    /// How many segments a sequence may have; 0 in models that know none.
    pub segments: usize,
}

/// One architecture: where its settings become a model.
pub(crate) trait Architecture {
    /// How transformers' classes for it begin: `Bert` of `BertForSequenceClassification`.
    fn class(&self) -> &'static str;
    fn layout(&self) -> &'static Layout;
    fn sizes(&self) -> ModelSizes;
    fn padding(&self) -> Option<usize>;
    fn labels(&self) -> &Labels;
    fn labels_mut(&mut self) -> &mut Labels;
    /// Standard deviation of fresh weights.
    fn deviation(&self) -> f64;
    /// How the last layer's states become logits.
    fn head(&self) -> HeadSettings;
    /// Refuses what no forward pass could honour.
    fn validate(&self) -> Result<(), ModelError>;
    /// Fresh weights; the settings are valid.
    fn encoder(&self, device: &Device) -> Result<Encoder, ModelError>;
}

/// A `model_type` and what to read its settings with.
type Reader = (&'static str, fn(Value) -> Result<ModelConfig, serde_json::Error>);

const READERS: [Reader; 5] = [
    ("bert", |value| fields(value).map(ModelConfig::Bert)),
    ("roberta", |value| fields(value).map(ModelConfig::Roberta)),
    ("distilbert", |value| fields(value).map(ModelConfig::DistilBert)),
    ("albert", |value| fields(value).map(ModelConfig::Albert)),
    ("gpt2", |value| fields(value).map(ModelConfig::Gpt2)),
];

fn fields<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(value)
}

impl ModelConfig {
    /// Every `model_type` that can be read.
    pub const MODEL_TYPES: [&str; 5] = [READERS[0].0, READERS[1].0, READERS[2].0, READERS[3].0, READERS[4].0];

    /// The settings in the content of a config.json, with transformers' defaults for what it leaves out.
    ///
    /// # Errors
    /// [`ModelError::ModelType`] for another architecture, [`ModelError::Json`] for a field of the wrong type, and
    /// [`ModelError::Setting`] for a value that cannot be honoured.
    pub fn from_json(content: &[u8]) -> Result<Self, ModelError> {
        let json = |source| ModelError::Json { path: "config.json".into(), source };
        let mut value: Value = serde_json::from_slice(content).map_err(json)?;
        // Before the fields: those of another architecture have other names and types.
        let found = value.as_object_mut().and_then(|fields| fields.remove("model_type"));
        let found = found.as_ref().and_then(Value::as_str).unwrap_or_default();
        let Some((_, read)) = READERS.into_iter().find(|(model_type, _)| *model_type == found) else {
            let supported = Self::MODEL_TYPES.join(", ");
            return Err(ModelError::ModelType { path: "config.json".into(), found: found.to_string(), supported });
        };
        let config = read(value).map_err(json)?;
        config.validate()?;
        Ok(config)
    }

    /// What config.json holds.
    pub(crate) fn to_json(&self) -> Value {
        let fields = match self {
            Self::Bert(config) => serde_json::to_value(config),
            Self::Roberta(config) => serde_json::to_value(config),
            Self::DistilBert(config) => serde_json::to_value(config),
            Self::Albert(config) => serde_json::to_value(config),
            Self::Gpt2(config) => serde_json::to_value(config),
        };
        let mut value = fields.expect("settings are numbers, text and maps with text as keys");
        value["model_type"] = json!(self.model_type());
        value
    }

    /// The architecture: `bert`, `roberta`, …
    pub fn model_type(&self) -> &'static str {
        match self {
            Self::Bert(_) => "bert",
            Self::Roberta(_) => "roberta",
            Self::DistilBert(_) => "distilbert",
            Self::Albert(_) => "albert",
            Self::Gpt2(_) => "gpt2",
        }
    }

    /// The sizes of the model.
    pub fn sizes(&self) -> ModelSizes {
        self.architecture().sizes()
    }

    /// The id of the padding token, if there is one.
    pub fn padding(&self) -> Option<usize> {
        self.architecture().padding()
    }

    /// The labels.
    pub fn labels(&self) -> &Labels {
        self.architecture().labels()
    }

    /// The same model with these labels.
    pub fn with_labels(mut self, labels: Labels) -> Self {
        *self.architecture_mut().labels_mut() = labels;
        self
    }

    /// An encoder with fresh weights, distributed as transformers': N(0, `initializer_range`²), zero biases, LayerNorm at 1 and 0,
    /// zero for the padding token.
    ///
    /// # Errors
    /// If [`validate`](ModelConfig::validate) refuses the configuration.
    pub fn init(&self, device: &Device) -> Result<Encoder, ModelError> {
        self.validate()?;
        self.architecture().encoder(device)
    }

    /// Refuses what no forward pass could honour, naming the field and its value.
    ///
    /// # Errors
    /// [`ModelError::Setting`].
    pub fn validate(&self) -> Result<(), ModelError> {
        self.architecture().validate()?;
        self.labels().validate()
    }

    pub(crate) fn architecture(&self) -> &dyn Architecture {
        match self {
            Self::Bert(config) => config,
            Self::Roberta(config) => config,
            Self::DistilBert(config) => config,
            Self::Albert(config) => config,
            Self::Gpt2(config) => config,
        }
    }

    fn architecture_mut(&mut self) -> &mut dyn Architecture {
        match self {
            Self::Bert(config) => config,
            Self::Roberta(config) => config,
            Self::DistilBert(config) => config,
            Self::Albert(config) => config,
            Self::Gpt2(config) => config,
        }
    }
}
