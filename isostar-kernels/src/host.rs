//! Tensors in the host's memory.

use burn::prelude::*;
use burn::tensor::{DType, Element};

/// Whether `device` is the CPU backend flex, whose tensors are in the host's memory and are read
/// without a copy.
#[cfg(feature = "flex")]
pub fn is_flex(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// Whether `device` is the CPU backend flex: never, because it is not compiled in.
#[cfg(not(feature = "flex"))]
pub fn is_flex(_device: &Device) -> bool {
    false
}

/// Calls `single` or `double` with the numbers of `data`, depending on their precision.
///
/// # Panics
/// If `data` is neither f32 nor f64.
pub fn on_host<R>(
    data: &TensorData,
    single: impl FnOnce(&[f32]) -> R,
    double: impl FnOnce(&[f64]) -> R,
) -> R {
    fn slice<E: Element>(data: &TensorData) -> &[E] {
        data.as_slice().expect("the type was looked up")
    }
    match data.dtype() {
        DType::F64 => double(slice(data)),
        _ => single(slice(data)),
    }
}
