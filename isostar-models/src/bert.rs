//! BERT: settings, encoder and checkpoint layout.

use burn::nn::DropoutConfig;
use burn::prelude::*;
use isostar_core::HiddenStates;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{Architecture, Labels, ModelSizes, check};
use crate::head::{Dense, HeadSettings};
use crate::layer::{
    Embeddings, EncoderLayer, LayerNorm, LayerSettings, Places, embedding, padding_mask, run_layers,
};
use crate::pretrained::{Key, Layout};
use crate::{ModelError, TokenBatch};

/// Settings of BERT models, with the names and defaults of transformers' `BertConfig`.
///
/// Unknown fields are kept in [`rest`](BertConfig::rest) and written back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BertConfig {
    /// Vocabulary size: number of rows of the token embedding table.
    pub vocab_size: usize,
    /// Width d of the hidden states.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads. Must divide d.
    pub num_attention_heads: usize,
    /// Inner width of the feed-forward block.
    pub intermediate_size: usize,
    /// `gelu`, `gelu_new`, `gelu_pytorch_tanh`, `relu` or `silu`.
    pub hidden_act: String,
    /// Dropout after the embeddings, after attention and after the feed-forward block, in [0, 1).
    pub hidden_dropout_prob: f64,
    /// Dropout of the attention probabilities, in [0, 1).
    pub attention_probs_dropout_prob: f64,
    /// Dropout before the classifier, in [0, 1). If absent, `hidden_dropout_prob` is used.
    pub classifier_dropout: Option<f64>,
    /// Number of rows of the position table.
    pub max_position_embeddings: usize,
    /// Number of rows of the token type table.
    pub type_vocab_size: usize,
    /// Standard deviation of newly initialized weights.
    pub initializer_range: f64,
    /// Epsilon added to the variance in every LayerNorm.
    pub layer_norm_eps: f64,
    /// The id of the padding token.
    pub pad_token_id: Option<usize>,
    /// The labels of a classifier.
    #[serde(flatten)]
    pub labels: Labels,
    /// All other fields of the configuration.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Default for BertConfig {
    fn default() -> Self {
        Self {
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
            labels: Labels::default(),
            rest: Map::new(),
        }
    }
}

impl BertConfig {
    /// Creates an encoder with newly initialized weights and this numbering of positions.
    pub(crate) fn bert(&self, places: Places, device: &Device) -> Result<Bert, ModelError> {
        let table = |rows, padding| {
            embedding(
                rows,
                self.hidden_size,
                self.initializer_range,
                padding,
                device,
            )
        };
        let padded_place = match places {
            Places::FromZero => None,
            Places::AfterPadding(padding) => Some(padding),
        };
        let embeddings = Embeddings {
            word: table(self.vocab_size, self.pad_token_id),
            position: table(self.max_position_embeddings, padded_place),
            token_type: Some(table(self.type_vocab_size, None)),
            norm: LayerNorm::new(self.hidden_size, self.layer_norm_eps, device),
            dropout: DropoutConfig::new(self.hidden_dropout_prob).init(),
            padding: self.pad_token_id,
            places,
        };
        let layer = self.layer()?;
        Ok(Bert {
            embeddings,
            layers: (0..self.num_hidden_layers)
                .map(|_| layer.init(device))
                .collect(),
        })
    }

    fn layer(&self) -> Result<LayerSettings, ModelError> {
        Ok(LayerSettings {
            width: self.hidden_size,
            heads: self.num_attention_heads,
            inner: self.intermediate_size,
            activation: check::activation("hidden_act", &self.hidden_act)?,
            epsilon: self.layer_norm_eps,
            deviation: self.initializer_range,
            probability_dropout: self.attention_probs_dropout_prob,
            attention_dropout: self.hidden_dropout_prob,
            feed_forward_dropout: self.hidden_dropout_prob,
        })
    }

    /// The dropout before the classifier.
    pub(crate) fn classifier_dropout(&self) -> f64 {
        self.classifier_dropout.unwrap_or(self.hidden_dropout_prob)
    }
}

