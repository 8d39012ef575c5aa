//! GELU with its exact derivative.
//!
//! # Upstream
//! No issue is filed for the derivative: outside flex, burn 0.22.1 differentiates the approximation
//! by tanh (`gelu_backward` of burn-backend). No issue is filed for multithreaded element-wise
//! functions either; <https://github.com/tracel-ai/burn/issues/5613> lists other operations of
//! burn-flex that run on one thread.

use burn::prelude::*;
use burn::tensor::activation;

/// Applies GELU to every element, with its exact derivative.
///
/// ```text
///   y = x Φ(x)        dy/dx = Φ(x) + x φ(x)
/// ```
///
/// Φ and φ are the distribution function and the density of the standard normal distribution. On
/// flex, in f32, Φ comes from a polynomial with an error of at most 7.5e-8, and value and
/// derivative are computed on all threads.
///
/// Replaces `burn::tensor::activation::gelu`, whose derivative is that of the tanh approximation on
/// every backend except flex; it made gradients of a small BERT differ by 1e-3. On other backends,
/// a tracked tensor is computed as x/2 · (1 + erf(x/√2)), using the derivative of erf.
///
/// # References
/// Hendrycks & Gimpel, "Gaussian Error Linear Units (GELUs)" (2016); Abramowitz & Stegun, "Handbook
/// of Mathematical Functions", 7.1.26.
pub fn gelu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if crate::flex::holds(&input) {
        return Tensor::from_dispatch(fused(input.into_dispatch()));
    }
    if !input.is_tracked() {
        return activation::gelu(input);
    }
    let twice_phi = (input.clone() * core::f64::consts::FRAC_1_SQRT_2).erf() + 1.0;
    input * twice_phi * 0.5
}

#[cfg(feature = "flex")]
fn fused(input: burn::backend::DispatchTensor) -> burn::backend::DispatchTensor {
    crate::flex::elementwise(Gelu, input)
}

/// The function on flex.
#[cfg(feature = "flex")]
#[derive(Clone, Debug)]
pub(crate) struct Gelu;

#[cfg(feature = "flex")]
impl crate::flex::Function for Gelu {
    #[inline(always)]
    fn at(x: f32) -> [f32; 2] {
        const INV_SQRT_2PI: f32 = 0.398_942_3;
        let bell = crate::flex::exp(-0.5 * x * x);
        let t = 1.0 / (1.0 + 0.327_591_1 * core::f32::consts::FRAC_1_SQRT_2 * x.abs());
        let series = t
            * (0.254_829_6
                + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152_1 + t * 1.061_405_4))));
        let tail = 0.5 * series * bell;
        let phi = if x < 0.0 { tail } else { 1.0 - tail };
        [x * phi, phi + x * INV_SQRT_2PI * bell]
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::flex::Function;
    use crate::flex::tests::assert_values_and_slopes;

    #[test]
    fn values_and_slopes_are_those_of_f64() {
        assert_values_and_slopes(Gelu::at, |x| {
            x * 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
        });
    }
}
