//! Element-wise functions on the CPU backend flex, multithreaded and vectorized.
//!
//! burn-flex 0.22.1 runs element-wise functions on one thread, and computes its error function and
//! exponential one number at a time. Next to matrix products, which use every core, they took a
//! third of a forward pass.

use std::fmt::{Debug, Formatter, Result};

use burn::backend::flex::FlexTensor;
use burn::prelude::*;
use burn::tensor::DType;

use crate::composed::is_composed;
use crate::host::is_flex;
use crate::tape::{Operation, apply, changed, in_order, numbers};

/// Numbers that a thread processes at once; they fit its cache.
pub(crate) const CHUNK: usize = 1 << 14;
const LANES: usize = 16;

/// Whether `tensor` is on flex and has the type that these functions support, f32, and the fused
/// forms are not switched off.
pub(crate) fn holds<const D: usize>(tensor: &Tensor<D>) -> bool {
    !is_composed() && tensor.dtype() == DType::F32 && is_flex(&tensor.device())
}

/// Applies f to every element, differentiably; `f` returns its value and its slope.
pub(crate) fn elementwise<const D: usize>(x: Tensor<D>, f: impl Fn(f32) -> [f32; 2] + Copy + Send + Sync + 'static) -> Tensor<D> {
    apply(Elementwise(f), [x.into_dispatch()])
}

/// An element-wise function. The backward pass computes the slopes again, from the inputs: they
/// are as many numbers as the slopes, and the product before keeps them as well.
#[derive(Clone)]
struct Elementwise<F>(F);

impl<F> Debug for Elementwise<F> {
    fn fmt(&self, formatter: &mut Formatter) -> Result {
        formatter.write_str("Elementwise")
    }
}

impl<F: Fn(f32) -> [f32; 2] + Copy + Send + Sync + 'static> Operation<1> for Elementwise<F> {
    type Saved = Option<FlexTensor>;

    fn forward(&self, [x]: [FlexTensor; 1], [tracked]: [bool; 1]) -> (FlexTensor, Self::Saved) {
        let saved = tracked.then(|| x.clone());
        let value = changed(
            x,
            CHUNK,
            // Inlined into the code for the machine's registers; otherwise it is scalar.
            #[inline(always)]
            |_, numbers| numbers.iter_mut().for_each(|number| *number = self.0(*number)[0]),
        );
        (value, saved)
    }

    fn backward(self, saved: Self::Saved, gradient: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let x = in_order(saved.expect("a tracked input is saved"));
        let x = numbers(&x);
        let gradient = changed(
            gradient,
            CHUNK,
            #[inline(always)]
            |index, gradients| {
                for (gradient, x) in gradients.iter_mut().zip(&x[index * CHUNK..]) {
                    *gradient *= self.0(*x)[1];
                }
            },
        );
        [Some(gradient)]
    }
}

/// Reduces `numbers` by `join`, in as many lanes as fit a wide register.
#[inline(always)]
pub(crate) fn folded(numbers: &[f32], start: f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let (lanes, rest) = numbers.as_chunks::<LANES>();
    let mut all = [start; LANES];
    for numbers in lanes {
        for (all, number) in all.iter_mut().zip(numbers) {
            *all = join(*all, *number);
        }
    }
    all.iter().chain(rest).fold(start, |one, other| join(one, *other))
}

/// Returns σ(x) and its slope, without the cancellation of 1 − σ(x).
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> [f32; 2] {
    let e = exp(-x.abs());
    let larger = 1.0 / (1.0 + e);
    let smaller = e * larger;
    [if x < 0.0 { smaller } else { larger }, larger * smaller]
}

/// Returns eˣ in branch-free arithmetic, which the compiler vectorizes: 2ⁿ times a polynomial of
/// the remainder, |r| ≤ ln 2 / 2.
///
/// The error is below 2 ulp; the result is 0 below −87 and finite up to 88.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// Adding and subtracting this number rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.0, 88.0);
    let n = clamped * core::f32::consts::LOG2_E + ROUND - ROUND;
    let r = clamped - n * LN_2_HIGH - n * LN_2_LOW;
    let series = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r / 5_040.0))))));
    let power = f32::from_bits(((n as i32).wrapping_add(127) << 23) as u32);
    if x < -87.0 { 0.0 } else { series * power }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::gelu::value_and_slope as gelu;

    fn grid(from: f32, to: f32) -> impl Iterator<Item = f32> {
        (0..=200_000).map(move |at| from + (to - from) * at as f32 / 200_000.0)
    }

    /// Compares values and slopes on [−12, 12] with those of `exact` in f64, by central
    /// differences.
    pub(crate) fn assert_values_and_slopes(found: fn(f32) -> [f32; 2], exact: fn(f64) -> f64) {
        for x in grid(-12.0, 12.0) {
            let (wide, step) = (f64::from(x), 1e-6);
            let [value, slope] = found(x).map(f64::from);
            let exact_slope = (exact(wide + step) - exact(wide - step)) / (2.0 * step);
            assert!((value - exact(wide)).abs() < 3e-7 * wide.abs().max(1.0), "the value at {x}: {value}");
            assert!((slope - exact_slope).abs() < 1e-6, "the slope at {x}: {slope}");
        }
    }

    #[test]
    fn the_exponential_is_within_two_ulp() {
        for x in grid(-87.0, 88.0) {
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 2.0 * f64::from(f32::EPSILON), "{x}");
        }
        assert_eq!(exp(f32::MIN), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn the_gradient_is_the_slope() {
        let device = Device::flex().autodiff();
        let x = Tensor::<1>::from_floats([-3.0, -0.5, 0.0, 0.7, 4.0], &device).require_grad();
        let y = elementwise(x.clone(), gelu);
        let gradient: Vec<f32> = x.grad(&y.clone().sum().backward()).unwrap().into_data().try_into_vec().unwrap();
        let points: Vec<f32> = x.into_data().try_into_vec().unwrap();
        let values: Vec<f32> = y.into_data().try_into_vec().unwrap();
        for ((x, value), slope) in points.into_iter().zip(values).zip(gradient) {
            assert_eq!(gelu(x)[1], slope);
            assert!((gelu(x)[0] - value).abs() <= f32::EPSILON * x.abs(), "{x}");
        }
    }
}
