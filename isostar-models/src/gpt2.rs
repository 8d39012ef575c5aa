//! GPT-2: settings, encoder and checkpoint layout. Attention is causal, LayerNorm precedes each
//! block of a layer, and checkpoints store transposed weights.

use burn::nn::{Dropout, DropoutConfig, Embedding};
use burn::prelude::*;
use isostar_core::HiddenStates;
use isostar_kernels::dropout;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{Architecture, Labels, ModelSizes, check};
use crate::head::{ClassifiedToken, HeadSettings};
use crate::layer::{
    FeedForward, LayerNorm, Places, SelfAttention, assert_positions, causal_mask, embedding,
    linear, run_layers,
};
use crate::pretrained::{Key, Layout};
use crate::{ModelError, TokenBatch};

/// Settings of GPT-2 models, with the names and defaults of transformers' `GPT2Config`.
///
/// Unknown fields are kept in [`rest`](Gpt2Config::rest) and written back.
/// `reorder_and_upcast_attn` is one of them: it affects only half precision, and the hidden states
/// here are f32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpt2Config {
    /// Vocabulary size: number of rows of the token embedding table.
    pub vocab_size: usize,
    /// Number of rows of the position table: the maximum sequence length.
    #[serde(alias = "max_position_embeddings")]
    pub n_positions: usize,
    /// Width d of the hidden states.
    #[serde(alias = "hidden_size")]
    pub n_embd: usize,
    /// Number of layers.
    #[serde(alias = "num_hidden_layers")]
    pub n_layer: usize,
    /// Number of attention heads. Must divide d.
    #[serde(alias = "num_attention_heads")]
    pub n_head: usize,
    /// Inner width of the feed-forward block; 4 d if absent.
    pub n_inner: Option<usize>,
    /// `gelu`, `gelu_new`, `gelu_pytorch_tanh`, `relu` or `silu`.
    pub activation_function: String,
    /// Dropout of the outputs of attention and of the feed-forward block, in [0, 1).
    pub resid_pdrop: f64,
    /// Dropout after the embeddings, in [0, 1).
    pub embd_pdrop: f64,
    /// Dropout of the attention probabilities, in [0, 1).
    pub attn_pdrop: f64,
    /// Epsilon added to the variance in every LayerNorm.
    pub layer_norm_epsilon: f64,
    /// Standard deviation of newly initialized weights. For the output projections of attention and
    /// of the feed-forward block it is divided by √(2 `n_layer`).
    pub initializer_range: f64,
    /// Whether attention scores are divided by √d_head.
    pub scale_attn_weights: bool,
    /// Whether the attention scores of layer i, counted from 1, are also divided by i.
    pub scale_attn_by_inverse_layer_idx: bool,
    /// The id of the padding token.
    pub pad_token_id: Option<usize>,
    /// The labels of a classifier.
    #[serde(flatten)]
    pub labels: Labels,
    /// All other fields of the configuration.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Default for Gpt2Config {
    fn default() -> Self {
        Self {
            vocab_size: 50_257,
            n_positions: 1_024,
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            n_inner: None,
            activation_function: "gelu_new".to_string(),
            resid_pdrop: 0.1,
            embd_pdrop: 0.1,
            attn_pdrop: 0.1,
            layer_norm_epsilon: 1e-5,
            initializer_range: 0.02,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            pad_token_id: None,
            labels: Labels::default(),
            rest: Map::new(),
        }
    }
}

impl Gpt2Config {
    fn inner(&self) -> usize {
        self.n_inner.unwrap_or(self.n_embd.saturating_mul(4))
    }

    fn scale(&self, layer: usize) -> f64 {
        let head = if self.scale_attn_weights {
            ((self.n_embd / self.n_head) as f64).powf(-0.5)
        } else {
            1.0
        };
        if self.scale_attn_by_inverse_layer_idx {
            head / (layer + 1) as f64
        } else {
            head
        }
    }

