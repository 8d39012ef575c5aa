//! Matrix products for measurements, as exact as their factors on every device.
//!
//! # Upstream
//! Burn 0.23 has a switch, `[cubek.matmul] allow_tf32 = false`, for all products of a process.

use burn::prelude::*;
use burn::tensor::DType;

use crate::host::is_flex;

/// The matrix product of two constants in the precision of their type.
///
/// On CUDA, products in f32 may round their factors to TF32, with 11 significant bits. That is
/// harmless for the gradients of a training step, but a measurement would carry a relative error of
/// up to 1e-3. There, the product is computed in f64 and rounded to f32. On all other devices, it is
/// `left.matmul(right)`. Products with tracked factors are not changed.
///
/// # Shapes
/// - `left`: `[…, m, k]`
/// - `right`: `[…, k, n]`
/// - output: `[…, m, n]`, of the type of `left`
///
/// # Panics
/// If the shapes or the types do not match.
pub fn exact_product<const D: usize>(left: Tensor<D>, right: Tensor<D>) -> Tensor<D> {
    let dtype = left.dtype();
    if dtype != DType::F32
        || left.is_tracked()
        || right.is_tracked()
        || !rounds_factors(&left.device())
    {
        return multiply(left, right);
    }
    multiply(left.cast(DType::F64), right.cast(DType::F64)).cast(dtype)
}

/// Whether products in f32 on `device` may round their factors: on CUDA, where every device has f64
/// too.
pub(crate) fn rounds_factors(device: &Device) -> bool {
    #[cfg(feature = "simulate")]
    if simulate::bits().is_some() {
        return true;
    }
    cfg!(feature = "cuda") && !is_flex(device) && device.supports_dtype(DType::F64)
}

fn multiply<const D: usize>(left: Tensor<D>, right: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "simulate")]
    if let (Some(bits), DType::F32) = (simulate::bits(), left.dtype()) {
        return simulate::rounded(left, bits).matmul(simulate::rounded(right, bits));
    }
    left.matmul(right)
}

/// Products on a device whose units for f32 have fewer bits, on any device.
#[cfg(feature = "simulate")]
pub mod simulate {
    use std::cell::Cell;

    use burn::prelude::*;

    /// Significant bits of TF32.
    pub const TF32: u32 = 11;
    /// Significant bits of bfloat16.
    pub const BF16: u32 = 8;

    thread_local! {
        static BITS: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// Runs `work` as on a device that rounds the factors of products in f32 to `bits` significant
    /// bits. Products in f64 stay exact, as on CUDA. Affects
    /// [`exact_product`](crate::exact_product) and [`gram`](crate::gram) on this thread.
    pub fn with_rounded_factors<R>(bits: u32, work: impl FnOnce() -> R) -> R {
        let before = BITS.replace(Some(bits));
        let result = work();
        BITS.set(before);
        result
    }

    pub(super) fn bits() -> Option<u32> {
        BITS.get()
    }

    /// Rounds each number to `bits` significant bits, to nearest.
    pub(super) fn rounded<const D: usize>(tensor: Tensor<D>, bits: u32) -> Tensor<D> {
        let device = tensor.device();
        let mut data = tensor.into_data();
        let dropped = f32::MANTISSA_DIGITS - bits;
        for number in data.as_mut_slice::<f32>().expect("the tensor holds f32") {
            let half = 1 << (dropped - 1);
            *number = f32::from_bits((number.to_bits() + half) >> dropped << dropped);
        }
        Tensor::from_data(data, &device)
    }
}

#[cfg(all(test, feature = "flex", feature = "simulate"))]
mod tests {
    use super::simulate::{BF16, TF32, rounded, with_rounded_factors};
    use super::*;

    fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn factors_are_rounded_to_their_bits() {
        let exact = |bits: u32| 1.0 + 2f32.powi(1 - bits as i32);
        let half = |bits: u32| 1.0 + 2f32.powi(-1 - bits as i32);
        for bits in [TF32, BF16] {
            let found = rounded(
                Tensor::<1>::from_floats([exact(bits), half(bits)], &Device::flex()),
                bits,
            );
            assert_eq!(numbers(found), [exact(bits), 1.0]);
        }
    }

    #[test]
    fn a_device_that_rounds_factors_gives_the_product_of_one_that_does_not() {
        let device = Device::flex();
        let left = Tensor::<2>::random(
            [5, 300],
            burn::tensor::Distribution::Normal(1.0, 0.1),
            &device,
        );
        let right = Tensor::<2>::random(
            [300, 4],
            burn::tensor::Distribution::Normal(1.0, 0.1),
            &device,
        );
        let exact = numbers(
            left.clone()
                .cast(DType::F64)
                .matmul(right.clone().cast(DType::F64))
                .cast(DType::F32),
        );
        for bits in [TF32, BF16] {
            let found = with_rounded_factors(bits, || exact_product(left.clone(), right.clone()));
            assert_eq!(numbers(found), exact);
            let plain = numbers(with_rounded_factors(bits, || {
                multiply(left.clone(), right.clone())
            }));
            assert!(
                plain
                    .iter()
                    .zip(&exact)
                    .any(|(plain, exact)| (plain / exact - 1.0).abs() > 1e-6),
                "the simulation rounds"
            );
        }
    }
}
