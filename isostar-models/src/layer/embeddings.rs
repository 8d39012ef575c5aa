use burn::nn::{Dropout, Embedding, LayerNorm};
use burn::prelude::*;

use super::dropout::dropped;

/// What a token is, where it stands and which segment it belongs to, as one vector.
///
/// ```text
/// y = dropout(LayerNorm(word[id] + position[0..tokens] + token_type[type_id]))
/// ```
///
/// The padding token's row of the word table takes no gradient, as with PyTorch's `padding_idx`.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// A row a token. Shape `[vocabulary, d]`.
    pub word: Embedding,
    /// A row a position. Shape `[positions, d]`.
    pub position: Embedding,
    /// A row a segment. Shape `[types, d]`.
    pub token_type: Embedding,
    /// Normalises the sum.
    pub norm: LayerNorm,
    /// Applied last.
    pub dropout: Dropout,
    /// The id of the padding token, if there is one.
    pub padding: Option<usize>,
}

impl Embeddings {
    /// # Shapes
    /// - `ids`, `type_ids`: `[sequences, tokens]`
    /// - output: `[sequences, tokens, d]`
    ///
    /// # Panics
    /// If there are more tokens than positions.
    pub fn forward(&self, ids: Tensor<2, Int>, type_ids: Tensor<2, Int>) -> Tensor<3> {
        let [_, tokens] = ids.dims();
        let [positions, _] = self.position.weight.dims();
        assert!(tokens <= positions, "the model has {positions} positions (max_position_embeddings), got {tokens} tokens");

        let position = self.position.weight.val().slice(0..tokens).unsqueeze::<3>();
        let sum = self.word_of(ids) + self.token_type.forward(type_ids) + position;
        dropped(&self.dropout, self.norm.forward(sum))
    }

    fn word_of(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let word = self.word.forward(ids.clone());
        match self.padding {
            Some(padding) if word.is_tracked() => {
                let is_padding = ids.equal_elem(padding as i64).unsqueeze_dim::<3>(2).expand(word.shape());
                word.clone().mask_where(is_padding, word.detach())
            }
            _ => word,
        }
    }
}
