//! What turns the last layer's states into answers: classes or numbers of a sequence, or a span of it.

mod classification;
pub mod loss;
mod span;

use burn::prelude::*;

use crate::{Encoder, ModelConfig, ModelError};
pub use classification::{ClassificationHead, ClassifiedToken, Dense, SequenceClassifier};
pub use span::{SpanExtractor, SpanHead};

/// A model that a folder can hold: an encoder, alone or with a head.
pub trait PretrainedModel: Module {
    /// Which head it has.
    const HEAD: Head;

    /// Fresh weights, for training from nothing.
    ///
    /// # Errors
    /// If [`ModelConfig::validate`] refuses the configuration, or [`Labels::validate`](crate::Labels::validate) the labels of a classifier.
    fn new(config: &ModelConfig, device: &Device) -> Result<Self, ModelError>;
}

impl PretrainedModel for Encoder {
    const HEAD: Head = Head::None;

    fn new(config: &ModelConfig, device: &Device) -> Result<Self, ModelError> {
        config.init(device)
    }
}

/// The heads that a model can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// None: transformers' `…Model`.
    None,
    /// Classes or numbers of a sequence: `…ForSequenceClassification`.
    Classification,
    /// The first and the last token of an answer: `…ForQuestionAnswering`.
    Span,
}

impl Head {
    /// How transformers' classes with this head end.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::None => "Model",
            Self::Classification => "ForSequenceClassification",
            Self::Span => "ForQuestionAnswering",
        }
    }
}

/// How the heads of an architecture are built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadSettings {
    /// The classifier's layer before the last, if there is one.
    pub dense: Option<Dense>,
    /// Before that layer.
    pub input_dropout: f64,
    /// Before the last layer.
    pub dropout: f64,
    /// Whether the classifier's last layer has a bias.
    pub bias: bool,
    /// Whose state is classified.
    pub token: ClassifiedToken,
    /// Before the span extractor.
    pub span_dropout: f64,
}

impl Default for HeadSettings {
    fn default() -> Self {
        Self { dense: None, input_dropout: 0.0, dropout: 0.0, bias: true, token: ClassifiedToken::First, span_dropout: 0.0 }
    }
}
