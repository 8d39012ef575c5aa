//! Moments of a stream of batches, read back many batches at a time.

use burn::tensor::{TensorData, TensorReadError, Transaction};

use crate::running::register;
use crate::{Moments, RunningMoments};

/// Count, mean and scatter of a stream of points, of which many batches at a time are read back from
/// the device.
///
/// The moments of a batch stay on the device until those of all waiting batches exceed a limit, by
/// default [`PENDING`](Self::PENDING) bytes. They are then read at once and merged on the host, in
/// f64 and in their order: the result is bit for bit that of [`RunningMoments`], which reads every
/// batch. A batch takes d² + d + 1 numbers. Not differentiable.
///
/// Sums on the device would need one read per stream, but lose digits: a compiler that simplifies
/// floating-point sums, as those of wgpu and Metal do, also drops the terms of a compensated sum.
///
/// ```
/// use burn::prelude::*;
/// use isostar_core::{DeviceMoments, Moments};
///
/// let batch = |points: [[f32; 2]; 2]| Moments::from_points(Tensor::from_floats(points, &Device::flex()));
/// let mut stream = DeviceMoments::new(2);
/// stream.add(batch([[0.0, 1.0], [2.0, 1.0]]))?;
/// stream.add(batch([[1.0, 0.0], [1.0, 2.0]]))?;
/// assert_eq!(stream.read()?.isoscore(), Some(1.0));
/// # Ok::<(), burn::tensor::TensorReadError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeviceMoments {
    /// The moments of the batches that have been read.
    read: RunningMoments,
    /// The moments of the batches after them, all on the device of the first.
    pending: Vec<Moments>,
    /// The largest number of bytes that may be pending.
    limit: usize,
}

impl DeviceMoments {
    /// The default limit of pending moments, in bytes.
    pub const PENDING: usize = 64 << 20;

    /// The moments of an empty stream of points of width `d`.
    pub fn new(d: usize) -> Self {
        Self {
            read: RunningMoments::new(d),
            pending: Vec::new(),
            limit: Self::PENDING,
        }
    }

    /// The same stream with another limit of pending moments, in bytes. With 0, every batch is read
    /// when it is added.
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Adds another batch. Reads the device only if more than the limit is then pending.
    ///
    /// # Errors
    /// If the device cannot be read.
    ///
    /// # Panics
    /// If the batch has a different width.
    pub fn add(&mut self, batch: Moments) -> Result<(), TensorReadError> {
        let width = self.width();
        assert_eq!(
            batch.width(),
            width,
            "DeviceMoments::add: a batch of width {} for moments of width {width}",
            batch.width()
        );
        let device = self
            .pending
            .first()
            .map_or_else(|| batch.scatter.device(), |first| first.scatter.device())
            .without_autodiff();
        self.pending.push(Moments {
            count: batch.count.without_autodiff().to_device(&device),
            mean: batch.mean.without_autodiff().to_device(&device),
            scatter: batch.scatter.without_autodiff().to_device(&device),
        });
        let bytes: usize = self
            .pending
            .iter()
            .map(|batch| batch.scatter.shape().num_elements() * batch.scatter.dtype().size())
            .sum();
        if bytes > self.limit {
            self.read.update_all(&self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }

    /// The width d of the points.
    pub fn width(&self) -> usize {
        self.read.width()
    }

    /// Adds the moments that wait on the device to a transaction, which reads them together with other
    /// tensors. Pass what it has read to [`absorb`](Self::absorb).
    pub fn register(&self, transaction: Transaction) -> Transaction {
        register(&self.pending, transaction)
    }

    /// Takes the moments that [`register`](Self::register) added to a transaction, in the order of
    /// registration. No batch may have been added in between.
    ///
    /// # Errors
    /// If the numbers have an unexpected type.
    ///
    /// # Panics
    /// If `read` ends before the last of them.
    pub fn absorb(
        &mut self,
        read: &mut dyn Iterator<Item = TensorData>,
    ) -> Result<(), TensorReadError> {
        let batches = std::mem::take(&mut self.pending).len();
        self.read.absorb_read(batches, read)
    }

    /// The moments of all batches so far.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn read(&self) -> Result<RunningMoments, TensorReadError> {
        let mut all = self.read.clone();
        all.update_all(&self.pending)?;
        Ok(all)
    }
}
