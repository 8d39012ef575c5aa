use burn::nn::{Dropout, Linear};
use burn::prelude::*;
use isostar_kernels::attention;

use super::linear::each_token;

/// Multi-head self-attention.
///
/// ```text
/// y = concat over heads of  dropout(softmax(scale · Q Kᵀ + mask)) V,  times the output weights
/// ```
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// Projection to the queries Q.
    pub query: Linear,
    /// Projection to the keys K.
    pub key: Linear,
    /// Projection to the values V.
    pub value: Linear,
    /// Output projection of the concatenated heads.
    pub output: Linear,
    /// Applied to the attention probabilities.
    pub dropout: Dropout,
    /// Number of heads; divides d.
    pub heads: usize,
    /// Factor of the attention scores: 1/√d_head in all models except some GPT-2 models.
    pub scale: f64,
}

impl SelfAttention {
    /// # Shapes
    /// - `hidden`: `[sequences, tokens, d]`
    /// - `mask`: `[sequences, 1, 1 or tokens, tokens]`: 0 where a token may attend, the most
    ///   negative number elsewhere
    /// - output: `[sequences, tokens, d]`
    pub fn forward(&self, hidden: Tensor<3>, mask: Tensor<4>) -> Tensor<3> {
        let query = each_token(&self.query, hidden.clone());
        let key = each_token(&self.key, hidden.clone());
        let value = each_token(&self.value, hidden);
        each_token(
            &self.output,
            attention(
                [query, key, value],
                mask,
                self.heads,
                self.scale,
                &self.dropout,
            ),
        )
    }
}

/// Additive attention mask that hides padding: 0 where `mask` is true, elsewhere the most negative
/// finite number, which keeps rows that are all padding finite.
///
/// # Shapes
/// - `mask`: `[sequences, tokens]`
/// - output: `[sequences, 1, 1, tokens]`
pub(crate) fn padding_mask(mask: Tensor<2, Bool>, like: &Tensor<3>) -> Tensor<4> {
    additive(mask.unsqueeze_dims(&[1, 1]), like)
}

/// Additive attention mask of causal models: 0 where the other token is not padding and not after
/// this one, elsewhere the most negative finite number.
///
/// # Shapes
/// - `mask`: `[sequences, tokens]`
/// - output: `[sequences, 1, tokens, tokens]`
pub(crate) fn causal_mask(mask: Tensor<2, Bool>, like: &Tensor<3>) -> Tensor<4> {
    let [sequences, tokens] = mask.dims();
    let position = Tensor::<1, Int>::arange(0..tokens as i64, &mask.device());
    let is_past = position
        .clone()
        .unsqueeze_dim::<2>(1)
        .greater_equal(position.unsqueeze_dim(0));
    let shape = [sequences, 1, tokens, tokens];
    let is_token = mask.unsqueeze_dims::<4>(&[1, 1]).expand(shape);
    additive(
        is_token.bool_and(is_past.unsqueeze_dims::<4>(&[0, 0]).expand(shape)),
        like,
    )
}

fn additive(may_look: Tensor<4, Bool>, like: &Tensor<3>) -> Tensor<4> {
    let lowest = like
        .dtype()
        .finfo()
        .expect("hidden states are floating-point numbers")
        .min;
    may_look
        .bool_not()
        .float()
        .cast(like.dtype())
        .mul_scalar(lowest)
}
