//! The heads that an architecture has.

use burn::prelude::*;

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
        Self {
            dense: None,
            input_dropout: 0.0,
            dropout: 0.0,
            bias: true,
            token: ClassifiedToken::First,
            span_dropout: 0.0,
        }
    }
}

/// The activation after the dense layer of a classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dense {
    /// tanh.
    Tanh,
    /// max(x, 0).
    Relu,
}

/// The token whose state represents the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassifiedToken {
    /// The first token. With bidirectional attention it attends to all others.
    First,
    /// The last token that is not padding. With causal attention only this token attends to all
    /// others.
    Last,
}

impl ClassifiedToken {
    /// The state of the classified token.
    ///
    /// # Shapes
    /// - `hidden`: `[sequences, tokens, d]`
    /// - `mask`: `[sequences, tokens]`
    /// - output: `[sequences, d]`
    pub(super) fn of(self, hidden: Tensor<3>, mask: Tensor<2, Bool>) -> Tensor<2> {
        let [sequences, tokens, d] = hidden.dims();
        let state = match self {
            Self::First => hidden.slice([0..sequences, 0..1]),
            Self::Last => {
                let place =
                    Tensor::<1, Int>::arange(0..tokens as i64, &mask.device()).unsqueeze::<2>();
                let last: Tensor<2, Int> = (place * mask.int()).argmax(1);
                hidden.gather(1, last.unsqueeze_dim::<3>(2).expand([sequences, 1, d]))
            }
        };
        state.reshape([sequences, d])
    }
}
