use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::prelude::*;
use isostar_core::HiddenStates;

use crate::layer::linear;
use crate::{Bert, BertConfig, ModelError, TokenBatch};

/// An encoder with a classifier, or a regression, on its first token: transformers' `BertForSequenceClassification`.
///
/// ```text
/// logits = dropout(tanh(h W_p + b_p)) W_c + b_c,   h the last layer's state of the first token
/// ```
#[derive(Module, Debug)]
pub struct SequenceClassifier {
    /// Makes the hidden states.
    pub encoder: Bert,
    /// d to d, before the tanh.
    pub pooler: Linear,
    /// Before the classifier.
    pub dropout: Dropout,
    /// d to the number of labels.
    pub classifier: Linear,
}

impl SequenceClassifier {
    /// Fresh weights, for training from nothing; see [`BertConfig::init`].
    ///
    /// # Errors
    /// If [`BertConfig::validate`] refuses the configuration.
    pub fn new(config: &BertConfig, device: &Device) -> Result<Self, ModelError> {
        let (d, std) = (config.hidden_size, config.initializer_range);
        Ok(Self {
            encoder: config.init(device)?,
            pooler: linear(d, d, std, device),
            dropout: DropoutConfig::new(config.classifier_dropout()).init(),
            classifier: linear(d, config.labels().len(), std, device),
        })
    }

    /// The logits, `[sequences, labels]`, and the hidden states they come from.
    ///
    /// # Panics
    /// If the batch has more tokens than the model has positions.
    pub fn forward(&self, input: TokenBatch) -> (Tensor<2>, HiddenStates) {
        let states = self.encoder.forward(input);
        let logits = self.logits(states.layer(states.depth()));
        (logits, states)
    }

    fn logits(&self, hidden: &Tensor<3>) -> Tensor<2> {
        let [sequences, _, d] = hidden.dims();
        let first = hidden.clone().slice([0..sequences, 0..1]).reshape([sequences, d]);
        let pooled = self.pooler.forward(first).tanh();
        self.classifier.forward(self.dropout.forward(pooled))
    }
}
