//! SiLU, also called swish.
//!
//! # Upstream
//! No issue is filed for multithreaded element-wise functions;
//! <https://github.com/tracel-ai/burn/issues/5613> lists other operations of burn-flex that run on
//! one thread.

use burn::prelude::*;
use burn::tensor::activation;

/// Applies SiLU to every element.
///
/// ```text
///   y = x σ(x)        dy/dx = σ(x) + x σ(x) (1 − σ(x))
/// ```
///
/// Replaces `burn::tensor::activation::silu`. On flex, in f32, value and derivative are computed on
/// all threads; in all other cases it calls that function.
///
/// # References
/// Elfwing, Uchibe & Doya, "Sigmoid-Weighted Linear Units for Neural Network Function Approximation
/// in Reinforcement Learning" (2018).
pub fn silu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if crate::flex::holds(&input) {
        return Tensor::from_dispatch(fused(input.into_dispatch()));
    }
    activation::silu(input)
}

#[cfg(feature = "flex")]
fn fused(input: burn::backend::DispatchTensor) -> burn::backend::DispatchTensor {
    crate::flex::elementwise(Silu, input)
}

/// The function on flex.
#[cfg(feature = "flex")]
#[derive(Clone, Debug)]
struct Silu;

#[cfg(feature = "flex")]
impl crate::flex::Function for Silu {
    #[inline(always)]
    fn at(x: f32) -> [f32; 2] {
        let [sigma, slope] = crate::flex::sigmoid(x);
        [x * sigma, sigma + x * slope]
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::flex::Function;
    use crate::flex::tests::assert_values_and_slopes;

    #[test]
    fn values_and_slopes_are_those_of_f64() {
        assert_values_and_slopes(Silu::at, |x| x / (1.0 + (-x).exp()));
    }
}