    fn layer(&self, layer: usize, device: &Device) -> Result<Gpt2Layer, ModelError> {
        let (d, inner) = (self.n_embd, self.inner());
        let returning = self.initializer_range / ((2 * self.n_layer) as f64).sqrt();
        let linear = |d_input, d_output, std| linear(d_input, d_output, std, device);
        Ok(Gpt2Layer {
            attention_norm: self.norm(device),
            attention: SelfAttention {
                query: linear(d, d, self.initializer_range),
                key: linear(d, d, self.initializer_range),
                value: linear(d, d, self.initializer_range),
                output: linear(d, d, returning),
                dropout: DropoutConfig::new(self.attn_pdrop).init(),
                heads: self.n_head,
                scale: self.scale(layer),
            },
            feed_forward_norm: self.norm(device),
            feed_forward: FeedForward {
                inner: linear(d, inner, self.initializer_range),
                outer: linear(inner, d, returning),
                activation: check::activation("activation_function", &self.activation_function)?,
            },
            dropout: DropoutConfig::new(self.resid_pdrop).init(),
        })
    }

    fn norm(&self, device: &Device) -> LayerNorm {
        LayerNorm::new(self.n_embd, self.layer_norm_epsilon, device)
    }
}

impl Architecture for Gpt2Config {
    fn layout(&self) -> &'static Layout {
        &LAYOUT
    }

    fn sizes(&self) -> ModelSizes {
        ModelSizes {
            vocabulary: self.vocab_size,
            width: self.n_embd,
            layers: self.n_layer,
            positions: self.n_positions,
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
        HeadSettings {
            bias: false,
            token: ClassifiedToken::Last,
            ..HeadSettings::default()
        }
    }

    fn validate(&self) -> Result<(), ModelError> {
        check::supported(&self.rest)?;
        check::activation("activation_function", &self.activation_function)?;
        check::sizes(&[
            ("vocab_size", self.vocab_size),
            ("n_positions", self.n_positions),
            ("n_embd", self.n_embd),
            ("n_head", self.n_head),
            ("n_inner", self.inner()),
        ])?;
        check::layers("n_layer", self.n_layer)?;
        check::divisible(("n_embd", self.n_embd), ("n_head", self.n_head))?;
        check::padding(self.pad_token_id, self.vocab_size)?;
        check::rates(&[
            ("resid_pdrop", self.resid_pdrop),
            ("embd_pdrop", self.embd_pdrop),
            ("attn_pdrop", self.attn_pdrop),
        ])?;
        check::scales(&[
            ("initializer_range", self.initializer_range),
            ("layer_norm_epsilon", self.layer_norm_epsilon),
        ])
    }
}

impl Gpt2Config {
    /// Creates an encoder with newly initialized weights. The settings must be valid.
    pub(crate) fn encoder(&self, device: &Device) -> Result<Gpt2, ModelError> {
        Ok(Gpt2 {
            word: embedding(
                self.vocab_size,
                self.n_embd,
                self.initializer_range,
                None,
                device,
            ),
            position: embedding(
                self.n_positions,
                self.n_embd,
                self.initializer_range,
                None,
                device,
            ),
            dropout: DropoutConfig::new(self.embd_pdrop).init(),
            layers: (0..self.n_layer)
                .map(|layer| self.layer(layer, device))
                .collect::<Result<_, _>>()?,
            norm: self.norm(device),
        })
    }
}

/// The encoder of GPT-2: the model without the language modeling head.
///
/// # References
/// Radford et al., "Language Models are Unsupervised Multitask Learners".
#[derive(Module, Debug)]
pub struct Gpt2 {
    /// Token embeddings. Shape `[vocabulary, d]`.
    pub word: Embedding,
    /// Position embeddings. Shape `[positions, d]`.
    pub position: Embedding,
    /// Dropout of the sum of both embeddings.
    pub dropout: Dropout,
    /// The layers, first to last.
    pub layers: Vec<Gpt2Layer>,
    /// LayerNorm of the output of the last layer.
    pub norm: LayerNorm,
}

