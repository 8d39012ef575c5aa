//! BERT: configuration, encoder, and where a checkpoint keeps each parameter.

use std::collections::BTreeMap;

use burn::nn::{DropoutConfig, LayerNormConfig};
use burn::prelude::*;
use isostar_core::HiddenStates;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::layer::{Activation, Embeddings, EncoderLayer, FeedForward, SelfAttention, additive_mask, embedding, linear};
use crate::pretrained::Layout;
use crate::{ModelError, TokenBatch};

/// The settings of a BERT, under the names and with the defaults of transformers' `BertConfig`.
///
/// Fields it does not know stay in [`rest`](BertConfig::rest), so that writing a configuration back loses nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BertConfig {
    /// The architecture: `bert`.
    pub model_type: String,
    /// Rows of the word table.
    pub vocab_size: usize,
    /// Width d of the hidden states.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads; divides d.
    pub num_attention_heads: usize,
    /// Inner width of the feed-forward part.
    pub intermediate_size: usize,
    /// `gelu`, `gelu_new`, `relu` or `silu`.
    pub hidden_act: String,
    /// Dropout after the embeddings and after both parts of a layer, in [0, 1).
    pub hidden_dropout_prob: f64,
    /// Dropout of the attention probabilities, in [0, 1).
    pub attention_probs_dropout_prob: f64,
    /// Dropout before the classifier, in [0, 1); that of the hidden states where it is absent.
    pub classifier_dropout: Option<f64>,
    /// Rows of the position table: the longest sequence.
    pub max_position_embeddings: usize,
    /// Rows of the token type table.
    pub type_vocab_size: usize,
    /// Standard deviation of fresh weights.
    pub initializer_range: f64,
    /// Added to the variance in every LayerNorm.
    pub layer_norm_eps: f64,
    /// The id of the padding token.
    pub pad_token_id: Option<usize>,
    /// `absolute`, or absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position_embedding_type: Option<String>,
    /// Whether attention looks backwards only: must be false.
    pub is_decoder: bool,
    /// How many labels there are, where they have no names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_labels: Option<usize>,
    /// The name of each label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id2label: Option<BTreeMap<usize, String>>,
    /// The same, the other way round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label2id: Option<BTreeMap<String, usize>>,
    /// `single_label_classification`, `multi_label_classification` or `regression`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem_type: Option<String>,
    /// Every other field.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Default for BertConfig {
    fn default() -> Self {
        Self {
            model_type: BertConfig::MODEL_TYPE.to_string(),
            vocab_size: 30_522,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3_072,
            hidden_act: "gelu".to_string(),
            hidden_dropout_prob: 0.1,
            attention_probs_dropout_prob: 0.1,
            classifier_dropout: None,
            max_position_embeddings: 512,
            type_vocab_size: 2,
            initializer_range: 0.02,
            layer_norm_eps: 1e-12,
            pad_token_id: Some(0),
            position_embedding_type: None,
            is_decoder: false,
            num_labels: None,
            id2label: None,
            label2id: None,
            problem_type: None,
            rest: Map::new(),
        }
    }
}

impl BertConfig {
    /// What `model_type` says of a BERT.
    pub const MODEL_TYPE: &str = "bert";

    /// The names of the labels, `LABEL_0`, `LABEL_1`, … where the configuration names none (two, if it does not count them).
    pub fn labels(&self) -> Vec<String> {
        match &self.id2label {
            Some(names) => names.values().cloned().collect(),
            None => (0..self.num_labels.unwrap_or(2)).map(|id| format!("LABEL_{id}")).collect(),
        }
    }

