//! ALBERT: settings, encoder and checkpoint layout. Its layers share weights, and its embeddings
//! are narrower than the hidden states.

use burn::nn::{DropoutConfig, Linear};
use burn::prelude::*;
use isostar_core::HiddenStates;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{Architecture, Labels, ModelSizes, check};
use crate::head::{Dense, HeadSettings};
use crate::layer::{
    Embeddings, EncoderLayer, LayerNorm, LayerSettings, Places, each_token, embedding, linear,
    padding_mask, run_layers,
};
use crate::pretrained::{Key, Layout};
use crate::{ModelError, TokenBatch};

/// Settings of ALBERT models, with the names and defaults of transformers' `AlbertConfig`.
///
/// Unknown fields are kept in [`rest`](AlbertConfig::rest) and written back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlbertConfig {
    /// Vocabulary size: number of rows of the token embedding table.
    pub vocab_size: usize,
    /// Width of the embeddings, which a linear layer projects to d.
    pub embedding_size: usize,
    /// Width d of the hidden states.
    pub hidden_size: usize,
    /// Total number of group applications.
    pub num_hidden_layers: usize,
    /// Number of groups. They are applied in order, each equally often.
    pub num_hidden_groups: usize,
    /// Number of attention heads. Must divide d.
    pub num_attention_heads: usize,
    /// Inner width of the feed-forward block.
    pub intermediate_size: usize,
    /// Number of layers in each group.
    pub inner_group_num: usize,
    /// `gelu`, `gelu_new`, `gelu_pytorch_tanh`, `relu` or `silu`.
    pub hidden_act: String,
    /// Dropout after the embeddings and after attention, in [0, 1).
    pub hidden_dropout_prob: f64,
    /// Dropout of the attention probabilities, in [0, 1).
    pub attention_probs_dropout_prob: f64,
    /// Number of rows of the position table: the maximum sequence length.
    pub max_position_embeddings: usize,
    /// Number of rows of the token type table.
    pub type_vocab_size: usize,
    /// Standard deviation of newly initialized weights.
    pub initializer_range: f64,
    /// Epsilon added to the variance in every LayerNorm.
    pub layer_norm_eps: f64,
    /// Dropout before the classifier, in [0, 1).
    pub classifier_dropout_prob: f64,
    /// The id of the padding token.
    pub pad_token_id: Option<usize>,
    /// The labels of a classifier.
    #[serde(flatten)]
    pub labels: Labels,
    /// All other fields of the configuration.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Default for AlbertConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30_000,
            embedding_size: 128,
            hidden_size: 4_096,
            num_hidden_layers: 12,
            num_hidden_groups: 1,
            num_attention_heads: 64,
            intermediate_size: 16_384,
            inner_group_num: 1,
            hidden_act: "gelu_new".to_string(),
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            max_position_embeddings: 512,
            type_vocab_size: 2,
            initializer_range: 0.02,
            layer_norm_eps: 1e-12,
            classifier_dropout_prob: 0.1,
            pad_token_id: Some(0),
            labels: Labels::default(),
            rest: Map::new(),
        }
    }
}

impl AlbertConfig {
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
            feed_forward_dropout: 0.0,
        })
    }

    /// The group used in each application. The computation is in floating point, as in
    /// transformers, so that both agree if the number of layers is not a multiple of the number of
    /// groups.
    fn schedule(&self) -> Vec<usize> {
        let layers_of_a_group = self.num_hidden_layers as f64 / self.num_hidden_groups as f64;
        (0..self.num_hidden_layers)
            .map(|layer| (layer as f64 / layers_of_a_group) as usize)
            .collect()
    }
}

impl Architecture for AlbertConfig {
    fn layout(&self) -> &'static Layout {
        &LAYOUT
    }

    fn sizes(&self) -> ModelSizes {
        ModelSizes {
            vocabulary: self.vocab_size,
            width: self.hidden_size,
            layers: self.num_hidden_layers * self.inner_group_num,
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
            dropout: self.classifier_dropout_prob,
            ..HeadSettings::default()
        }
    }

    fn validate(&self) -> Result<(), ModelError> {
        check::supported(&self.rest)?;
        check::activation("hidden_act", &self.hidden_act)?;
        check::sizes(&[
            ("vocab_size", self.vocab_size),
            ("embedding_size", self.embedding_size),
            ("hidden_size", self.hidden_size),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ])?;
        check::layers("num_hidden_layers", self.num_hidden_layers)?;
        check::layers("num_hidden_groups", self.num_hidden_groups)?;
        check::layers(
            "inner_group_num",
            self.inner_group_num.saturating_mul(self.num_hidden_groups),
        )?;
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
            ("classifier_dropout_prob", self.classifier_dropout_prob),
        ])?;
        check::scales(&[
            ("initializer_range", self.initializer_range),
            ("layer_norm_eps", self.layer_norm_eps),
        ])
    }
}

