use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::prelude::*;
use isostar_core::HiddenStates;

use super::{Head, PretrainedModel};
use crate::layer::{each_token, linear};
use crate::{Encoder, ModelConfig, ModelError, TokenBatch};

/// An encoder with a head that says where an answer starts and ends: transformers' `…ForQuestionAnswering`.
#[derive(Module, Debug)]
pub struct SpanExtractor {
    /// Makes the hidden states.
    pub encoder: Encoder,
    /// Makes logits of them.
    pub head: SpanHead,
}

impl PretrainedModel for SpanExtractor {
    const HEAD: Head = Head::Span;

    fn new(config: &ModelConfig, device: &Device) -> Result<Self, ModelError> {
        let encoder = config.init(device)?;
        let (settings, std) = (config.architecture().head(), config.architecture().deviation());
        let head =
            SpanHead { dropout: DropoutConfig::new(settings.span_dropout).init(), output: linear(config.sizes().width, 2, std, device) };
        Ok(Self { encoder, head })
    }
}

impl SpanExtractor {
    /// The logits of each token to be the first and to be the last of the answer, `[sequences, tokens]` each, and the hidden states they
    /// come from. Padding has logits too.
    ///
    /// # Panics
    /// If the batch has more tokens than the model has positions.
    pub fn forward(&self, input: TokenBatch) -> ([Tensor<2>; 2], HiddenStates) {
        let states = self.encoder.forward(input);
        let logits = self.head.forward(states.layer(states.depth()).clone());
        (logits, states)
    }
}

/// Every token's state to two logits.
///
/// ```text
/// [start, end] = dropout(h) W + b
/// ```
#[derive(Module, Debug)]
pub struct SpanHead {
    /// Before the product: in DistilBERT.
    pub dropout: Dropout,
    /// d to 2.
    pub output: Linear,
}

impl SpanHead {
    /// # Shapes
    /// - `hidden`: `[sequences, tokens, d]`
    /// - output: twice `[sequences, tokens]`
    pub fn forward(&self, hidden: Tensor<3>) -> [Tensor<2>; 2] {
        let [sequences, tokens, _] = hidden.dims();
        let logits = each_token(&self.output, self.dropout.forward(hidden));
        [0, 1].map(|end| logits.clone().slice([0..sequences, 0..tokens, end..end + 1]).reshape([sequences, tokens]))
    }
}
