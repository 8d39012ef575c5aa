//! config.json: which architecture it describes, and what it says about it.

pub(crate) mod check;
mod labels;

use burn::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::head::{Head, HeadSettings};
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
    /// `xlm-roberta`: RoBERTa's architecture.
    XlmRoberta(RobertaConfig),
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

/// An architecture that can be read.
#[derive(Clone, Copy, Debug)]
pub struct SupportedModel {
    /// What config.json calls it.
    pub model_type: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// How transformers' classes for it begin.
    pub class: &'static str,
    /// A well-known model of this architecture, by its name on the hub.
    pub example: &'static str,
    /// Settings that transformers knows under two names: the one that all models share, and this architecture's own.
    synonyms: &'static [(&'static str, &'static str)],
    read: fn(Value) -> Result<ModelConfig, serde_json::Error>,
}

impl SupportedModel {
    /// transformers' classes that are read and written.
    pub fn classes(&self) -> impl Iterator<Item = String> + use<> {
        let class = self.class;
        [Head::None, Head::Classification, Head::Span].into_iter().map(move |head| format!("{class}{}", head.suffix()))
    }

    /// Whether transformers has a class of this name for the architecture, with whatever head.
    fn has_class(&self, name: &str) -> bool {
        let head = name.strip_prefix(self.class);
        head.is_some_and(|head| ["Model", "For", "LMHead"].into_iter().any(|begins| head.starts_with(begins)))
    }
}

/// Every architecture that can be read.
pub const MODELS: &[SupportedModel] = &[
    SupportedModel {
        model_type: "bert",
        name: "BERT",
        class: "Bert",
        example: "google-bert/bert-base-cased",
        synonyms: &[],
        read: |value| fields(value).map(ModelConfig::Bert),
    },
    SupportedModel {
        model_type: "roberta",
        name: "RoBERTa",
        class: "Roberta",
        example: "FacebookAI/roberta-base",
        synonyms: &[],
        read: |value| fields(value).map(ModelConfig::Roberta),
    },
    SupportedModel {
        model_type: "xlm-roberta",
        name: "XLM-RoBERTa",
        class: "XLMRoberta",
        example: "FacebookAI/xlm-roberta-base",
        synonyms: &[],
        read: xlm_roberta,
    },
    SupportedModel {
        model_type: "distilbert",
        name: "DistilBERT",
        class: "DistilBert",
        example: "distilbert/distilbert-base-cased",
        synonyms: &[("hidden_size", "dim"), ("num_hidden_layers", "n_layers"), ("num_attention_heads", "n_heads")],
        read: |value| fields(value).map(ModelConfig::DistilBert),
    },
    SupportedModel {
        model_type: "albert",
        name: "ALBERT",
        class: "Albert",
        example: "albert/albert-base-v2",
        synonyms: &[],
        read: |value| fields(value).map(ModelConfig::Albert),
    },
    SupportedModel {
        model_type: "gpt2",
        name: "GPT-2",
        class: "GPT2",
        example: "openai-community/gpt2",
        synonyms: &[
            ("hidden_size", "n_embd"),
            ("num_hidden_layers", "n_layer"),
            ("num_attention_heads", "n_head"),
            ("max_position_embeddings", "n_positions"),
        ],
        read: |value| fields(value).map(ModelConfig::Gpt2),
    },
];

fn fields<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(value)
}

/// RoBERTa's settings, but for a default: the vocabulary is BERT's.
fn xlm_roberta(mut value: Value) -> Result<ModelConfig, serde_json::Error> {
    if let Some(fields) = value.as_object_mut() {
        fields.entry("vocab_size").or_insert(BertConfig::default().vocab_size.into());
    }
    fields(value).map(ModelConfig::XlmRoberta)
}

