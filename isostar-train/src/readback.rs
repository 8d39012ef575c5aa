//! Where the numbers of a step are read.

use burn::prelude::*;
use burn::tensor::kind::Basic;
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

/// A value with tensors that one transfer reads, together with those of other values.
pub trait Gathered: Sized {
    /// Adds the tensors to a transaction, without autodiff.
    fn register(&self, transaction: Transaction) -> Transaction;

    /// Replaces the tensors by what the transaction has read, on `host`, in the order of
    /// registration.
    ///
    /// # Panics
    /// If `read` ends before the last of them.
    fn placed(self, read: &mut dyn Iterator<Item = TensorData>, host: &Device) -> Self;
}

/// A value that another process can rebuild.
#[cfg(feature = "experiment")]
pub trait Portable: Gathered {
    /// What the value holds beside its tensors.
    fn label(&self) -> Vec<u8>;

    /// The value with this label and the tensors that [`register`](Gathered::register) has added, on
    /// `host`; `None` if the label belongs to another value.
    ///
    /// # Panics
    /// If `read` ends before the last of them.
    fn rebuilt(
        label: &[u8],
        read: &mut dyn Iterator<Item = TensorData>,
        host: &Device,
    ) -> Option<Self>;
}

/// Indices of rows as bytes.
#[cfg(feature = "experiment")]
pub(crate) fn indices_to_bytes(indices: &[u32]) -> Vec<u8> {
    indices
        .iter()
        .flat_map(|index| index.to_le_bytes())
        .collect()
}

/// Indices of rows from bytes; `None` if they are not whole.
#[cfg(feature = "experiment")]
pub(crate) fn indices_from_bytes(bytes: &[u8]) -> Option<Vec<u32>> {
    let (indices, rest) = bytes.as_chunks::<4>();
    let indices = indices.iter().map(|index| u32::from_le_bytes(*index));
    rest.is_empty().then(|| indices.collect())
}

/// Reads the tensors of a value in one transfer, unless they are on the CPU.
///
/// # Errors
/// If an operation on the device failed.
#[cfg(feature = "experiment")]
pub(crate) fn gather<T: Gathered>(value: T, device: &Device) -> Result<T, ExecutionError> {
    let Some(host) = host_for(device) else {
        return Ok(value);
    };
    let read = value.register(Transaction::default()).try_execute()?;
    Ok(value.placed(&mut read.into_iter(), &host))
}

/// The next tensor of a transfer.
///
/// # Panics
/// If there is none.
pub(crate) fn next<const D: usize, K: Basic>(
    read: &mut dyn Iterator<Item = TensorData>,
    host: &Device,
) -> Tensor<D, K> {
    Tensor::from_data(read.next().expect("every tensor was read"), host)
}
