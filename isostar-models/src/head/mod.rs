//! Heads, which map the states of the last layer to predictions: classes, numbers or spans.

mod classification;
pub mod loss;
mod span;

use burn::prelude::*;

use crate::{Encoder, ModelConfig, ModelError};
pub use classification::{ClassificationHead, ClassifiedToken, Dense, SequenceClassifier};
pub use span::{SpanExtractor, SpanHead};

/// A model that can be read from a folder: an encoder without or with a head.
pub trait PretrainedModel: Module {
    /// The head of the model.
    const HEAD: Head;

    /// Creates a model with newly initialized weights, for training from scratch.
    ///
    /// # Errors
    /// If [`ModelConfig::validate`] fails, or for a classifier if
    /// [`Labels::validate`](crate::Labels::validate) fails.
    fn new(config: &ModelConfig, device: &Device) -> Result<Self, ModelError>;
}

impl PretrainedModel for Encoder {
    const HEAD: Head = Head::None;

    fn new(config: &ModelConfig, device: &Device) -> Result<Self, ModelError> {
        config.init(device)
    }
}

/// The head of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// No head: transformers' `…Model`.
    None,
    /// Sequence classification or regression: `…ForSequenceClassification`.
    Classification,
    /// Extraction of the first and last token of an answer: `…ForQuestionAnswering`.
    Span,
}

impl Head {
    /// The suffix of the names of transformers classes with this head.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::None => "Model",
            Self::Classification => "ForSequenceClassification",
            Self::Span => "ForQuestionAnswering",
        }
    }
}

/// The settings of the heads of an architecture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadSettings {
    /// The activation of the classifier's dense layer, if there is one.
    pub dense: Option<Dense>,
    /// Dropout rate before the dense layer.
    pub input_dropout: f64,
    /// Dropout rate before the output layer of the classifier.
    pub dropout: f64,
    /// Whether the output layer of the classifier has a bias.
    pub bias: bool,
    /// The token whose state is classified.
    pub token: ClassifiedToken,
    /// Dropout rate before the span extractor.
    pub span_dropout: f64,
}

impl Default for HeadSettings {
    fn default() -> Self {
        Self { dense: None, input_dropout: 0.0, dropout: 0.0, bias: true, token: ClassifiedToken::First, span_dropout: 0.0 }
    }
}