impl ModelConfig {
    /// The settings in the content of a config.json, with transformers' defaults for what it leaves out.
    ///
    /// If a setting is given under both of its names, such as `hidden_size` and `dim`, the general name wins, as in transformers. Labels are not
    /// checked here, because only classifiers use them: see [`Labels::validate`].
    ///
    /// # Errors
    /// [`ModelError::Json`] for what is no JSON object, [`ModelError::NoModelType`] and [`ModelError::ModelType`] for no architecture and for
    /// another one, [`ModelError::FieldType`] for a field of the wrong type, and [`ModelError::Setting`] for a value that cannot be honoured.
    pub fn from_json(content: &[u8]) -> Result<Self, ModelError> {
        let json = |source| ModelError::Json { path: "config.json".into(), source };
        let mut fields: Map<String, Value> = serde_json::from_slice(content).map_err(json)?;
        // Before the fields: those of another architecture have other names and types.
        let model = model_of(&mut fields)?;
        for (general, own) in model.synonyms {
            match fields.get(*general) {
                Some(Value::Null) => drop(fields.remove(*general)),
                Some(_) => drop(fields.remove(*own)),
                None => {}
            }
        }
        let config = (model.read)(Value::Object(fields.clone())).map_err(|source| {
            // serde does not say which field it is about: tried alone, the field does.
            let wrong = fields.into_iter().find_map(|(field, value)| {
                let source = (model.read)(json!({ field.as_str(): value })).err()?;
                Some(ModelError::FieldType { path: "config.json".into(), field, source })
            });
            wrong.unwrap_or(json(source))
        })?;
        config.validate()?;
        Ok(config)
    }

    /// What config.json holds.
    pub(crate) fn to_json(&self) -> Value {
        let fields = match self {
            Self::Bert(config) => serde_json::to_value(config),
            Self::Roberta(config) | Self::XlmRoberta(config) => serde_json::to_value(config),
            Self::DistilBert(config) => serde_json::to_value(config),
            Self::Albert(config) => serde_json::to_value(config),
            Self::Gpt2(config) => serde_json::to_value(config),
        };
        let mut value = fields.expect("settings are numbers, text and maps with text as keys");
        value["model_type"] = json!(self.model().model_type);
        value
    }

    /// The architecture.
    pub fn model(&self) -> &'static SupportedModel {
        let number = match self {
            Self::Bert(_) => 0,
            Self::Roberta(_) => 1,
            Self::XlmRoberta(_) => 2,
            Self::DistilBert(_) => 3,
            Self::Albert(_) => 4,
            Self::Gpt2(_) => 5,
        };
        &MODELS[number]
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

    /// Refuses what no forward pass of the encoder could honour, naming the field and its value. The labels are a classifier's affair:
    /// [`Labels::validate`].
    ///
    /// # Errors
    /// [`ModelError::Setting`].
    pub fn validate(&self) -> Result<(), ModelError> {
        self.architecture().validate()
    }

    /// transformers' class that wrote the model, if the configuration names one.
    pub(crate) fn class(&self) -> Option<String> {
        Some(self.to_json()["architectures"][0].as_str()?.to_string())
    }

    pub(crate) fn architecture(&self) -> &dyn Architecture {
        match self {
            Self::Bert(config) => config,
            Self::Roberta(config) | Self::XlmRoberta(config) => config,
            Self::DistilBert(config) => config,
            Self::Albert(config) => config,
            Self::Gpt2(config) => config,
        }
    }

    fn architecture_mut(&mut self) -> &mut dyn Architecture {
        match self {
            Self::Bert(config) => config,
            Self::Roberta(config) | Self::XlmRoberta(config) => config,
            Self::DistilBert(config) => config,
            Self::Albert(config) => config,
            Self::Gpt2(config) => config,
        }
    }
}

/// The architecture that the fields name; `model_type` is taken out of them.
fn model_of(fields: &mut Map<String, Value>) -> Result<&'static SupportedModel, ModelError> {
    let found = match fields.remove("model_type") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(found)) => found,
        Some(other) => other.to_string(),
    };
    if found.is_empty() {
        let class = fields.get("architectures").and_then(|classes| classes[0].as_str()).unwrap_or_default();
        let likely = MODELS.iter().find(|model| model.has_class(class)).map(|model| model.model_type);
        return Err(ModelError::NoModelType { path: "config.json".into(), likely });
    }
    MODELS.iter().find(|model| model.model_type == found).ok_or_else(|| {
        let supported = MODELS.iter().map(|model| model.model_type).collect::<Vec<_>>().join(", ");
        ModelError::ModelType { path: "config.json".into(), found, supported }
    })
}
