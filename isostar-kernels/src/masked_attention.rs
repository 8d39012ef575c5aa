//! Masked attention: softmax, dropout and the product with the values.
//!
//! # Upstream
//! No issue is filed for a softmax that adds its mask in the same pass. Related issues are
//! <https://github.com/tracel-ai/burn/issues/5612>, multithreading of flex's attention, and
//! <https://github.com/tracel-ai/burn/issues/5069>, flex's broadcast operations that process one
//! number at a time.

use burn::nn::Dropout;
use burn::prelude::*;

use crate::dropout::dropout;

/// Averages the values for each token, weighted by the softmax of its scores.
///
/// ```text
///   y = dropout(softmax(scores + mask)) · value
/// ```
///
/// Replaces `softmax(scores + mask, 3)`, dropout and a product. If a gradient is needed, the
/// division by the softmax's sum comes after the product, where a row has `d_head` numbers rather
/// than one per token: the value is the same, and the largest tensors of a model go through fewer
/// operations. Without a gradient, on flex and in f32, mask and softmax are one pass over each row,
/// on all threads. The gradient is Burn's, of the composed operations.
///
/// # Shapes
/// - `scores`: `[sequences, heads, tokens, tokens]`
/// - `mask`: `[sequences, 1, 1 or tokens, tokens]`: 0 where a token may attend, the most negative
///   number elsewhere
/// - `value`, output: `[sequences, heads, tokens, d_head]`
pub fn masked_attention(scores: Tensor<4>, mask: Tensor<4>, value: Tensor<4>, settings: &Dropout) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if crate::flex::holds(&scores) && !scores.is_tracked() {
        return masked_softmax(scores, mask).matmul(value);
    }
    let scores = scores + mask;
    let largest = scores.clone().detach().max_dim(3);
    let weights = (scores - largest).exp();
    let total = weights.clone().sum_dim(3);
    dropout(settings, weights).matmul(value) / total
}

/// Computes softmax(scores + mask) of each row, not differentiable. Shapes as in
/// [`masked_attention`].
#[cfg(feature = "flex")]
fn masked_softmax(scores: Tensor<4>, mask: Tensor<4>) -> Tensor<4> {
    let [_, heads, tokens, _] = scores.dims();
    let [_, _, mask_rows, _] = mask.dims();
    let mask = mask.into_data().try_into_vec::<f32>().expect("the mask has the type of the scores");
    let rows = crate::flex::CHUNK.div_ceil(tokens);
    let [scores] = crate::tape::primitives([scores.into_dispatch()]);
    let weights = crate::tape::changed(scores, rows * tokens, |chunk, scores| {
        for (at, scores) in scores.chunks_mut(tokens).enumerate() {
            let row = chunk * rows + at;
            let (sequence, token) = (row / (heads * tokens), row % mask_rows);
            let start = (sequence * mask_rows + token) * tokens;
            softmax(scores, &mask[start..start + tokens]);
        }
    });
    crate::tape::plain(weights)
}

#[cfg(feature = "flex")]
#[inline(always)]
fn softmax(scores: &mut [f32], mask: &[f32]) {
    use crate::flex::{exp, folded};
    scores.iter_mut().zip(mask).for_each(|(score, mask)| *score += mask);
    let largest = folded(scores, f32::NEG_INFINITY, |largest, score| if score > largest { score } else { largest });
    scores.iter_mut().for_each(|score| *score = exp(*score - largest));
    let share = 1.0 / folded(scores, 0.0, |total, score| total + score);
    scores.iter_mut().for_each(|score| *score *= share);
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Distribution;
    use burn::tensor::activation;

    use super::*;

    /// Scores and a mask with `mask_rows` rows per sequence.
    fn made(mask_rows: usize, device: &Device) -> [Tensor<4>; 2] {
        let scores = Tensor::random([2, 3, 4, 4], Distribution::Normal(0.0, 3.0), device);
        [scores, Tensor::random([2, 1, mask_rows, 4], Distribution::Bernoulli(0.3), device) * f32::MIN]
    }

    fn numbers(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn rows_are_masked_each_by_its_own() {
        for mask_rows in [1, 4] {
            let [scores, mask] = made(mask_rows, &Device::flex());
            let found = numbers(masked_softmax(scores.clone(), mask.clone()));
            let expected = numbers(activation::softmax(scores + mask, 3));
            assert!(found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < 1e-6));
        }
    }

    #[test]
    fn tracked_and_untracked_scores_give_the_softmax_times_the_values() {
        let device = Device::flex();
        let settings = burn::nn::DropoutConfig::new(0.5).init();
        for mask_rows in [1, 4] {
            let [scores, mask] = made(mask_rows, &device);
            let value = Tensor::<4>::random([2, 3, 4, 5], Distribution::Normal(0.0, 1.0), &device);
            let expected = numbers(activation::softmax(scores.clone() + mask.clone(), 3).matmul(value.clone()));
            // Dropout acts only in training, on an autodiff device, so the tracked scores use
            // probability 0.
            let untracked = masked_attention(scores.clone(), mask.clone(), value.clone(), &settings);
            let [scores, mask, value] =
                [scores, mask, value].map(|tensor| Tensor::from_data(tensor.into_data(), &device.clone().autodiff()));
            let tracked = masked_attention(scores.require_grad(), mask, value, &burn::nn::DropoutConfig::new(0.0).init());
            for found in [numbers(untracked), numbers(tracked)] {
                assert!(found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < 2e-6));
            }
        }
    }
}
