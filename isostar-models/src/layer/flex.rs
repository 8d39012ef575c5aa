//! Element-wise work on the CPU backend flex, on all threads and with wide registers.
//!
//! Flex runs its element-wise operations on one thread, and its error function and exponential number by number: beside the products, which
//! use every core, they were a third of a forward pass.

use burn::prelude::*;
use burn::tensor::DType;
use rayon::prelude::*;

/// Numbers a thread works on at once: they stay in its cache.
const CHUNK: usize = 1 << 14;
const LANES: usize = 16;

/// Whether `tensor` lies on flex, in the type that the functions here compute in.
pub(super) fn holds<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && super::is_flex(&tensor.device())
}

/// f of every number, differentiable; `f` returns its value and its slope.
///
/// With the slopes s and the values v at x, the result is s·x + (v − s·x), where only the first x is tracked: its value is v and its gradient s,
/// at the price of one product on the tape.
pub(super) fn elementwise<const D: usize>(x: Tensor<D>, f: impl Fn(f32) -> [f32; 2] + Copy + Sync) -> Tensor<D> {
    if !x.is_tracked() {
        return in_chunks(x, CHUNK, |_, numbers| numbers.iter_mut().for_each(|number| *number = f(*number)[0]));
    }
    let plain = x.clone().without_autodiff();
    let offsets = in_chunks(plain.clone(), CHUNK, |_, numbers| {
        numbers.iter_mut().for_each(|number| {
            let [value, slope] = f(*number);
            *number = value - slope * *number;
        });
    });
    let slopes = in_chunks(plain, CHUNK, |_, numbers| numbers.iter_mut().for_each(|number| *number = f(*number)[1]));
    x * slopes + offsets
}

/// softmax(scores + mask) of every row, not differentiable.
///
/// # Shapes
/// - `scores`, output: `[sequences, heads, tokens, tokens]`
/// - `mask`: `[sequences, 1, 1 or tokens, tokens]`
pub(super) fn masked_softmax(scores: Tensor<4>, mask: Tensor<4>) -> Tensor<4> {
    let [_, heads, tokens, _] = scores.dims();
    let [_, _, mask_rows, _] = mask.dims();
    let mask = mask.into_data().try_into_vec::<f32>().expect("the mask has the type of the scores");
    in_chunks(scores, tokens, |row, scores| {
        let (sequence, token) = (row / (heads * tokens), row % mask_rows);
        let start = (sequence * mask_rows + token) * tokens;
        softmax(scores, &mask[start..start + tokens]);
    })
}

#[inline(always)]
fn softmax(scores: &mut [f32], mask: &[f32]) {
    scores.iter_mut().zip(mask).for_each(|(score, mask)| *score += mask);
    let largest = folded(scores, f32::NEG_INFINITY, |largest, score| if score > largest { score } else { largest });
    scores.iter_mut().for_each(|score| *score = exp(*score - largest));
    let share = 1.0 / folded(scores, 0.0, |total, score| total + score);
    scores.iter_mut().for_each(|score| *score *= share);
}

/// `numbers` put together by `join`, in lanes that a wide register holds.
#[inline(always)]
fn folded(numbers: &[f32], start: f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let (lanes, rest) = numbers.as_chunks::<LANES>();
    let mut all = [start; LANES];
    for numbers in lanes {
        for (all, number) in all.iter_mut().zip(numbers) {
            *all = join(*all, *number);
        }
    }
    all.iter().chain(rest).fold(start, |one, other| join(one, *other))
}

/// The tensor after `work` on each of its chunks of so many numbers, which is told the chunk's number. In place where nobody else holds it.
fn in_chunks<const D: usize>(tensor: Tensor<D>, chunk: usize, work: impl Fn(usize, &mut [f32]) + Sync) -> Tensor<D> {
    let device = tensor.device();
    let mut data = tensor.into_data();
    let numbers = data.as_mut_slice::<f32>().expect("the tensor holds f32");
    let arch = pulp::Arch::new();
    let at_once = CHUNK.div_ceil(chunk);
    numbers.par_chunks_mut(at_once * chunk).enumerate().for_each(|(first, numbers)| {
        arch.dispatch(|| {
            for (at, numbers) in numbers.chunks_mut(chunk).enumerate() {
                work(first * at_once + at, numbers);
            }
        });
    });
    Tensor::from_data(data, &device)
}

