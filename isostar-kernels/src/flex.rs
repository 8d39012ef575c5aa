//! Element-wise functions on the CPU backend flex, multithreaded and vectorized.
//!
//! burn-flex 0.22.1 runs element-wise functions on one thread, and computes its error function and
//! exponential one number at a time. Next to matrix products, which use every core, they took a
//! third of a forward pass.

use std::fmt::Debug;

use burn::backend::DispatchTensor;
use burn::backend::flex::FlexTensor;
use burn::prelude::*;
use burn::tensor::DType;

use crate::composed::is_composed;
use crate::host::is_flex;
use crate::tape::{Operation, apply, changed, in_order, numbers};
use crate::wide::wide;

/// Numbers that a thread processes at once; they fit its cache.
pub(crate) const CHUNK: usize = 1 << 14;
const LANES: usize = 16;

/// Whether `tensor` is on flex and has the type that these functions support, f32, and the fused
/// forms are not switched off.
pub(crate) fn holds<const D: usize>(tensor: &Tensor<D>) -> bool {
    !is_composed() && tensor.dtype() == DType::F32 && is_flex(&tensor.device())
}

/// A function of one number.
pub(crate) trait Function: Clone + Debug + Send + Sync + 'static {
    /// Its value and its slope; to be inlined, so that the compiler vectorizes it.
    fn at(x: f32) -> [f32; 2];
}

/// Applies `F` to every element, differentiably.
pub(crate) fn elementwise<F: Function>(f: F, x: DispatchTensor) -> DispatchTensor {
    apply(Elementwise(f), [x])
}

/// An element-wise function. The backward pass computes the slopes from the inputs: keeping the
/// slopes would take as much memory, and one more pass.
#[derive(Clone, Debug)]
struct Elementwise<F>(F);

impl<F: Function> Operation<1> for Elementwise<F> {
    type Saved = Option<FlexTensor>;

    fn forward(&self, [x]: [FlexTensor; 1], [tracked]: [bool; 1]) -> (FlexTensor, Self::Saved) {
        let saved = tracked.then(|| x.clone());
        (changed(x, CHUNK, |_, numbers| values::<F>(numbers)), saved)
    }

    fn backward(
        self,
        saved: Self::Saved,
        gradient: FlexTensor,
        _: [bool; 1],
    ) -> [Option<FlexTensor>; 1] {
        let x = in_order(saved.expect("a tracked input is saved"));
        let x = numbers(&x);
        [Some(changed(gradient, CHUNK, |index, gradients| {
            slopes::<F>(gradients, &x[index * CHUNK..])
        }))]
    }
}

wide! {
    /// Replaces numbers by the values there.
    fn values<'a, F: Function>(numbers: &'a mut [f32]) {
        for number in numbers {
            *number = F::at(*number)[0];
        }
    }
}

wide! {
    /// Multiplies gradients by the slopes at `x`.
    fn slopes<'a, F: Function>(gradients: &'a mut [f32], x: &'a [f32]) {
        for (gradient, x) in gradients.iter_mut().zip(x) {
            *gradient *= F::at(*x)[1];
        }
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
    all.iter()
        .chain(rest)
        .fold(start, |one, other| join(one, *other))
}

/// Sums what `f` returns over the numbers of `inputs`, in as many lanes as fit a wide register.
#[inline(always)]
pub(crate) fn sums_of<const N: usize, const K: usize>(
    inputs: [&[f32]; N],
    f: impl Fn([f32; N]) -> [f32; K],
) -> [f32; K] {
    let count = inputs[0].len();
    let whole = count - count % LANES;
    let mut all = [[0.0; LANES]; K];
    for start in (0..whole).step_by(LANES) {
        let lanes = inputs.map(|input| {
            <[f32; LANES]>::try_from(&input[start..start + LANES]).expect("as many numbers")
        });
        for lane in 0..LANES {
            let terms = f(lanes.map(|input| input[lane]));
            for (all, term) in all.iter_mut().zip(terms) {
                all[lane] += term;
            }
        }
    }
    let mut sums = all.map(|lanes| lanes.iter().sum());
    for at in whole..count {
        for (sum, term) in sums.iter_mut().zip(f(inputs.map(|input| input[at]))) {
            *sum += term;
        }
    }
    sums
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
    /// Adding this number rounds to an integer, which is then in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.0, 88.0);
    let rounded = clamped * core::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = clamped - n * LN_2_HIGH - n * LN_2_LOW;
    let series = 1.0
        + r * (1.0
            + r * (0.5
                + r * (1.0 / 6.0
                    + r * (1.0 / 24.0
                        + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5_040.0)))))));
    let exponent = rounded
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .wrapping_add(127);
    let power = f32::from_bits(exponent << 23);
    // A choice between two numbers would become a branch.
    let kept = u32::from(x < -87.0).wrapping_sub(1);
    f32::from_bits((series * power).to_bits() & kept)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::gelu::Gelu;

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
            assert!(
                (value - exact(wide)).abs() < 3e-7 * wide.abs().max(1.0),
                "the value at {x}: {value}"
            );
            assert!(
                (slope - exact_slope).abs() < 1e-6,
                "the slope at {x}: {slope}"
            );
        }
    }

    #[test]
    fn the_exponential_is_within_two_ulp() {
        for x in grid(-87.0, 88.0) {
            let exact = f64::from(x).exp();
            assert!(
                (f64::from(exp(x)) / exact - 1.0).abs() < 2.0 * f64::from(f32::EPSILON),
                "{x}"
            );
        }
        assert_eq!(exp(f32::MIN), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn the_gradient_is_the_slope() {
        let device = Device::flex().autodiff();
        let x = Tensor::<1>::from_floats([-3.0, -0.5, 0.0, 0.7, 4.0], &device).require_grad();
        let y = Tensor::<1>::from_dispatch(elementwise(Gelu, x.clone().into_dispatch()));
        let gradient: Vec<f32> = x
            .grad(&y.clone().sum().backward())
            .unwrap()
            .into_data()
            .try_into_vec()
            .unwrap();
        let points: Vec<f32> = x.into_data().try_into_vec().unwrap();
        let values: Vec<f32> = y.into_data().try_into_vec().unwrap();
        for ((x, value), slope) in points.into_iter().zip(values).zip(gradient) {
            assert_eq!(Gelu::at(x)[1], slope);
            assert!(
                (Gelu::at(x)[0] - value).abs() <= f32::EPSILON * x.abs(),
                "{x}"
            );
        }
    }
}