impl Architecture for BertConfig {
    fn layout(&self) -> &'static Layout {
        &LAYOUT
    }

    fn sizes(&self) -> ModelSizes {
        ModelSizes {
            vocabulary: self.vocab_size,
            width: self.hidden_size,
            layers: self.num_hidden_layers,
            positions: self.max_position_embeddings,
            segments: self.type_vocab_size,
        }
    }

    fn padding(&self) -> Option<usize> {
        self.pad_token_id
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn labels_mut(&mut self) -> &mut Labels {
        &mut self.labels
    }

    fn deviation(&self) -> f64 {
        self.initializer_range
    }

    fn head(&self) -> HeadSettings {
        HeadSettings {
            dense: Some(Dense::Tanh),
            dropout: self.classifier_dropout(),
            ..HeadSettings::default()
        }
    }

    fn validate(&self) -> Result<(), ModelError> {
        check::supported(&self.rest)?;
        check::activation("hidden_act", &self.hidden_act)?;
        check::sizes(&[
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ])?;
        check::layers("num_hidden_layers", self.num_hidden_layers)?;
        check::divisible(
            ("hidden_size", self.hidden_size),
            ("num_attention_heads", self.num_attention_heads),
        )?;
        check::padding(self.pad_token_id, self.vocab_size)?;
        check::rates(&[
            ("hidden_dropout_prob", self.hidden_dropout_prob),
            (
                "attention_probs_dropout_prob",
                self.attention_probs_dropout_prob,
            ),
            ("classifier_dropout", self.classifier_dropout()),
        ])?;
        check::scales(&[
            ("initializer_range", self.initializer_range),
            ("layer_norm_eps", self.layer_norm_eps),
        ])
    }
}

impl BertConfig {
    /// Creates an encoder with newly initialized weights. The settings must be valid.
    pub(crate) fn encoder(&self, device: &Device) -> Result<Bert, ModelError> {
        self.bert(Places::FromZero, device)
    }
}

/// The encoder of BERT, RoBERTa and DistilBERT, which differ in their embeddings.
///
/// # References
/// Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding".
#[derive(Module, Debug)]
pub struct Bert {
    /// The embeddings.
    pub embeddings: Embeddings,
    /// The layers, first to last.
    pub layers: Vec<EncoderLayer>,
}

impl Bert {
    /// Computes the hidden states: see [`Encoder::forward`](crate::Encoder::forward).
    pub fn forward(&self, input: TokenBatch) -> HiddenStates {
        let embedding_output = self.embeddings.forward(input.ids, input.type_ids);
        let mask = padding_mask(input.mask.clone(), &embedding_output);
        run_layers(
            embedding_output,
            self.layers.iter(),
            |layer, hidden| layer.forward(hidden, mask.clone()),
            input.mask,
        )
    }
}

const LAYOUT: Layout = Layout {
    prefix: "bert.",
    encoder: ENCODER,
    linear_is_transposed: true,
    classifier: &[
        Key::new("dense", "bert.pooler.dense"),
        Key::new("output", "classifier"),
    ],
    span: &[Key::new("output", "qa_outputs")],
    passed_over: &["embeddings.position_ids", "pooler.", "cls."],
    heads: &["classifier.", "qa_outputs.", "cls."],
};

/// The names of the encoder's tensors. RoBERTa uses the same names with another prefix.
pub(crate) const ENCODER: &[Key] = &[
    Key::new("embeddings.word", "embeddings.word_embeddings"),
    Key::new("embeddings.position", "embeddings.position_embeddings"),
    Key::new("embeddings.token_type", "embeddings.token_type_embeddings"),
    Key::new("embeddings.norm", "embeddings.LayerNorm"),
    Key::new(
        "layers.*.attention.query",
        "encoder.layer.*.attention.self.query",
    ),
    Key::new(
        "layers.*.attention.key",
        "encoder.layer.*.attention.self.key",
    ),
    Key::new(
        "layers.*.attention.value",
        "encoder.layer.*.attention.self.value",
    ),
    Key::new(
        "layers.*.attention.output",
        "encoder.layer.*.attention.output.dense",
    ),
    Key::new(
        "layers.*.attention_norm",
        "encoder.layer.*.attention.output.LayerNorm",
    ),
    Key::new(
        "layers.*.feed_forward.inner",
        "encoder.layer.*.intermediate.dense",
    ),
    Key::new(
        "layers.*.feed_forward.outer",
        "encoder.layer.*.output.dense",
    ),
    Key::new(
        "layers.*.feed_forward_norm",
        "encoder.layer.*.output.LayerNorm",
    ),
];
