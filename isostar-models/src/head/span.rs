use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::prelude::*;
use isostar_core::HiddenStates;
use isostar_kernels::dropout;

use super::pretrained_model::PretrainedModel;
use super::settings::Head;
use crate::layer::{each_token, linear};
use crate::{Encoder, ModelConfig, ModelError, TokenBatch};

/// An encoder with a head that predicts the start and end of an answer: transformers'
/// `…ForQuestionAnswering`.
#[derive(Module, Debug)]
pub struct SpanExtractor {
    /// The encoder, which computes the hidden states.
    pub encoder: Encoder,
    /// The head, which computes the logits.
    pub head: SpanHead,
}

impl PretrainedModel for SpanExtractor {
    const HEAD: Head = Head::Span;

    fn new(config: &ModelConfig, device: &Device) -> Result<Self, ModelError> {
        let encoder = config.init(device)?;
        let (settings, std) = (
            config.architecture().head(),
            config.architecture().deviation(),
        );
        let head = SpanHead {
            dropout: DropoutConfig::new(settings.span_dropout).init(),
            output: linear(config.sizes().width, 2, std, device),
        };
        Ok(Self { encoder, head })
    }
}

impl SpanExtractor {
    /// Computes the logits of each token as the start and as the end of the answer,
    /// `[sequences, tokens]` each, and the hidden states. Padding has logits too.
    ///
    /// # Panics
    /// If the batch has more tokens than the model has positions.
    pub fn forward(&self, input: TokenBatch) -> ([Tensor<2>; 2], HiddenStates) {
        let states = self.encoder.forward(input);
        let logits = self.head.forward(states.layer(states.depth()).clone());
        (logits, states)
    }
}

/// A span head: it maps the hidden state of every token to two logits.
///
/// ```text
/// [start, end] = dropout(h) W + b
/// ```
#[derive(Module, Debug)]
pub struct SpanHead {
    /// Dropout before the output layer, used by DistilBERT.
    pub dropout: Dropout,
    /// The output layer, from d to 2.
    pub output: Linear,
}

impl SpanHead {
    /// Computes the logits of starts and of ends.
    ///
    /// # Shapes
    /// - `hidden`: `[sequences, tokens, d]`
    /// - output: `[sequences, tokens]` each
    pub fn forward(&self, hidden: Tensor<3>) -> [Tensor<2>; 2] {
        let [sequences, tokens, _] = hidden.dims();
        let logits = each_token(&self.output, dropout(&self.dropout, hidden));
        [0, 1].map(|end| {
            logits
                .clone()
                .slice([0..sequences, 0..tokens, end..end + 1])
                .reshape([sequences, tokens])
        })
    }
}
