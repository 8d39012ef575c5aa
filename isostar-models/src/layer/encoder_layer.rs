use burn::nn::{Dropout, DropoutConfig};
use burn::prelude::*;

use super::attention::SelfAttention;
use super::feed_forward::{Activation, FeedForward};
use super::linear::linear;
use super::norm::LayerNorm;

/// A post-norm encoder layer, as in BERT: it normalizes after each of its two parts.
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
    /// Self-attention.
    pub attention: SelfAttention,
    /// Normalizes the first sum.
    pub attention_norm: LayerNorm,
    /// Feed-forward part, applied to each token separately.
    pub feed_forward: FeedForward,
    /// Normalizes the second sum.
    pub feed_forward_norm: LayerNorm,
    /// Dropout of the attention output.
    pub attention_dropout: Dropout,
    /// Dropout of the feed-forward output.
    pub feed_forward_dropout: Dropout,
}

impl EncoderLayer {
    /// # Shapes
    /// - `hidden`: `[sequences, tokens, d]`
    /// - `mask`: `[sequences, 1, 1 or tokens, tokens]`, added to the attention scores
    /// - output: `[sequences, tokens, d]`
    pub fn forward(&self, hidden: Tensor<3>, mask: Tensor<4>) -> Tensor<3> {
        let attended = self.attention.forward(hidden.clone(), mask);
        let hidden = self
            .attention_norm
            .add(hidden, attended, &self.attention_dropout);
        let transformed = self.feed_forward.forward(hidden.clone());
        self.feed_forward_norm
            .add(hidden, transformed, &self.feed_forward_dropout)
    }
}

/// Settings of an [`EncoderLayer`] with new weights.
pub(crate) struct LayerSettings {
    /// Width d.
    pub width: usize,
    pub heads: usize,
    /// Inner width of the feed-forward part.
    pub inner: usize,
    pub activation: Activation,
    /// Epsilon of both LayerNorms.
    pub epsilon: f64,
    /// Standard deviation of new weights.
    pub deviation: f64,
    /// Dropout probability of the attention probabilities.
    pub probability_dropout: f64,
    /// Dropout probability of the attention output.
    pub attention_dropout: f64,
    /// Dropout probability of the feed-forward output.
    pub feed_forward_dropout: f64,
}

impl LayerSettings {
    pub(crate) fn init(&self, device: &Device) -> EncoderLayer {
        let linear = |d_input, d_output| linear(d_input, d_output, self.deviation, device);
        let norm = || LayerNorm::new(self.width, self.epsilon, device);
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