    /// The same model with these labels; one label makes it a regression, as in transformers.
    pub fn with_labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        let names: BTreeMap<usize, String> = labels.into_iter().map(Into::into).enumerate().collect();
        let problem = if names.len() == 1 { "regression" } else { "single_label_classification" };
        self.label2id = Some(names.iter().map(|(id, name)| (name.clone(), *id)).collect());
        self.id2label = Some(names);
        self.num_labels = None;
        self.problem_type = Some(problem.to_string());
        self
    }

    /// Fresh weights: N(0, `initializer_range`²), zero biases, LayerNorm at 1 and 0, zero for the padding token.
    ///
    /// # Errors
    /// If [`validate`](BertConfig::validate) refuses the configuration.
    pub fn init(&self, device: &Device) -> Result<Bert, ModelError> {
        self.validate()?;
        let table = |rows, padding| embedding(rows, self.hidden_size, self.initializer_range, padding, device);
        let norm = || LayerNormConfig::new(self.hidden_size).with_epsilon(self.layer_norm_eps).init(device);
        Ok(Bert {
            embeddings: Embeddings {
                word: table(self.vocab_size, self.pad_token_id),
                position: table(self.max_position_embeddings, None),
                token_type: table(self.type_vocab_size, None),
                norm: norm(),
                dropout: DropoutConfig::new(self.hidden_dropout_prob).init(),
                padding: self.pad_token_id,
            },
            layers: (0..self.num_hidden_layers).map(|_| self.init_layer(device)).collect::<Result<_, _>>()?,
        })
    }

    fn init_layer(&self, device: &Device) -> Result<EncoderLayer, ModelError> {
        let (d, inner) = (self.hidden_size, self.intermediate_size);
        let linear = |d_input, d_output| linear(d_input, d_output, self.initializer_range, device);
        let norm = || LayerNormConfig::new(d).with_epsilon(self.layer_norm_eps).init(device);
        Ok(EncoderLayer {
            attention: SelfAttention {
                query: linear(d, d),
                key: linear(d, d),
                value: linear(d, d),
                output: linear(d, d),
                dropout: DropoutConfig::new(self.attention_probs_dropout_prob).init(),
                heads: self.num_attention_heads,
            },
            attention_norm: norm(),
            feed_forward: FeedForward { inner: linear(d, inner), outer: linear(inner, d), activation: self.activation()? },
            feed_forward_norm: norm(),
            dropout: DropoutConfig::new(self.hidden_dropout_prob).init(),
        })
    }

    /// Refuses what no forward pass could honour, naming the field and its value.
    ///
    /// # Errors
    /// [`ModelError::Setting`].
    pub fn validate(&self) -> Result<(), ModelError> {
        self.activation()?;
        self.validate_sizes()?;
        self.validate_numbers()?;
        match &self.position_embedding_type {
            Some(kind) if kind != "absolute" => {
                return Err(ModelError::setting("position_embedding_type", format!("{kind:?}"), "\"absolute\""));
            }
            _ => {}
        }
        if self.is_decoder {
            return Err(ModelError::setting("is_decoder", true, "false: only encoders are supported"));
        }
        match &self.id2label {
            Some(names) if !names.keys().copied().eq(0..names.len()) => {
                Err(ModelError::setting("id2label", format!("{names:?}"), "numbered from 0 without gaps"))
            }
            _ if self.labels().is_empty() => Err(ModelError::setting("num_labels", 0, "at least 1")),
            _ => Ok(()),
        }
    }

    fn validate_sizes(&self) -> Result<(), ModelError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ];
        if let Some((field, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(ModelError::setting(field, 0, "at least 1"));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let expected = format!("a multiple of num_attention_heads, {}", self.num_attention_heads);
            return Err(ModelError::setting("hidden_size", self.hidden_size, expected));
        }
        match self.pad_token_id {
            Some(id) if id >= self.vocab_size => {
                Err(ModelError::setting("pad_token_id", id, format!("below vocab_size, {}", self.vocab_size)))
            }
            _ => Ok(()),
        }
    }

    fn validate_numbers(&self) -> Result<(), ModelError> {
        let rates = [
            ("hidden_dropout_prob", self.hidden_dropout_prob),
            ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
            ("classifier_dropout", self.classifier_dropout()),
        ];
        if let Some((field, rate)) = rates.into_iter().find(|(_, rate)| !(0.0..1.0).contains(rate)) {
            return Err(ModelError::setting(field, rate, "in [0, 1)"));
        }
        let scales = [("initializer_range", self.initializer_range), ("layer_norm_eps", self.layer_norm_eps)];
        match scales.into_iter().find(|(_, scale)| !(scale.is_finite() && *scale >= 0.0)) {
            Some((field, scale)) => Err(ModelError::setting(field, scale, "a finite number, 0 or more")),
            None => Ok(()),
        }
    }

    /// The dropout before the classifier.
    pub(crate) fn classifier_dropout(&self) -> f64 {
        self.classifier_dropout.unwrap_or(self.hidden_dropout_prob)
    }

    fn activation(&self) -> Result<Activation, ModelError> {
        Activation::from_name(&self.hidden_act)
            .ok_or_else(|| ModelError::setting("hidden_act", format!("{:?}", self.hidden_act), Activation::NAMES))
    }
}