/// x Φ(x) and its slope Φ(x) + x φ(x).
///
/// Φ is off by at most 7.5e-8.
///
/// # References
/// Abramowitz & Stegun, "Handbook of Mathematical Functions", 7.1.26.
#[inline(always)]
pub(super) fn gelu(x: f32) -> [f32; 2] {
    const INV_SQRT_2PI: f32 = 0.398_942_3;
    let bell = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.327_591_1 * core::f32::consts::FRAC_1_SQRT_2 * x.abs());
    let series = t * (0.254_829_6 + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152_1 + t * 1.061_405_4))));
    let tail = 0.5 * series * bell;
    let phi = if x < 0.0 { tail } else { 1.0 - tail };
    [x * phi, phi + x * INV_SQRT_2PI * bell]
}

/// x σ(2√(2/π) (x + 0.044715 x³)), the approximation of GELU by tanh, and its slope.
#[inline(always)]
pub(super) fn gelu_new(x: f32) -> [f32; 2] {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    let [sigma, slope] = sigmoid(x * TWICE_SQRT_2_OVER_PI * (1.0 + 0.044715 * x * x));
    let inner_slope = TWICE_SQRT_2_OVER_PI * (1.0 + 3.0 * 0.044715 * x * x);
    [x * sigma, sigma + x * slope * inner_slope]
}

/// x σ(x) and its slope.
#[inline(always)]
pub(super) fn silu(x: f32) -> [f32; 2] {
    let [sigma, slope] = sigmoid(x);
    [x * sigma, sigma + x * slope]
}

/// σ(x) and its slope, without the cancellation of 1 − σ(x).
#[inline(always)]
fn sigmoid(x: f32) -> [f32; 2] {
    let e = exp(-x.abs());
    let larger = 1.0 / (1.0 + e);
    let smaller = e * larger;
    [if x < 0.0 { smaller } else { larger }, larger * smaller]
}

/// eˣ in branch-free arithmetic, which compilers spread over wide registers: 2ⁿ times a polynomial of what is left, |r| ≤ ln 2 / 2.
///
/// Off by less than 2 ulp; 0 below −87 and inf-free up to 88.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// Adding and taking it away rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.0, 88.0);
    let n = clamped * core::f32::consts::LOG2_E + ROUND - ROUND;
    let r = clamped - n * LN_2_HIGH - n * LN_2_LOW;
    let series = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r / 5_040.0))))));
    let power = f32::from_bits(((n as i32).wrapping_add(127) << 23) as u32);
    if x < -87.0 { 0.0 } else { series * power }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(from: f32, to: f32) -> impl Iterator<Item = f32> {
        (0..=200_000).map(move |at| from + (to - from) * at as f32 / 200_000.0)
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
    fn values_and_slopes_are_those_of_f64() {
        type Pair = (fn(f32) -> [f32; 2], fn(f64) -> f64);
        let functions: [Pair; 3] = [
            (gelu, |x| x * 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)),
            (gelu_new, |x| x / (1.0 + (-2.0 * (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).exp())),
            (silu, |x| x / (1.0 + (-x).exp())),
        ];
        for (found, exact) in functions {
            for x in grid(-12.0, 12.0) {
                let (wide, step) = (f64::from(x), 1e-6);
                let [value, slope] = found(x).map(f64::from);
                let exact_slope = (exact(wide + step) - exact(wide - step)) / (2.0 * step);
                assert!((value - exact(wide)).abs() < 3e-7 * wide.abs().max(1.0), "the value at {x}: {value}");
                assert!((slope - exact_slope).abs() < 1e-6, "the slope at {x}: {slope}");
            }
        }
    }

    #[test]
    fn rows_are_masked_each_by_its_own() {
        let device = Device::flex();
        let scores = Tensor::<4>::random([2, 3, 4, 4], burn::tensor::Distribution::Normal(0.0, 3.0), &device);
        for mask_rows in [1, 4] {
            let mask = Tensor::<4>::random([2, 1, mask_rows, 4], burn::tensor::Distribution::Bernoulli(0.3), &device) * f32::MIN;
            let found: Vec<f32> = masked_softmax(scores.clone(), mask.clone()).into_data().try_into_vec().unwrap();
            let expected: Vec<f32> = burn::tensor::activation::softmax(scores.clone() + mask, 3).into_data().try_into_vec().unwrap();
            assert!(found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < 1e-6));
        }
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
