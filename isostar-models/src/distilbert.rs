//! DistilBERT: settings and checkpoint layout. The encoder is BERT's without segments and pooler.

use burn::nn::{DropoutConfig, Embedding};
use burn::prelude::*;
use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{Architecture, Labels, ModelSizes, check};
use crate::head::{Dense, HeadSettings};
use crate::layer::{Embeddings, LayerNorm, LayerSettings, Places, embedding};
use crate::pretrained::{Key, Layout};
use crate::{Bert, ModelError};

/// The epsilon of every LayerNorm of DistilBERT, for which its configuration has no field.
const EPSILON: f64 = 1e-12;

/// Settings of DistilBERT models, with the names and defaults of transformers' `DistilBertConfig`.
///
/// Unknown fields are kept in [`rest`](DistilBertConfig::rest) and written back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DistilBertConfig {
    /// Vocabulary size: number of rows of the token embedding table.
    pub vocab_size: usize,
    /// Number of rows of the position table: the maximum sequence length.
    pub max_position_embeddings: usize,
    /// Whether a newly initialized position table contains sines and cosines. A stored table is
    /// read unchanged.
    pub sinusoidal_pos_embds: bool,
    /// Number of layers.
    #[serde(alias = "num_hidden_layers")]
    pub n_layers: usize,
    /// Number of attention heads. Must divide `dim`.
    #[serde(alias = "num_attention_heads")]
    pub n_heads: usize,
    /// Width d of the hidden states.
    #[serde(alias = "hidden_size")]
    pub dim: usize,
    /// Inner width of the feed-forward block.
    pub hidden_dim: usize,
    /// Dropout after the embeddings and the feed-forward block, in [0, 1).
    pub dropout: f64,
    /// Dropout of the attention probabilities, in [0, 1).
    pub attention_dropout: f64,
    /// `gelu`, `gelu_new`, `gelu_pytorch_tanh`, `relu` or `silu`.
    pub activation: String,
    /// Standard deviation of newly initialized weights.
    pub initializer_range: f64,
    /// Dropout before the span extractor, in [0, 1).
    pub qa_dropout: f64,
    /// Dropout before the classifier, in [0, 1).
    pub seq_classif_dropout: f64,
    /// The id of the padding token.
    pub pad_token_id: Option<usize>,
    /// The labels of a classifier.
    #[serde(flatten)]
    pub labels: Labels,
    /// All other fields of the configuration.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Default for DistilBertConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30_522,
            max_position_embeddings: 512,
            sinusoidal_pos_embds: false,
            n_layers: 6,
            n_heads: 12,
            dim: 768,
            hidden_dim: 3_072,
            dropout: 0.1,
            attention_dropout: 0.1,
            activation: "gelu".to_string(),
            initializer_range: 0.02,
            qa_dropout: 0.1,
            seq_classif_dropout: 0.2,
            pad_token_id: Some(0),
            labels: Labels::default(),
            rest: Map::new(),
        }
    }
}

impl DistilBertConfig {
    fn layer(&self) -> Result<LayerSettings, ModelError> {
        Ok(LayerSettings {
            width: self.dim,
            heads: self.n_heads,
            inner: self.hidden_dim,
            activation: check::activation("activation", &self.activation)?,
            epsilon: EPSILON,
            deviation: self.initializer_range,
            probability_dropout: self.attention_dropout,
            attention_dropout: 0.0,
            feed_forward_dropout: self.dropout,
        })
    }

    fn position(&self, device: &Device) -> Embedding {
        let [rows, width] = [self.max_position_embeddings, self.dim];
        let table = embedding(rows, width, self.initializer_range, None, device);
        match self.sinusoidal_pos_embds {
            true => Embedding {
                weight: table.weight.init_mapper(move |table| {
                    let sinusoids = TensorData::new(sinusoids(rows, width), [rows, width]);
                    Tensor::from_data(sinusoids, (&table.device(), table.dtype()))
                }),
            },
            false => table,
        }
    }
}

