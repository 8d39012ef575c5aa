//! Multi-head attention: scores, softmax, dropout and the product with the values.
//!
//! # Upstream
//! No issue is filed for attention with dropout and a gradient. Related issues are
//! <https://github.com/tracel-ai/burn/issues/5612>, multithreading of flex's attention, and
//! <https://github.com/tracel-ai/burn/issues/5069>, flex's broadcast operations that process one
//! number at a time.

use burn::nn::Dropout;
use burn::prelude::*;

use crate::dropout::dropout;
use crate::precision::product;

/// Averages the values for each token and head, weighted by the softmax of the token's scores.
///
/// ```text
///   P = softmax(s · Q Kᵀ + mask)        W = P ∘ D        Y = W V
///
///   dV = Wᵀ dY        dP = (dY Vᵀ) ∘ D        dS = P ∘ (dP − rowsum(P ∘ dP))
///   dQ = s · dS K        dK = s · dSᵀ Q
/// ```
///
/// Q, K and V are the columns of one head, s is `scale`, and D are the factors of dropout: 0 with
/// its probability p, else 1/(1 − p), in training only.
///
/// Replaces the split into heads, two products, the sum with the mask, softmax and dropout. On flex,
/// in f32, each head of each sequence is one thread's work, block by block of tokens: the scores
/// stay in the core's cache, no head is copied, and the tape keeps two numbers per token and head.
/// The backward pass computes P and D again. The two products are in the current [`Precision`](crate::Precision).
///
/// # Shapes
/// - `query`, `key`, `value`, output: `[sequences, tokens, d]`
/// - `mask`: `[sequences, 1, 1 or tokens, tokens]`: 0 where a token may attend, the most negative
///   number elsewhere; takes no gradient
///
/// # Panics
/// If `heads` does not divide d, or if a shape differs from those above.
///
/// # References
/// Vaswani et al., "Attention Is All You Need" (2017); Dao et al., "FlashAttention: Fast and
/// Memory-Efficient Exact Attention with IO-Awareness" (2022).
pub fn attention(
    [query, key, value]: [Tensor<3>; 3],
    mask: Tensor<4>,
    heads: usize,
    scale: f64,
    settings: &Dropout,
) -> Tensor<3> {
    let [sequences, tokens, d] = query.dims();
    assert_eq!(
        [key.dims(), value.dims()],
        [[sequences, tokens, d]; 2],
        "queries, keys and values have one shape"
    );
    assert!(
        heads > 0 && d % heads == 0,
        "{heads} heads do not divide the width {d}"
    );
    let [masked, one, rows, columns] = mask.dims();
    let is_mask = [masked, one, columns] == [sequences, 1, tokens] && (rows == 1 || rows == tokens);
    assert!(
        is_mask,
        "the mask is [{sequences}, 1, 1 or {tokens}, {tokens}], got {:?}",
        mask.dims()
    );

    #[cfg(feature = "flex")]
    if crate::precision::is_single()
        && [&query, &key, &value].into_iter().all(crate::flex::holds)
        && crate::flex::holds(&mask)
    {
        let row = heads * tokens * tokens;
        let stream = crate::stream::Stream::draw(settings, &query.device(), row);
        let sizes = flex::Sizes {
            sequences,
            tokens,
            heads,
            d_head: d / heads,
            mask_rows: rows,
        };
        let operation = flex::Attention {
            sizes,
            scale: scale as f32,
            stream,
        };
        let mask = mask.without_autodiff().into_dispatch();
        return Tensor::from_dispatch(crate::tape::apply(
            operation,
            [
                query.into_dispatch(),
                key.into_dispatch(),
                value.into_dispatch(),
                mask,
            ],
        ));
    }
    let split = |projected: Tensor<3>| {
        projected
            .reshape([sequences, tokens, heads, d / heads])
            .swap_dims(1, 2)
    };
    let [query, key, value] = [query.mul_scalar(scale), key, value].map(split);
    let context = weighted(product(query, key.transpose()), mask, value, settings);
    context.swap_dims(1, 2).reshape([sequences, tokens, d])
}

/// Computes dropout(softmax(scores + mask)) · value. If a gradient is needed, the division by the
/// softmax's sum comes after the product, where a row has `d_head` numbers rather than one per
/// token.
fn weighted(scores: Tensor<4>, mask: Tensor<4>, value: Tensor<4>, settings: &Dropout) -> Tensor<4> {
    let scores = scores + mask;
    let largest = scores.clone().detach().max_dim(3);
    let weights = (scores - largest).exp();
    let total = weights.clone().sum_dim(3);
    product(dropout(settings, weights), value) / total
}

#[cfg(feature = "flex")]
mod flex;

#[cfg(all(test, feature = "flex"))]
mod tests;
