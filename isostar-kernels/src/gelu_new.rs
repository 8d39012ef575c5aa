//! The tanh approximation of GELU.
//!
//! # Upstream
//! No issue is filed for the power, which costs a logarithm and an exponential, nor for
//! multithreaded element-wise functions; <https://github.com/tracel-ai/burn/issues/5613> lists
//! other operations of burn-flex that run on one thread.

use burn::prelude::*;
use burn::tensor::activation;

/// Applies the tanh approximation of GELU to every element.
///
/// ```text
///   y = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))) = x σ(u)        u = 2√(2/π) (x + 0.044715 x³)
///   dy/dx = σ(u) + x σ(u) (1 − σ(u)) du/dx
/// ```
///
/// Replaces `burn::tensor::activation::gelu_approximate`, which raises x to the power 3.0 at the
/// cost of a logarithm and an exponential per element. On flex, in f32, value and derivative are
/// computed on all threads; on other backends, the second form is composed of tensor operations.
///
/// # References
/// Hendrycks & Gimpel, "Gaussian Error Linear Units (GELUs)" (2016).
pub fn gelu_new<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if crate::flex::holds(&input) {
        return Tensor::from_dispatch(fused(input.into_dispatch()));
    }
    const TWICE_SQRT_2_OVER_PI: f64 =
        2.0 * core::f64::consts::FRAC_2_SQRT_PI * core::f64::consts::FRAC_1_SQRT_2;
    let inner = input.clone()
        * (input.clone().square() * (0.044715 * TWICE_SQRT_2_OVER_PI) + TWICE_SQRT_2_OVER_PI);
    input * activation::sigmoid(inner)
}

#[cfg(feature = "flex")]
fn fused(input: burn::backend::DispatchTensor) -> burn::backend::DispatchTensor {
    crate::flex::elementwise(GeluNew, input)
}

/// The function on flex.
#[cfg(feature = "flex")]
#[derive(Clone, Debug)]
struct GeluNew;

#[cfg(feature = "flex")]
impl crate::flex::Function for GeluNew {
    #[inline(always)]
    fn at(x: f32) -> [f32; 2] {
        const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
        let [sigma, slope] =
            crate::flex::sigmoid(x * TWICE_SQRT_2_OVER_PI * (1.0 + 0.044715 * x * x));
        let inner_slope = TWICE_SQRT_2_OVER_PI * (1.0 + 3.0 * 0.044715 * x * x);
        [x * sigma, sigma + x * slope * inner_slope]
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::flex::Function;
    use crate::flex::tests::assert_values_and_slopes;

    #[test]
    fn values_and_slopes_are_those_of_f64() {
        assert_values_and_slopes(GeluNew::at, |x| {
            x / (1.0
                + (-2.0 * (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).exp())
        });
    }
}
