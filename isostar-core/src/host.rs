//! Tensors and the host's memory.

use burn::prelude::*;
use burn::tensor::{DType, Element};

/// Whether a device's tensors lie in the host's memory, where reading them copies nothing.
#[cfg(feature = "flex")]
pub(crate) fn is_host(device: &Device) -> bool {
    *device == Device::flex()
}

#[cfg(not(feature = "flex"))]
pub(crate) fn is_host(_: &Device) -> bool {
    false
}

/// Numbers read back from the device, in whichever precision they are.
pub(crate) fn on_host<R>(data: &TensorData, single: impl FnOnce(&[f32]) -> R, double: impl FnOnce(&[f64]) -> R) -> R {
    fn slice<E: Element>(data: &TensorData) -> &[E] {
        data.as_slice().expect("the type was looked up")
    }
    match data.dtype() {
        DType::F64 => double(slice(data)),
        _ => single(slice(data)),
    }
}
