use burn::prelude::*;
use isostar_core::HiddenStates;

use crate::{Albert, Bert, Gpt2, TokenBatch};

/// The encoder of any supported architecture. It maps token ids to the hidden states of every
/// layer.
#[derive(Module, Debug)]
pub enum Encoder {
    /// BERT, RoBERTa and DistilBERT.
    Bert(Bert),
    /// ALBERT.
    Albert(Albert),
    /// GPT-2.
    Gpt2(Gpt2),
}

impl Encoder {
    /// Computes the hidden states of every layer, each `[sequences, tokens, d]`, with the mask of
    /// the batch. They equal those that transformers returns with `output_hidden_states=True`.
    ///
    /// # Panics
    /// If the batch has more tokens than the model has positions.
    pub fn forward(&self, input: TokenBatch) -> HiddenStates {
        match self {
            Self::Bert(encoder) => encoder.forward(input),
            Self::Albert(encoder) => encoder.forward(input),
            Self::Gpt2(encoder) => encoder.forward(input),
        }
    }
}
