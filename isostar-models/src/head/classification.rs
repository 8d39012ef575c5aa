use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::prelude::*;
use isostar_core::HiddenStates;
use isostar_kernels::dropout;

use super::pretrained_model::PretrainedModel;
use super::settings::{ClassifiedToken, Dense, Head};
use crate::layer::linear;
use crate::{Encoder, ModelConfig, ModelError, TokenBatch};

/// An encoder with a head for sequence classification or regression: transformers'
/// `…ForSequenceClassification`.
///
/// The meaning of the outputs depends on the configuration
/// ([`Labels::problem`](crate::Labels::problem)). The losses are in [`loss`](crate::loss).
#[derive(Module, Debug)]
pub struct SequenceClassifier {
    /// The encoder, which computes the hidden states.
    pub encoder: Encoder,
    /// The head, which computes the logits.
    pub head: ClassificationHead,
}

impl PretrainedModel for SequenceClassifier {
    const HEAD: Head = Head::Classification;

    fn new(config: &ModelConfig, device: &Device) -> Result<Self, ModelError> {
        config.labels().validate()?;
        let encoder = config.init(device)?;
        Ok(Self {
            encoder,
            head: ClassificationHead::new(config, device),
        })
    }
}

impl SequenceClassifier {
    /// Computes the logits, `[sequences, labels]`, and the hidden states.
    ///
    /// # Panics
    /// If the batch has more tokens than the model has positions.
    pub fn forward(&self, input: TokenBatch) -> (Tensor<2>, HiddenStates) {
        let mask = input.mask.clone();
        let states = self.encoder.forward(input);
        let logits = self
            .head
            .forward(states.layer(states.depth()).clone(), mask);
        (logits, states)
    }
}

/// A classification head: it maps the hidden state of one token to logits.
///
/// ```text
/// logits = dropout₂(activation(dropout₁(h) W_d + b_d)) W + b
/// ```
///
/// h is the last layer's state of the classified token. GPT-2's head is h W, without dense layer,
/// dropout and bias.
#[derive(Module, Debug)]
pub struct ClassificationHead {
    /// Dropout before the dense layer, used by RoBERTa.
    pub input_dropout: Dropout,
    /// The dense layer, from d to d.
    pub dense: Option<Linear>,
    /// The activation after the dense layer.
    #[module(skip)]
    pub activation: Option<Dense>,
    /// Dropout before the output layer.
    pub dropout: Dropout,
    /// The output layer, from d to the number of labels.
    pub output: Linear,
    /// The token whose state is classified.
    #[module(skip)]
    pub token: ClassifiedToken,
}

impl ClassificationHead {
    /// Creates a head with newly initialized weights. The configuration must be valid.
    fn new(config: &ModelConfig, device: &Device) -> Self {
        let (d, settings, std) = (
            config.sizes().width,
            config.architecture().head(),
            config.architecture().deviation(),
        );
        let output = linear(d, config.labels().len(), std, device);
        Self {
            input_dropout: DropoutConfig::new(settings.input_dropout).init(),
            dense: settings.dense.map(|_| linear(d, d, std, device)),
            activation: settings.dense,
            dropout: DropoutConfig::new(settings.dropout).init(),
            output: Linear {
                bias: output.bias.filter(|_| settings.bias),
                ..output
            },
            token: settings.token,
        }
    }

    /// Computes the logits from the states of the last layer.
    ///
    /// # Shapes
    /// - `hidden`: `[sequences, tokens, d]`
    /// - `mask`: `[sequences, tokens]`, true at tokens
    /// - output: `[sequences, labels]`
    pub fn forward(&self, hidden: Tensor<3>, mask: Tensor<2, Bool>) -> Tensor<2> {
        let mut state = self.token.of(hidden, mask);
        if let (Some(dense), Some(activation)) = (&self.dense, self.activation) {
            let dense = dense.forward(dropout(&self.input_dropout, state));
            state = match activation {
                Dense::Tanh => dense.tanh(),
                Dense::Relu => burn::tensor::activation::relu(dense),
            };
        }
        self.output.forward(dropout(&self.dropout, state))
    }
}
