//! Layer normalization, alone and after a residual sum with dropout.
//!
//! # Upstream
//! No issue is filed: burn-autodiff 0.22.1 has no gradient of its own for layer normalization, and
//! records nine operations.

use burn::nn::Dropout;
use burn::prelude::*;

use crate::dropout::dropout;

/// Scale, shift and epsilon of a layer normalization.
#[derive(Clone, Debug)]
pub struct Normalization {
    /// Scale γ. Shape `[d]`.
    pub gamma: Tensor<1>,
    /// Shift β. Shape `[d]`.
    pub beta: Tensor<1>,
    /// ε, added to the variance.
    pub epsilon: f64,
}

/// Normalizes each row to mean 0 and variance 1, then scales and shifts it.
///
/// ```text
///   x̂ = (x − mean x) / √(var x + ε)        y = γ ∘ x̂ + β
///
///   g = γ ∘ dy        dx = (g − mean g − x̂ · mean(g ∘ x̂)) / √(var x + ε)
///   dγ = Σ dy ∘ x̂        dβ = Σ dy        over all rows
/// ```
///
/// The variance is the biased one. Replaces `burn::tensor::module::layer_norm`, which it calls if the
/// tensors are not on flex or not in f32. On flex, a pass over the rows in each direction, on all
/// threads; the sums over rows are taken in an order that does not depend on the count of threads.
///
/// # Shapes
/// - `input`, output: `[…, d]`
///
/// # References
/// Ba, Kiros & Hinton, "Layer Normalization" (2016).
pub fn layer_norm<const D: usize>(input: Tensor<D>, norm: Normalization) -> Tensor<D> {
    let Normalization {
        gamma,
        beta,
        epsilon,
    } = norm;
    #[cfg(feature = "flex")]
    if crate::flex::holds(&input) && crate::flex::holds(&gamma) && crate::flex::holds(&beta) {
        let inputs = [
            input.into_dispatch(),
            gamma.into_dispatch(),
            beta.into_dispatch(),
        ];
        return Tensor::from_dispatch(flex::layer_norm(inputs, epsilon as f32));
    }
    burn::tensor::module::layer_norm(input, gamma, Some(beta), epsilon)
}

/// Adds a branch, after dropout, to its residual, and normalizes the sum.
///
/// ```text
///   y = layer_norm(residual + dropout(branch))
/// ```
///
/// Its gradients are those of [`layer_norm`]; the branch's is multiplied by the mask of dropout.
/// Replaces [`dropout`], the sum and [`layer_norm`]. On flex, in f32, it is one pass over the rows in
/// each direction.
///
/// # Shapes
/// - `residual`, `branch`, output: `[…, d]`
pub fn residual_norm<const D: usize>(
    residual: Tensor<D>,
    branch: Tensor<D>,
    settings: &Dropout,
    norm: Normalization,
) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if [&residual, &branch].into_iter().all(crate::flex::holds)
        && [&norm.gamma, &norm.beta]
            .into_iter()
            .all(crate::flex::holds)
    {
        assert_eq!(
            residual.dims(),
            branch.dims(),
            "a branch has the shape of its residual"
        );
        let Normalization {
            gamma,
            beta,
            epsilon,
        } = norm;
        let row = branch.dims()[1..].iter().product();
        let stream = crate::stream::Stream::draw(settings, &branch.device(), row);
        let inputs = [
            residual.into_dispatch(),
            branch.into_dispatch(),
            gamma.into_dispatch(),
            beta.into_dispatch(),
        ];
        return Tensor::from_dispatch(flex::residual_norm(inputs, epsilon as f32, stream));
    }
    layer_norm(residual + dropout(settings, branch), norm)
}

#[cfg(feature = "flex")]
mod flex;

#[cfg(all(test, feature = "flex"))]
mod tests;