/// The sinusoidal position table: row p has sin(p / 10000^(j/d)) in even columns j, and in odd
/// columns the cosine of the same angle as the column before.
fn sinusoids(positions: usize, width: usize) -> Vec<f32> {
    let angle = |position: usize, column: usize| {
        position as f64 / 10_000f64.powf((column / 2 * 2) as f64 / width as f64)
    };
    let number = |position, column: usize| match column % 2 {
        0 => angle(position, column).sin() as f32,
        _ => angle(position, column).cos() as f32,
    };
    (0..positions)
        .flat_map(|position| (0..width).map(move |column| number(position, column)))
        .collect()
}

impl Architecture for DistilBertConfig {
    fn layout(&self) -> &'static Layout {
        &LAYOUT
    }

    fn sizes(&self) -> ModelSizes {
        ModelSizes {
            vocabulary: self.vocab_size,
            width: self.dim,
            layers: self.n_layers,
            positions: self.max_position_embeddings,
            segments: 0,
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
        let settings = HeadSettings {
            dense: Some(Dense::Relu),
            ..HeadSettings::default()
        };
        HeadSettings {
            dropout: self.seq_classif_dropout,
            span_dropout: self.qa_dropout,
            ..settings
        }
    }

    fn validate(&self) -> Result<(), ModelError> {
        check::supported(&self.rest)?;
        check::activation("activation", &self.activation)?;
        check::sizes(&[
            ("vocab_size", self.vocab_size),
            ("dim", self.dim),
            ("n_heads", self.n_heads),
            ("hidden_dim", self.hidden_dim),
            ("max_position_embeddings", self.max_position_embeddings),
        ])?;
        check::layers("n_layers", self.n_layers)?;
        check::divisible(("dim", self.dim), ("n_heads", self.n_heads))?;
        check::padding(self.pad_token_id, self.vocab_size)?;
        check::rates(&[
            ("dropout", self.dropout),
            ("attention_dropout", self.attention_dropout),
            ("qa_dropout", self.qa_dropout),
            ("seq_classif_dropout", self.seq_classif_dropout),
        ])?;
        check::scales(&[("initializer_range", self.initializer_range)])
    }
}

impl DistilBertConfig {
    /// Creates an encoder with newly initialized weights. The settings must be valid.
    pub(crate) fn encoder(&self, device: &Device) -> Result<Bert, ModelError> {
        let embeddings = Embeddings {
            word: embedding(
                self.vocab_size,
                self.dim,
                self.initializer_range,
                self.pad_token_id,
                device,
            ),
            position: self.position(device),
            token_type: None,
            norm: LayerNorm::new(self.dim, EPSILON, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            padding: self.pad_token_id,
            places: Places::FromZero,
        };
        let layer = self.layer()?;
        Ok(Bert {
            embeddings,
            layers: (0..self.n_layers).map(|_| layer.init(device)).collect(),
        })
    }
}

const LAYOUT: Layout = Layout {
    prefix: "distilbert.",
    encoder: &[
        Key::new("embeddings.word", "embeddings.word_embeddings"),
        Key::new("embeddings.position", "embeddings.position_embeddings"),
        Key::new("embeddings.norm", "embeddings.LayerNorm"),
        Key::new(
            "layers.*.attention.query",
            "transformer.layer.*.attention.q_lin",
        ),
        Key::new(
            "layers.*.attention.key",
            "transformer.layer.*.attention.k_lin",
        ),
        Key::new(
            "layers.*.attention.value",
            "transformer.layer.*.attention.v_lin",
        ),
        Key::new(
            "layers.*.attention.output",
            "transformer.layer.*.attention.out_lin",
        ),
        Key::new(
            "layers.*.attention_norm",
            "transformer.layer.*.sa_layer_norm",
        ),
        Key::new(
            "layers.*.feed_forward.inner",
            "transformer.layer.*.ffn.lin1",
        ),
        Key::new(
            "layers.*.feed_forward.outer",
            "transformer.layer.*.ffn.lin2",
        ),
        Key::new(
            "layers.*.feed_forward_norm",
            "transformer.layer.*.output_layer_norm",
        ),
    ],
    linear_is_transposed: true,
    classifier: &[
        Key::new("dense", "pre_classifier"),
        Key::new("output", "classifier"),
    ],
    span: &[Key::new("output", "qa_outputs")],
    passed_over: &["embeddings.position_ids"],
    heads: &[
        "pre_classifier.",
        "classifier.",
        "qa_outputs.",
        "vocab_transform.",
        "vocab_layer_norm.",
        "vocab_projector.",
    ],
};
