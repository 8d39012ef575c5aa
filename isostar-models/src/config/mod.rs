//! The content of config.json: the architecture of a model and its settings.

mod architecture;
pub(crate) mod check;
mod labels;

use burn::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::head::Head;
use crate::{
    AlbertConfig, BertConfig, DistilBertConfig, Encoder, Gpt2Config, ModelError, RobertaConfig,
};
pub(crate) use architecture::Architecture;
pub use architecture::ModelSizes;
pub use labels::{Labels, ProblemType};

/// The content of config.json, for every supported architecture.
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

/// A supported architecture.
#[derive(Clone, Copy, Debug)]
pub struct SupportedModel {
    /// Value of `model_type` in config.json.
    pub model_type: &'static str,
    /// Common name of the architecture.
    pub name: &'static str,
    /// Prefix of the names of its transformers classes.
    pub class: &'static str,
    /// Hub name of a well-known model of this architecture.
    pub example: &'static str,
    /// Fields for which transformers accepts two names: the general name and the name in this
    /// architecture.
    synonyms: &'static [(&'static str, &'static str)],
    read: fn(Value) -> Result<ModelConfig, serde_json::Error>,
}

impl SupportedModel {
    /// The names of the transformers classes that are supported.
    pub fn classes(&self) -> impl Iterator<Item = String> + use<> {
        let class = self.class;
        [Head::None, Head::Classification, Head::Span]
            .into_iter()
            .map(move |head| format!("{class}{}", head.suffix()))
    }

    /// Whether `name` is a transformers class of this architecture, with any head.
    fn has_class(&self, name: &str) -> bool {
        let head = name.strip_prefix(self.class);
        head.is_some_and(|head| {
            ["Model", "For", "LMHead"]
                .into_iter()
                .any(|begins| head.starts_with(begins))
        })
    }
}

/// All supported architectures.
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
        synonyms: &[
            ("hidden_size", "dim"),
            ("num_hidden_layers", "n_layers"),
            ("num_attention_heads", "n_heads"),
        ],
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

/// RoBERTa's settings with one different default: the vocabulary size is BERT's.
fn xlm_roberta(mut value: Value) -> Result<ModelConfig, serde_json::Error> {
    if let Some(fields) = value.as_object_mut() {
        fields
            .entry("vocab_size")
            .or_insert(BertConfig::default().vocab_size.into());
    }
    fields(value).map(ModelConfig::XlmRoberta)
}

impl ModelConfig {
    /// Parses the content of a config.json. Absent fields have transformers' defaults.
    ///
    /// If a setting is given under two names, such as `hidden_size` and `dim`, the general name
    /// takes precedence, as in transformers. Labels are not checked here, because only classifiers
    /// use them: see [`Labels::validate`].
    ///
    /// # Errors
    /// - [`ModelError::Json`] if the content is not a JSON object
    /// - [`ModelError::NoModelType`] if it does not name an architecture
    /// - [`ModelError::ModelType`] if the architecture is not supported
    /// - [`ModelError::FieldType`] if a field has the wrong type
    /// - [`ModelError::Setting`] if a value is not supported
    pub fn from_json(content: &[u8]) -> Result<Self, ModelError> {
        let json = |source| ModelError::Json {
            path: "config.json".into(),
            source,
        };
        let mut fields: Map<String, Value> = serde_json::from_slice(content).map_err(json)?;
        // The architecture is checked before the fields, whose names and types depend on it.
        let model = model_of(&mut fields)?;
        for (general, own) in model.synonyms {
            match fields.get(*general) {
                Some(Value::Null) => drop(fields.remove(*general)),
                Some(_) => drop(fields.remove(*own)),
                None => {}
            }
        }
        let config = (model.read)(Value::Object(fields.clone())).map_err(|source| {
            // serde's error does not name the field, so each field is parsed alone to find it.
            let wrong = fields.into_iter().find_map(|(field, value)| {
                let source = (model.read)(json!({ field.as_str(): value })).err()?;
                Some(ModelError::FieldType {
                    path: "config.json".into(),
                    field,
                    source,
                })
            });
            wrong.unwrap_or(json(source))
        })?;
        config.validate()?;
        Ok(config)
    }

    /// The settings as the content of config.json.
    pub(crate) fn to_json(&self) -> Value {
        let fields = match self {
            Self::Bert(config) => serde_json::to_value(config),
            Self::Roberta(config) | Self::XlmRoberta(config) => serde_json::to_value(config),
            Self::DistilBert(config) => serde_json::to_value(config),
            Self::Albert(config) => serde_json::to_value(config),
            Self::Gpt2(config) => serde_json::to_value(config),
        };
        let mut value = fields.expect("settings can be converted to JSON");
        value["model_type"] = json!(self.model().model_type);
        value
    }

    /// The architecture of the model.
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

    /// The labels of the model.
    pub fn labels(&self) -> &Labels {
        self.architecture().labels()
    }

    /// The same settings with these labels.
    pub fn with_labels(mut self, labels: Labels) -> Self {
        *self.architecture_mut().labels_mut() = labels;
        self
    }

    /// Creates an encoder with newly initialized weights, distributed as in transformers: N(0,
    /// `initializer_range`²), biases of 0, LayerNorm weights of 1 and biases of 0, and a zero
    /// embedding of the padding token.
    ///
    /// # Errors
    /// If [`validate`](ModelConfig::validate) fails.
    pub fn init(&self, device: &Device) -> Result<Encoder, ModelError> {
        self.validate()?;
        match self {
            Self::Bert(config) => config.encoder(device).map(Encoder::Bert),
            Self::Roberta(config) | Self::XlmRoberta(config) => {
                config.encoder(device).map(Encoder::Bert)
            }
            Self::DistilBert(config) => config.encoder(device).map(Encoder::Bert),
            Self::Albert(config) => config.encoder(device).map(Encoder::Albert),
            Self::Gpt2(config) => config.encoder(device).map(Encoder::Gpt2),
        }
    }

    /// Checks that the encoder supports the settings. Labels are checked by [`Labels::validate`],
    /// because only classifiers use them.
    ///
    /// # Errors
    /// [`ModelError::Setting`], which names the field and its value.
    pub fn validate(&self) -> Result<(), ModelError> {
        self.architecture().validate()
    }

    /// The transformers class that wrote the model, if the configuration names one.
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

/// Removes `model_type` from the fields and returns the architecture that it names.
fn model_of(fields: &mut Map<String, Value>) -> Result<&'static SupportedModel, ModelError> {
    let found = match fields.remove("model_type") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(found)) => found,
        Some(other) => other.to_string(),
    };
    if found.is_empty() {
        let class = fields
            .get("architectures")
            .and_then(|classes| classes[0].as_str())
            .unwrap_or_default();
        let likely = MODELS
            .iter()
            .find(|model| model.has_class(class))
            .map(|model| model.model_type);
        return Err(ModelError::NoModelType {
            path: "config.json".into(),
            likely,
        });
    }
    MODELS
        .iter()
        .find(|model| model.model_type == found)
        .ok_or_else(|| {
            let supported = MODELS
                .iter()
                .map(|model| model.model_type)
                .collect::<Vec<_>>()
                .join(", ");
            ModelError::ModelType {
                path: "config.json".into(),
                found,
                supported,
            }
        })
}