impl Gpt2 {
    /// Computes the hidden states: see [`Encoder::forward`](crate::Encoder::forward). The states of the last layer are the
    /// normalised ones. Segments are ignored.
    ///
    /// Positions are numbered from the left and include padding, as in transformers if no
    /// `position_ids` are given.
    pub fn forward(&self, input: TokenBatch) -> HiddenStates {
        let [_, tokens] = input.ids.dims();
        assert_positions(&self.position, Places::FromZero, tokens);
        let position = self.position.weight.val().slice(0..tokens).unsqueeze::<3>();
        let embedding_output = dropout(&self.dropout, self.word.forward(input.ids) + position);

        let mask = causal_mask(input.mask.clone(), &embedding_output);
        let mut states = run_layers(
            embedding_output,
            self.layers.iter(),
            |layer, hidden| layer.forward(hidden, mask.clone()),
            input.mask,
        );
        let last = states.layers.pop().expect("there is at least one layer");
        states.layers.push(self.norm.forward(last));
        states
    }
}

/// A layer of GPT-2, with LayerNorm before attention and before the feed-forward block.
///
/// ```text
/// a = x + dropout(attention(LayerNorm(x)))
/// y = a + dropout(feed_forward(LayerNorm(a)))
/// ```
#[derive(Module, Debug)]
pub struct Gpt2Layer {
    /// LayerNorm before attention.
    pub attention_norm: LayerNorm,
    /// Causal self-attention: each token attends to itself and to earlier tokens.
    pub attention: SelfAttention,
    /// LayerNorm before the feed-forward block.
    pub feed_forward_norm: LayerNorm,
    /// The feed-forward block.
    pub feed_forward: FeedForward,
    /// Dropout of the outputs of both blocks.
    pub dropout: Dropout,
}

impl Gpt2Layer {
    /// Applies the layer.
    ///
    /// # Shapes
    /// - `hidden`: `[sequences, tokens, d]`
    /// - `mask`: `[sequences, 1, tokens, tokens]`, added to the attention scores
    /// - output: `[sequences, tokens, d]`
    pub fn forward(&self, hidden: Tensor<3>, mask: Tensor<4>) -> Tensor<3> {
        let attended = self
            .attention
            .forward(self.attention_norm.forward(hidden.clone()), mask);
        let hidden = hidden + dropout(&self.dropout, attended);
        let transformed = self
            .feed_forward
            .forward(self.feed_forward_norm.forward(hidden.clone()));
        hidden + dropout(&self.dropout, transformed)
    }
}

const LAYOUT: Layout = Layout {
    prefix: "transformer.",
    encoder: &[
        Key::new("word", "wte"),
        Key::new("position", "wpe"),
        Key::new("layers.*.attention_norm", "h.*.ln_1"),
        Key::third(0, "layers.*.attention.query", "h.*.attn.c_attn"),
        Key::third(1, "layers.*.attention.key", "h.*.attn.c_attn"),
        Key::third(2, "layers.*.attention.value", "h.*.attn.c_attn"),
        Key::new("layers.*.attention.output", "h.*.attn.c_proj"),
        Key::new("layers.*.feed_forward_norm", "h.*.ln_2"),
        Key::new("layers.*.feed_forward.inner", "h.*.mlp.c_fc"),
        Key::new("layers.*.feed_forward.outer", "h.*.mlp.c_proj"),
        Key::new("norm", "ln_f"),
    ],
    // transformers' Conv1D stores weights as [inputs, outputs].
    linear_is_transposed: false,
    classifier: &[Key::new("output", "score")],
    span: &[Key::new("output", "qa_outputs")],
    passed_over: &["h.*.attn.bias", "h.*.attn.masked_bias"],
    heads: &[
        "score.",
        "qa_outputs.",
        "lm_head.",
        "multiple_choice_head.",
        "classifier.",
    ],
};