impl AlbertConfig {
    /// Creates an encoder with newly initialized weights. The settings must be valid.
    pub(crate) fn encoder(&self, device: &Device) -> Result<Albert, ModelError> {
        let (width, std) = (self.embedding_size, self.initializer_range);
        let embeddings = Embeddings {
            word: embedding(self.vocab_size, width, std, self.pad_token_id, device),
            position: embedding(self.max_position_embeddings, width, std, None, device),
            token_type: Some(embedding(self.type_vocab_size, width, std, None, device)),
            norm: LayerNorm::new(width, self.layer_norm_eps, device),
            dropout: DropoutConfig::new(self.hidden_dropout_prob).init(),
            padding: self.pad_token_id,
            places: Places::FromZero,
        };
        let layer = self.layer()?;
        let group = || AlbertGroup {
            layers: (0..self.inner_group_num)
                .map(|_| layer.init(device))
                .collect(),
        };
        Ok(Albert {
            embeddings,
            widening: linear(width, self.hidden_size, std, device),
            groups: (0..self.num_hidden_groups).map(|_| group()).collect(),
            schedule: self.schedule(),
        })
    }
}

/// The encoder of ALBERT.
///
/// # References
/// Lan et al., "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations".
#[derive(Module, Debug)]
pub struct Albert {
    /// The embeddings.
    pub embeddings: Embeddings,
    /// Projection from the width of the embeddings to d.
    pub widening: Linear,
    /// The groups of layers. Each group may be applied several times.
    pub groups: Vec<AlbertGroup>,
    /// The index of the group used in each application, first to last.
    pub schedule: Vec<usize>,
}

/// A group of consecutive layers, which the encoder may apply several times.
#[derive(Module, Debug)]
pub struct AlbertGroup {
    /// The layers, first to last.
    pub layers: Vec<EncoderLayer>,
}

impl Albert {
    /// Computes the hidden states: see [`Encoder::forward`](crate::Encoder::forward). The embedding output is the projected
    /// one, and every layer of a group contributes its states.
    pub fn forward(&self, input: TokenBatch) -> HiddenStates {
        let embedding_output = each_token(
            &self.widening,
            self.embeddings.forward(input.ids, input.type_ids),
        );
        let mask = padding_mask(input.mask.clone(), &embedding_output);
        let layers = self
            .schedule
            .iter()
            .flat_map(|group| &self.groups[*group].layers);
        run_layers(
            embedding_output,
            layers,
            |layer, hidden| layer.forward(hidden, mask.clone()),
            input.mask,
        )
    }
}

const LAYOUT: Layout = Layout {
    prefix: "albert.",
    encoder: &[
        Key::new("embeddings.word", "embeddings.word_embeddings"),
        Key::new("embeddings.position", "embeddings.position_embeddings"),
        Key::new("embeddings.token_type", "embeddings.token_type_embeddings"),
        Key::new("embeddings.norm", "embeddings.LayerNorm"),
        Key::new("widening", "encoder.embedding_hidden_mapping_in"),
        Key::new(
            "groups.*.layers.*.attention.query",
            "encoder.albert_layer_groups.*.albert_layers.*.attention.query",
        ),
        Key::new(
            "groups.*.layers.*.attention.key",
            "encoder.albert_layer_groups.*.albert_layers.*.attention.key",
        ),
        Key::new(
            "groups.*.layers.*.attention.value",
            "encoder.albert_layer_groups.*.albert_layers.*.attention.value",
        ),
        Key::new(
            "groups.*.layers.*.attention.output",
            "encoder.albert_layer_groups.*.albert_layers.*.attention.dense",
        ),
        Key::new(
            "groups.*.layers.*.attention_norm",
            "encoder.albert_layer_groups.*.albert_layers.*.attention.LayerNorm",
        ),
        Key::new(
            "groups.*.layers.*.feed_forward.inner",
            "encoder.albert_layer_groups.*.albert_layers.*.ffn",
        ),
        Key::new(
            "groups.*.layers.*.feed_forward.outer",
            "encoder.albert_layer_groups.*.albert_layers.*.ffn_output",
        ),
        Key::new(
            "groups.*.layers.*.feed_forward_norm",
            "encoder.albert_layer_groups.*.albert_layers.*.full_layer_layer_norm",
        ),
    ],
    linear_is_transposed: true,
    classifier: &[
        Key::new("dense", "albert.pooler"),
        Key::new("output", "classifier"),
    ],
    span: &[Key::new("output", "qa_outputs")],
    passed_over: &["embeddings.position_ids", "pooler."],
    heads: &[
        "classifier.",
        "qa_outputs.",
        "predictions.",
        "sop_classifier.",
    ],
};