/// The encoder: token ids in, the hidden states of every layer out.
///
/// # References
/// Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding".
#[derive(Module, Debug)]
pub struct Bert {
    /// What enters the first layer.
    pub embeddings: Embeddings,
    /// First to last.
    pub layers: Vec<EncoderLayer>,
}

impl Bert {
    /// The hidden states of every layer, each `[sequences, tokens, d]`, with the batch's mask.
    ///
    /// # Panics
    /// If the batch has more tokens than the model has positions.
    pub fn forward(&self, input: TokenBatch) -> HiddenStates {
        let embedding_output = self.embeddings.forward(input.ids, input.type_ids);
        let attention_mask = additive_mask(input.mask.clone(), &embedding_output);
        let layers = self
            .layers
            .iter()
            .scan(embedding_output.clone(), |hidden, layer| {
                *hidden = layer.forward(hidden.clone(), attention_mask.clone());
                Some(hidden.clone())
            })
            .collect();
        HiddenStates { embedding_output: Some(embedding_output), layers, mask: Some(input.mask) }
    }
}

/// Where a checkpoint of `BertForSequenceClassification` keeps each part.
pub(crate) const LAYOUT: Layout = Layout { keys: KEYS, canonical, optional: &["pooler", "classifier"] };

const KEYS: &[(&str, &str)] = &[
    ("encoder.embeddings.word", "bert.embeddings.word_embeddings"),
    ("encoder.embeddings.position", "bert.embeddings.position_embeddings"),
    ("encoder.embeddings.token_type", "bert.embeddings.token_type_embeddings"),
    ("encoder.embeddings.norm", "bert.embeddings.LayerNorm"),
    ("encoder.layers.*.attention.query", "bert.encoder.layer.*.attention.self.query"),
    ("encoder.layers.*.attention.key", "bert.encoder.layer.*.attention.self.key"),
    ("encoder.layers.*.attention.value", "bert.encoder.layer.*.attention.self.value"),
    ("encoder.layers.*.attention.output", "bert.encoder.layer.*.attention.output.dense"),
    ("encoder.layers.*.attention_norm", "bert.encoder.layer.*.attention.output.LayerNorm"),
    ("encoder.layers.*.feed_forward.inner", "bert.encoder.layer.*.intermediate.dense"),
    ("encoder.layers.*.feed_forward.outer", "bert.encoder.layer.*.output.dense"),
    ("encoder.layers.*.feed_forward_norm", "bert.encoder.layer.*.output.LayerNorm"),
    ("pooler", "bert.pooler.dense"),
    ("classifier", "classifier"),
];

/// The name under which [`KEYS`] knows a stored tensor: a bare encoder leaves off the prefix, and checkpoints of 2018 call
/// the parameters of a LayerNorm gamma and beta. `None` for what no classifier uses.
fn canonical(stored: &str) -> Option<String> {
    let bare = stored.strip_prefix("bert.").unwrap_or(stored);
    if bare == "embeddings.position_ids" || bare.starts_with("cls.") {
        return None;
    }
    let bare = bare.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias");
    Some(if bare.starts_with("classifier.") { bare } else { format!("bert.{bare}") })
}
