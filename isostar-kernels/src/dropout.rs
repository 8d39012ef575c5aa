//! Dropout as one operation.
//!
//! # Upstream
//! No issue is filed: burn-nn 0.22.1 multiplies by the mask and by the scale separately, and flex
//! draws the mask from a cryptographic generator.

use burn::nn::Dropout;
use burn::prelude::*;
use burn::tensor::{Distribution, TensorData};

use crate::host::is_flex;

/// Zeroes each element with probability p and divides the others by 1 − p, in training only.
///
/// ```text
///   y = x · m        dy/dx = m        m = 1/(1 − p) with probability 1 − p, else 0
/// ```
///
/// Replaces Burn's `Dropout::forward` and takes its settings. The scale is part of the random mask,
/// so the tape records one operation instead of two. On flex, the mask avoids the cryptographic
/// generator, which took 8% of a training step. `Device::seed` determines the masks.
pub fn dropout<const D: usize>(settings: &Dropout, input: Tensor<D>) -> Tensor<D> {
    let device = input.device();
    if settings.prob == 0.0 || !settings.training.is_enabled() || !device.is_autodiff() {
        return input;
    }
    let keep = 1.0 - settings.prob;
    let plain = device.without_autodiff();
    let mask = match is_flex(&plain) {
        true => {
            let values = mask(input.shape().num_elements(), keep, seed(&plain));
            Tensor::from_data(TensorData::new(values, input.shape()), (&plain, input.dtype()))
        }
        false => Tensor::random(input.shape(), Distribution::Bernoulli(keep), (&plain, input.dtype())) * (1.0 / keep),
    };
    input * mask
}

/// Returns 64 random bits of the device's generator, so that `Device::seed` determines the masks.
fn seed(device: &Device) -> u64 {
    /// An f32 has 24 bits of precision; of three times 24 bits, the first eight are shifted out.
    const RANGE: f64 = (1 << 24) as f64;
    let parts = Tensor::<1>::random([3], Distribution::Uniform(0.0, RANGE), device).into_data_as::<f32>();
    parts.iter::<f32>().fold(0, |seed, part| (seed << 24) | part as u64)
}

/// Returns `count` numbers, each 1/`keep` with probability `keep`, else 0. Each 64 bits of
/// SplitMix64 give two numbers.
///
/// # References
/// Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators".
fn mask(count: usize, keep: f64, seed: u64) -> Vec<f32> {
    let threshold = (keep * 2f64.powi(32)) as u64;
    let kept = (1.0 / keep) as f32;
    let number = |bits: u64| if bits < threshold { kept } else { 0.0 };
    let mut values = vec![0.0; count];
    for (index, pair) in values.chunks_mut(2).enumerate() {
        let bits = splitmix(seed, index as u64);
        pair[0] = number(bits >> 32);
        if let Some(second) = pair.get_mut(1) {
            *second = number(bits & 0xffff_ffff);
        }
    }
    values
}

/// Number `index` of the sequence that starts at `seed`.
fn splitmix(seed: u64, index: u64) -> u64 {
    let z = seed.wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix() {
        // The first two numbers from seed 0 of the reference implementation,
        // prng.di.unimi.it/splitmix64.c.
        assert_eq!([splitmix(0, 0), splitmix(0, 1)], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn the_right_share_is_kept_and_scaled() {
        const COUNT: usize = 1_000_001;
        for keep in [0.9, 0.5] {
            let values = mask(COUNT, keep, 7);
            assert!(values.iter().all(|value| *value == 0.0 || *value == (1.0 / keep) as f32));
            let share = values.iter().filter(|value| **value > 0.0).count() as f64 / COUNT as f64;
            // Five standard errors.
            assert!((share - keep).abs() < 5.0 * (keep * (1.0 - keep) / COUNT as f64).sqrt(), "{share}");
        }
    }

    #[test]
    fn masks_of_different_seeds_are_independent() {
        const COUNT: usize = 1_000_000;
        let [one, two] = [7, 8].map(|seed| mask(COUNT, 0.5, seed));
        let both = one.iter().zip(&two).filter(|(one, two)| **one > 0.0 && **two > 0.0).count() as f64 / COUNT as f64;
        assert!((both - 0.25).abs() < 5.0 * (0.25f64 * 0.75 / COUNT as f64).sqrt(), "{both}");
    }

    #[test]
    #[cfg(feature = "flex")]
    fn dropped_numbers_take_no_gradient() {
        let device = Device::flex().autodiff();
        let settings = burn::nn::DropoutConfig::new(0.5).init();
        let input = Tensor::<2>::ones([40, 50], &device).require_grad();
        let output = dropout(&settings, input.clone());
        let gradients = output.clone().sum().backward();
        // The input is all ones, so output and gradient both equal the mask.
        assert_eq!(output.into_data(), input.grad(&gradients).unwrap().into_data());
    }
}
