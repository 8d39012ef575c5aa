//! What the encoders share: embeddings, attention, feed-forward, and the layer that joins them.

mod attention;
mod embeddings;
mod feed_forward;

pub use attention::SelfAttention;
pub(crate) use attention::{causal_mask, padding_mask};
pub(crate) use embeddings::assert_positions;
pub use embeddings::{Embeddings, Places};
pub use feed_forward::{Activation, FeedForward};

use burn::module::Param;
use burn::nn::{Dropout, DropoutConfig, Embedding, Initializer, LayerNorm, LayerNormConfig, Linear};
use burn::prelude::*;
use isostar_kernels::dropout;

/// One encoder layer that normalises after each of its two parts, as BERT does.
///
/// ```text
/// a = LayerNorm(x + dropout₁(attention(x)))
/// y = LayerNorm(a + dropout₂(feed_forward(a)))
/// ```
///
/// # References
/// Vaswani et al., "Attention Is All You Need"; Devlin et al., "BERT".
#[derive(Module, Debug)]
pub struct EncoderLayer {
    /// Every token looks at every other.
    pub attention: SelfAttention,
    /// Normalises the first sum.
    pub attention_norm: LayerNorm,
    /// Every token by itself.
    pub feed_forward: FeedForward,
    /// Normalises the second sum.
    pub feed_forward_norm: LayerNorm,
    /// Applied to what attention adds.
    pub attention_dropout: Dropout,
    /// Applied to what the feed-forward part adds.
    pub feed_forward_dropout: Dropout,
}

impl EncoderLayer {
    /// # Shapes
    /// - `hidden`: `[sequences, tokens, d]`
    /// - `mask`: `[sequences, 1, 1 or tokens, tokens]`, added to the attention scores
    /// - output: `[sequences, tokens, d]`
    pub fn forward(&self, hidden: Tensor<3>, mask: Tensor<4>) -> Tensor<3> {
        let attended = dropout(&self.attention_dropout, self.attention.forward(hidden.clone(), mask));
        let hidden = self.attention_norm.forward(hidden + attended);
        let transformed = dropout(&self.feed_forward_dropout, self.feed_forward.forward(hidden.clone()));
        self.feed_forward_norm.forward(hidden + transformed)
    }
}

/// What an [`EncoderLayer`] with fresh weights is made from.
pub(crate) struct LayerSettings {
    /// d.
    pub width: usize,
    pub heads: usize,
    /// Of the feed-forward part.
    pub inner: usize,
    pub activation: Activation,
    /// Of both LayerNorms.
    pub epsilon: f64,
    /// Of fresh weights.
    pub deviation: f64,
    /// Of the attention probabilities.
    pub probability_dropout: f64,
    /// Of what attention adds.
    pub attention_dropout: f64,
    /// Of what the feed-forward part adds.
    pub feed_forward_dropout: f64,
}

impl LayerSettings {
    pub(crate) fn init(&self, device: &Device) -> EncoderLayer {
        let linear = |d_input, d_output| linear(d_input, d_output, self.deviation, device);
        let norm = || LayerNormConfig::new(self.width).with_epsilon(self.epsilon).init(device);
        EncoderLayer {
            attention: SelfAttention {
                query: linear(self.width, self.width),
                key: linear(self.width, self.width),
                value: linear(self.width, self.width),
                output: linear(self.width, self.width),
                dropout: DropoutConfig::new(self.probability_dropout).init(),
                heads: self.heads,
                scale: ((self.width / self.heads) as f64).powf(-0.5),
            },
            attention_norm: norm(),
            feed_forward: FeedForward {
                inner: linear(self.width, self.inner),
                outer: linear(self.inner, self.width),
                activation: self.activation,
            },
            feed_forward_norm: norm(),
            attention_dropout: DropoutConfig::new(self.attention_dropout).init(),
            feed_forward_dropout: DropoutConfig::new(self.feed_forward_dropout).init(),
        }
    }
}

/// `linear` applied to every token, as one product of two matrices.
///
/// Left to itself Burn multiplies sequence by sequence, and the gradient of the weights is then one matrix a sequence,
/// to be summed: a fifth of a training step on flex.
pub(crate) fn each_token(linear: &Linear, hidden: Tensor<3>) -> Tensor<3> {
    let [sequences, tokens, d] = hidden.dims();
    let rows = linear.forward(hidden.reshape([sequences * tokens, d]));
    let [_, d_output] = rows.dims();
    rows.reshape([sequences, tokens, d_output])
}

/// A linear layer with weights from N(0, `std`²) and zero biases, as transformers starts them.
pub(crate) fn linear(d_input: usize, d_output: usize, std: f64, device: &Device) -> Linear {
    Linear { weight: normal(std).init([d_input, d_output], device), bias: Some(Initializer::Zeros.init([d_output], device)) }
}

/// An embedding table with weights from N(0, `std`²), zero in the row of the padding token.
pub(crate) fn embedding(rows: usize, d: usize, std: f64, padding: Option<usize>, device: &Device) -> Embedding {
    let weight: Param<Tensor<2>> = normal(std).init([rows, d], device);
    let weight = match padding {
        Some(row) => weight.init_mapper(move |table| table.slice_fill(row..row + 1, 0.0)),
        None => weight,
    };
    Embedding { weight }
}

fn normal(std: f64) -> Initializer {
    Initializer::Normal { mean: 0.0, std }
}
