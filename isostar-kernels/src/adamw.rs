//! The update of AdamW.
//!
//! # Upstream
//! No issue is filed with Burn for an AdamW in one pass. burn-optim 0.22.1 composes it of fifteen
//! operations, each of them a pass over memory on one thread of flex.

mod update;

use burn::prelude::*;

pub use update::AdamWUpdate;
use update::Constants;

/// Updates a parameter and the moments of its gradient by AdamW (Loshchilov and Hutter, 2019,
/// arXiv:1711.05101).
///
/// ```text
///   m ← β₁·m + (1 − β₁)·g
///   v ← β₂·v + (1 − β₂)·g²
///   p ← (1 − η·λ)·p − η · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)
/// ```
///
/// Returns p and `[m, v]`. Without `moments`, m = v = 0. ε is added to the root of the corrected
/// moment, as in PyTorch.
///
/// Replaces `burn::optim::AdamW`, which passes over memory fifteen times on one thread of flex. On
/// flex and in f32 there is one pass on all threads, which writes into the tensors' own memory
/// where nothing else holds them; it rounds as the composition does, to the same bits. Elsewhere,
/// it is the composition.
///
/// # Shapes
/// - `parameter`, `gradient` and the moments: equal, of any rank
///
/// # Panics
/// If the shapes differ.
pub fn adamw<const D: usize>(
    update: &AdamWUpdate,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moments: Option<[Tensor<D>; 2]>,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let [first, second] = moments.unwrap_or_else(|| [gradient.zeros_like(), gradient.zeros_like()]);
    for tensor in [&gradient, &first, &second] {
        assert_eq!(
            tensor.dims(),
            parameter.dims(),
            "adamw: a parameter, its gradient and its moments have one shape"
        );
    }
    #[cfg(feature = "flex")]
    if !crate::composed::is_composed()
        && [&parameter, &gradient, &first, &second]
            .into_iter()
            .all(crate::flex::holds)
    {
        return flex::adamw(update, parameter, gradient, [first, second]);
    }
    composition(update, parameter, gradient, [first, second])
}

fn composition<const D: usize>(
    update: &AdamWUpdate,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    [first, second]: [Tensor<D>; 2],
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let numbers = Constants::new(update);
    let first = first * update.beta_1 + gradient.clone() * numbers.new_first;
    let second = second * update.beta_2 + gradient.square() * numbers.new_second;
    let change = (first.clone() / numbers.correction_1)
        / ((second.clone() / numbers.correction_2).sqrt() + update.epsilon);
    (
        parameter * numbers.kept - change * numbers.rate,
        [first, second],
    )
}

#[cfg(feature = "flex")]
mod flex;

#[cfg(all(test, feature = "flex"))]
mod tests;
