//! Where the numbers of a step are read.

use burn::prelude::*;
use burn::tensor::{ExecutionError, Transaction};

/// The CPU device to which the output of a step on `device` is moved, in one transfer.
///
/// Each read waits for the device, and the metrics of a step read the same few numbers several
/// times. `None` if the output is on the CPU already, or the CPU backend `flex` is not compiled in.
pub(crate) fn host_for(device: &Device) -> Option<Device> {
    #[cfg(feature = "flex")]
    {
        let host = Device::flex();
        (device.clone().without_autodiff() != host).then_some(host)
    }
    #[cfg(not(feature = "flex"))]
    {
        let _ = device;
        None
    }
}

/// Reads `N` tensors in one transfer.
///
/// # Errors
/// If an operation on the device failed.
pub(crate) fn read_all<const N: usize>(
    transaction: Transaction,
) -> Result<[TensorData; N], ExecutionError> {
    let read = transaction.try_execute()?;
    Ok(read
        .try_into()
        .unwrap_or_else(|read: Vec<TensorData>| panic!("{} tensors were read for {N}", read.len())))
}
