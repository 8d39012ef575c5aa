use burn::nn::{Dropout, Embedding, LayerNorm};
use burn::prelude::*;
use isostar_kernels::dropout;

/// What a token is, where it stands and which segment it belongs to, as one vector.
///
/// ```text
/// y = dropout(LayerNorm(word[id] + position[place] + token_type[type_id]))
/// ```
///
/// The padding token's rows of the word and position tables take no gradient, as with PyTorch's `padding_idx`.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// A row a token. Shape `[vocabulary, d]`.
    pub word: Embedding,
    /// A row a place. Shape `[positions, d]`.
    pub position: Embedding,
    /// A row a segment. Shape `[types, d]`; absent in models that know no segments.
    pub token_type: Option<Embedding>,
    /// Normalises the sum.
    pub norm: LayerNorm,
    /// Applied last.
    pub dropout: Dropout,
    /// The id of the padding token, if there is one.
    pub padding: Option<usize>,
    /// How the places of a sequence are numbered.
    #[module(skip)]
    pub places: Places,
}

/// How the tokens of a sequence find their rows in the position table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// 0, 1, 2, … for tokens and padding alike.
    FromZero,
    /// p + 1, p + 2, … for the tokens that are not p, the padding token's id, and p for those that are: RoBERTa's way.
    AfterPadding(usize),
}

impl Places {
    /// The longest sequence for which a table of so many rows has places.
    pub fn longest(self, rows: usize) -> usize {
        match self {
            Self::FromZero => rows,
            Self::AfterPadding(padding) => rows.saturating_sub(padding + 1),
        }
    }
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
        assert_positions(&self.position, self.places, tokens);

        let position = match self.places {
            Places::FromZero => self.position.weight.val().slice(0..tokens).unsqueeze::<3>(),
            Places::AfterPadding(padding) => look_up(&self.position, places_after(padding, &ids), Some(padding)),
        };
        let mut sum = look_up(&self.word, ids, self.padding);
        if let Some(table) = &self.token_type {
            sum = sum + table.forward(type_ids);
        }
        dropout(&self.dropout, self.norm.forward(sum + position))
    }
}

/// Refuses a sequence that the position table is too short for.
pub(crate) fn assert_positions(table: &Embedding, places: Places, tokens: usize) {
    let [rows, _] = table.weight.lazy_shape().dims();
    let longest = places.longest(rows);
    assert!(tokens <= longest, "the model has {longest} positions, got {tokens} tokens");
}

fn look_up(table: &Embedding, ids: Tensor<2, Int>, padding: Option<usize>) -> Tensor<3> {
    let rows = table.forward(ids.clone());
    match padding {
        Some(padding) if rows.is_tracked() => {
            let is_padding = ids.equal_elem(padding as i64).unsqueeze_dim::<3>(2).expand(rows.shape());
            rows.clone().mask_where(is_padding, rows.detach())
        }
        _ => rows,
    }
}

fn places_after(padding: usize, ids: &Tensor<2, Int>) -> Tensor<2, Int> {
    let is_token = ids.clone().not_equal_elem(padding as i64).int();
    is_token.clone().cumsum(1) * is_token + padding as i64
}
