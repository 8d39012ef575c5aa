//! Moments of a stream of batches, kept on the device until the stream ends.

use burn::prelude::*;
use burn::tensor::TensorReadError;

use crate::moments::widen;
use crate::{Moments, RunningMoments};

/// Count, mean and scatter of a stream of points, summed on the device and read back once at the
/// end.
///
/// ```text
///   S = Σᵦ Sᵦ + Σᵦ nᵦ(mᵦ − m)(mᵦ − m)ᵀ
/// ```
///
/// The scatters Sᵦ of the batches are summed on the device. Each addition also stores its rounding
/// error, so the sum is as exact as that of [`RunningMoments`], which adds batch by batch in f64 on
/// the host. The counts nᵦ and means mᵦ are stored until [`read`](Self::read), which computes the
/// second sum in f64. Memory is 2d² + B·d numbers for B batches. Not differentiable.
///
/// A compiler that simplifies floating-point sums, as those of wgpu and Metal do, drops the rounding
/// errors; the accuracy is then that of plain addition in f32.
///
/// ```
/// use burn::prelude::*;
/// use isostar_core::{DeviceMoments, Moments};
///
/// let batch = |points: [[f32; 2]; 2]| Moments::from_points(Tensor::from_floats(points, &Device::flex()));
/// let mut stream = DeviceMoments::from_batch(batch([[0.0, 1.0], [2.0, 1.0]]));
/// stream.add(batch([[1.0, 0.0], [1.0, 2.0]]));
/// assert_eq!(stream.read()?.isoscore(), Some(1.0));
/// # Ok::<(), burn::tensor::TensorReadError>(())
/// ```
///
/// # References
/// Knuth, "The Art of Computer Programming", volume 2, section 4.2.2: the error of a floating-point
/// addition is a floating-point number.
#[derive(Clone, Debug)]
pub struct DeviceMoments {
    counts: Vec<Tensor<1>>,
    means: Vec<Tensor<1>>,
    /// Sum of the scatters, shape `[d, d]`.
    scatter: Tensor<2>,
    /// Accumulated rounding error of that sum, shape `[d, d]`.
    error: Tensor<2>,
}

impl DeviceMoments {
    /// The moments of the first batch, on the device of its scatter.
    pub fn from_batch(batch: Moments) -> Self {
        let scatter = widen(batch.scatter.without_autodiff());
        let error = scatter.zeros_like();
        Self { counts: vec![batch.count.without_autodiff()], means: vec![batch.mean.without_autodiff()], scatter, error }
    }

    /// Adds another batch, without reading the device.
    ///
    /// # Panics
    /// If the batch has a different width.
    pub fn add(&mut self, batch: Moments) {
        let width = self.width();
        assert_eq!(batch.width(), width, "DeviceMoments::add: a batch of width {} for moments of width {width}", batch.width());
        let device = self.scatter.device();
        let added = widen(batch.scatter.without_autodiff()).to_device(&device);
        let sum = self.scatter.clone() + added.clone();
        let rounded = sum.clone() - self.scatter.clone();
        let lost = (self.scatter.clone() - (sum.clone() - rounded.clone())) + (added - rounded);
        self.error = self.error.clone() + lost;
        self.scatter = sum;
        self.counts.push(batch.count.without_autodiff().to_device(&device));
        self.means.push(batch.mean.without_autodiff().to_device(&device));
    }

    /// The width d of the points.
    pub fn width(&self) -> usize {
        self.scatter.dims()[0]
    }

    /// The moments of all batches so far, in one read of the device.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn read(&self) -> Result<RunningMoments, TensorReadError> {
        let (batches, d, dtype) = (self.counts.len(), self.width(), self.scatter.dtype());
        let small = self.counts.iter().chain(&self.means).map(|part| part.clone().cast(dtype));
        let sums = [&self.scatter, &self.error].map(|sum| sum.clone().reshape([d * d]));
        let numbers: Vec<f64> = Tensor::cat(small.chain(sums).collect(), 0).try_into_vec_as()?;
        let (counts, numbers) = numbers.split_at(batches);
        let (means, numbers) = numbers.split_at(batches * d);
        let (sums, errors) = numbers.split_at(d * d);

        let mut all = RunningMoments::new(d);
        for (&count, mean) in counts.iter().zip(means.chunks_exact(d)) {
            all.absorb(count, mean, |_| std::iter::repeat_n(0.0, d));
        }
        all.add_scatter(sums.iter().zip(errors).map(|(sum, error)| sum + error));
        Ok(all)
    }
}
