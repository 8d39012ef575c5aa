use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::prelude::*;
use isostar_core::HiddenStates;

use super::{Head, PretrainedModel};
use crate::layer::linear;
use crate::{Encoder, ModelConfig, ModelError, TokenBatch};

/// An encoder with a head that classifies a sequence, or gives it one or several numbers: transformers' `…ForSequenceClassification`.
///
/// What the outputs mean is the configuration's affair ([`Labels::problem`](crate::Labels::problem)), and the losses are in
/// [`loss`](crate::loss).
#[derive(Module, Debug)]
pub struct SequenceClassifier {
    /// Makes the hidden states.
    pub encoder: Encoder,
    /// Makes logits of them.
    pub head: ClassificationHead,
}

impl PretrainedModel for SequenceClassifier {
    const HEAD: Head = Head::Classification;

    fn new(config: &ModelConfig, device: &Device) -> Result<Self, ModelError> {
        config.labels().validate()?;
        let encoder = config.init(device)?;
        Ok(Self { encoder, head: ClassificationHead::new(config, device) })
    }
}

impl SequenceClassifier {
    /// The logits, `[sequences, labels]`, and the hidden states they come from.
    ///
    /// # Panics
    /// If the batch has more tokens than the model has positions.
    pub fn forward(&self, input: TokenBatch) -> (Tensor<2>, HiddenStates) {
        let mask = input.mask.clone();
        let states = self.encoder.forward(input);
        let logits = self.head.forward(states.layer(states.depth()).clone(), mask);
        (logits, states)
    }
}

/// One token's state to logits.
///
/// ```text
/// logits = dropout₂(activation(dropout₁(h) W_d + b_d)) W + b
/// ```
///
/// h is the last layer's state of the classified token. GPT-2 has the last product alone, without b.
#[derive(Module, Debug)]
pub struct ClassificationHead {
    /// Before the dense layer: in RoBERTa.
    pub input_dropout: Dropout,
    /// d to d.
    pub dense: Option<Linear>,
    /// After the dense layer.
    #[module(skip)]
    pub activation: Option<Dense>,
    /// Before the last layer.
    pub dropout: Dropout,
    /// d to the number of labels.
    pub output: Linear,
    /// Whose state h is.
    #[module(skip)]
    pub token: ClassifiedToken,
}

/// What follows the dense layer of a classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dense {
    /// tanh.
    Tanh,
    /// max(x, 0).
    Relu,
}

/// Whose state stands for the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassifiedToken {
    /// The first token's, which sees all others where attention looks both ways.
    First,
    /// The last token's that is no padding, which alone sees all others where attention looks backwards.
    Last,
}

impl ClassificationHead {
    /// Fresh weights; the configuration is valid.
    fn new(config: &ModelConfig, device: &Device) -> Self {
        let (d, settings, std) = (config.sizes().width, config.architecture().head(), config.architecture().deviation());
        let output = linear(d, config.labels().len(), std, device);
        Self {
            input_dropout: DropoutConfig::new(settings.input_dropout).init(),
            dense: settings.dense.map(|_| linear(d, d, std, device)),
            activation: settings.dense,
            dropout: DropoutConfig::new(settings.dropout).init(),
            output: Linear { bias: output.bias.filter(|_| settings.bias), ..output },
            token: settings.token,
        }
    }

    /// # Shapes
    /// - `hidden`: `[sequences, tokens, d]`
    /// - `mask`: `[sequences, tokens]`, true at tokens
    /// - output: `[sequences, labels]`
    pub fn forward(&self, hidden: Tensor<3>, mask: Tensor<2, Bool>) -> Tensor<2> {
        let mut state = self.token.of(hidden, mask);
        if let (Some(dense), Some(activation)) = (&self.dense, self.activation) {
            let dense = dense.forward(self.input_dropout.forward(state));
            state = match activation {
                Dense::Tanh => dense.tanh(),
                Dense::Relu => burn::tensor::activation::relu(dense),
            };
        }
        self.output.forward(self.dropout.forward(state))
    }
}

impl ClassifiedToken {
    /// The state of the classified token. Shapes: `[sequences, tokens, d]`, `[sequences, tokens]` to `[sequences, d]`.
    fn of(self, hidden: Tensor<3>, mask: Tensor<2, Bool>) -> Tensor<2> {
        let [sequences, tokens, d] = hidden.dims();
        let state = match self {
            Self::First => hidden.slice([0..sequences, 0..1]),
            Self::Last => {
                let place = Tensor::<1, Int>::arange(0..tokens as i64, &mask.device()).unsqueeze::<2>();
                let last: Tensor<2, Int> = (place * mask.int()).argmax(1);
                hidden.gather(1, last.unsqueeze_dim::<3>(2).expand([sequences, 1, d]))
            }
        };
        state.reshape([sequences, d])
    }
}
