use burn::nn::{Dropout, Embedding};
use burn::prelude::*;
use isostar_kernels::{dropout, is_flex};

use super::norm::LayerNorm;

/// The sum of word, position and segment embeddings, normalized.
///
/// ```text
/// y = dropout(LayerNorm(word[id] + position[place] + token_type[type_id]))
/// ```
///
/// The padding token's rows of the word and position tables receive no gradient, as with PyTorch's
/// `padding_idx`.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// Word embeddings, one row per token id. Shape `[vocabulary, d]`.
    pub word: Embedding,
    /// Position embeddings, one row per position. Shape `[positions, d]`.
    pub position: Embedding,
    /// Segment embeddings, one row per segment. Shape `[types, d]`; `None` in models without
    /// segments.
    pub token_type: Option<Embedding>,
    /// Normalizes the sum.
    pub norm: LayerNorm,
    /// Applied after the normalization.
    pub dropout: Dropout,
    /// Id of the padding token, if there is one.
    pub padding: Option<usize>,
    /// How the positions of a sequence are numbered.
    #[module(skip)]
    pub places: Places,
}

/// How token positions map to rows of the position table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// 0, 1, 2, … for tokens and padding alike.
    FromZero,
    /// RoBERTa's numbering: p + 1, p + 2, … for tokens and p for padding, where p is the padding
    /// token's id.
    AfterPadding(usize),
}

impl Places {
    /// The longest sequence that a position table with `rows` rows supports.
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
            Places::AfterPadding(padding) => {
                look_up(&self.position, places_after(padding, &ids), Some(padding))
            }
        };
        let mut sum = look_up(&self.word, ids, self.padding);
        if let Some(table) = &self.token_type {
            sum = sum + segments(table, type_ids);
        }
        dropout(&self.dropout, self.norm.forward(sum + position))
    }
}

/// Panics if a sequence is too long for the position table.
pub(crate) fn assert_positions(table: &Embedding, places: Places, tokens: usize) {
    let [rows, _] = table.weight.lazy_shape().dims();
    let longest = places.longest(rows);
    assert!(
        tokens <= longest,
        "the model has {longest} positions, got {tokens} tokens"
    );
}

fn look_up(table: &Embedding, ids: Tensor<2, Int>, padding: Option<usize>) -> Tensor<3> {
    let rows = table.forward(ids.clone());
    match padding {
        Some(padding) if rows.is_tracked() => {
            let is_padding = ids
                .equal_elem(padding as i64)
                .unsqueeze_dim::<3>(2)
                .expand(rows.shape());
            rows.clone().mask_where(is_padding, rows.detach())
        }
        _ => rows,
    }
}

/// The rows of a segment table.
///
/// Burn 0.22's GPU backends compute the gradient of a table token by token in one thread per column.
/// Two rows are therefore combined without a table, as row₀·(1 − t) + row₁·t, which is exact. flex
/// looks them up faster.
fn segments(table: &Embedding, type_ids: Tensor<2, Int>) -> Tensor<3> {
    let rows = table.weight.val();
    if rows.dims()[0] != 2 || is_flex(&rows.device()) {
        return table.forward(type_ids);
    }
    combined(rows, type_ids)
}

/// row₀·(1 − t) + row₁·t of a table with two rows.
fn combined(rows: Tensor<2>, type_ids: Tensor<2, Int>) -> Tensor<3> {
    let second: Tensor<3> = type_ids.float().cast(rows.dtype()).unsqueeze_dim(2);
    let first = second.ones_like() - second.clone();
    rows.clone().narrow(0, 0, 1).unsqueeze::<3>() * first
        + rows.narrow(0, 1, 1).unsqueeze::<3>() * second
}

fn places_after(padding: usize, ids: &Tensor<2, Int>) -> Tensor<2, Int> {
    let is_token = ids.clone().not_equal_elem(padding as i64).int();
    is_token.clone().cumsum(1) * is_token + padding as i64
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn two_segments_without_a_table_have_its_values_and_gradients() {
        let device = Device::flex().autodiff();
        let table = Embedding {
            weight: burn::module::Param::from_data([[0.1, -0.7, 3.0], [1e-3, 0.3, -2.0]], &device),
        };
        let ids = Tensor::<2, Int>::from_ints([[0, 1, 1, 0], [1, 0, 0, 0]], &device);
        let weights = Tensor::<3>::random(
            [2, 4, 3],
            burn::tensor::Distribution::Normal(0.0, 1.0),
            &device,
        );
        let [expected, found] = [
            table.forward(ids.clone()),
            combined(table.weight.val(), ids),
        ]
        .map(|rows| {
            let gradients = (rows.clone() * weights.clone()).sum().backward();
            (
                rows.into_data(),
                table
                    .weight
                    .val()
                    .grad(&gradients)
                    .expect("the table is tracked"),
            )
        });
        assert_eq!(found.0, expected.0, "the values are exact");
        let difference: f32 = (found.1 - expected.1).abs().max().into_scalar();
        assert!(difference < 1e-6, "{difference}");
    }
}
