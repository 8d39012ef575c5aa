use burn::prelude::*;

/// One batch of tokenized text.
#[derive(Clone, Debug)]
pub struct TokenBatch {
    /// Token ids, padded to the longest sequence. Shape `[sequences, tokens]`.
    pub ids: Tensor<2, Int>,
    /// Segment (token type) of each token: 0 or 1 in BERT. Shape `[sequences, tokens]`.
    pub type_ids: Tensor<2, Int>,
    /// True at tokens, false at padding. Shape `[sequences, tokens]`.
    pub mask: Tensor<2, Bool>,
}

impl TokenBatch {
    /// Sequences of equal length without padding, all in segment 0. Shape of `ids`:
    /// `[sequences, tokens]`.
    pub fn unpadded(ids: Tensor<2, Int>) -> Self {
        Self {
            type_ids: ids.zeros_like(),
            mask: ids.clone().greater_equal_elem(0),
            ids,
        }
    }
}
