//! Moments of a stream of points that does not fit on the device: batches are merged on the host,
//! in f64.

use burn::prelude::*;
use burn::tensor::{DType, DataError, TensorReadError, Transaction};
use isostar_kernels::gram;

use crate::Moments;
use crate::moments::widen;

/// Adds the count, mean and scatter of every batch to a transaction.
pub(crate) fn register(batches: &[Moments], transaction: Transaction) -> Transaction {
    batches.iter().fold(transaction, |transaction, batch| {
        let Moments {
            count,
            mean,
            scatter,
        } = batch.clone();
        transaction
            .register(count.without_autodiff())
            .register(mean.without_autodiff())
            .register(scatter.without_autodiff())
    })
}

/// Count, mean and scatter of a stream of points, merged batch by batch in f64 on the host.
///
/// Memory is O(d²), independent of the length of the stream: at d = 768 the scatter takes 4.7 MB,
/// and adding a batch takes twice as much in addition.
///
/// ```
/// use burn::prelude::*;
/// use isostar_core::{Moments, RunningMoments};
///
/// let mut running = RunningMoments::new(2);
/// for batch in [[[0.0, 1.0], [2.0, 1.0]], [[1.0, 0.0], [1.0, 2.0]]] {
///     running.update(&Moments::from_points(Tensor::from_floats(batch, &Device::flex())))?;
/// }
/// assert_eq!(running.isoscore(), Some(1.0));
/// # Ok::<(), burn::tensor::TensorReadError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RunningMoments {
    count: f64,
    mean: Vec<f64>,
    scatter: Vec<f64>,
}

impl RunningMoments {
    /// Creates the moments of an empty stream of points of width `d`.
    pub fn new(d: usize) -> Self {
        Self {
            count: 0.0,
            mean: vec![0.0; d],
            scatter: vec![0.0; d * d],
        }
    }

    /// Adds the points of a batch.
    ///
    /// # Errors
    /// If the device cannot be read.
    ///
    /// # Panics
    /// If the width of the batch is different.
    pub fn update(&mut self, batch: &Moments) -> Result<(), TensorReadError> {
        assert_eq!(
            batch.width(),
            self.width(),
            "RunningMoments::update: a batch of width {} for moments of width {}",
            batch.width(),
            self.width()
        );
        self.update_all(std::slice::from_ref(batch))
    }

    /// Adds batches of one device in their order, in one read.
    pub(crate) fn update_all(&mut self, batches: &[Moments]) -> Result<(), TensorReadError> {
        let read = register(batches, Transaction::default()).try_execute()?;
        self.absorb_read(batches.len(), &mut read.into_iter())
    }

    /// Adds `batches` batches that a transaction has read, see [`register`].
    ///
    /// # Panics
    /// If `read` ends before them.
    pub(crate) fn absorb_read(
        &mut self,
        batches: usize,
        read: &mut dyn Iterator<Item = TensorData>,
    ) -> Result<(), TensorReadError> {
        for _ in 0..batches {
            let [count, mean, scatter] =
                std::array::from_fn(|_| read.next().expect("every number was read"));
            let (count, mean): (Vec<f64>, Vec<f64>) = (wide(count)?, wide(mean)?);
            let d = self.width();
            if scatter.dtype() == DType::F64 {
                let scatter: Vec<f64> = scatter.try_into_vec()?;
                self.absorb(count[0], &mean, |row| {
                    scatter[row * d..][..d].iter().copied()
                });
            } else {
                let scatter: Vec<f32> = scatter.try_cast(DType::F32)?.try_into_vec()?;
                self.absorb(count[0], &mean, |row| {
                    scatter[row * d..][..d].iter().map(|sum| f64::from(*sum))
                });
            }
        }
        Ok(())
    }

    /// Adds points whose `mean` is known and not far from zero. This takes one product, without the
    /// four additional passes of [`Moments`]:
    ///
    /// ```text
    ///   S = XᵀX − n·m·mᵀ
    /// ```
    ///
    /// The relative error of S grows as ε·(1 + m²/σ²). It is small if the distance of the mean from
    /// the origin is no larger than the spread of the points. Products of up to 4,096 points are
    /// summed in the precision of the points, and those sums in f64. Not differentiable.
    ///
    /// # Shapes
    /// - `points`: `[n, d]`; half precision is cast to f32 first
    /// - `mean`: the mean of these points in f64, length d
    ///
    /// # Errors
    /// If the device cannot be read.
    ///
    /// # Panics
    /// If the width of the points or of their mean is different.
    ///
    /// # References
    /// Chan, Golub & LeVeque, "Algorithms for computing the sample variance: analysis and recommendations" (1983): the textbook algorithm
    /// with shifted data.
    pub fn update_near_origin(
        &mut self,
        points: Tensor<2>,
        mean: &[f64],
    ) -> Result<(), TensorReadError> {
        let ([n, d], width) = (points.dims(), self.width());
        assert!(
            d == width && mean.len() == width,
            "RunningMoments::update_near_origin: points of width {d} and a mean of width {} for moments of width {width}",
            mean.len()
        );
        if n == 0 {
            return Ok(());
        }
        let products = gram(widen(points.without_autodiff()))?;
        let count = n as f64;
        self.absorb(count, mean, |row| {
            let own = mean[row];
            products[row * d..][..d]
                .iter()
                .zip(mean)
                .map(move |(product, other)| product - count * (own * other))
        });
        Ok(())
    }

    /// Adds the points of another stream.
    ///
    /// # Panics
    /// If the width of the other stream is different.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(
            other.width(),
            self.width(),
            "RunningMoments::merge: moments of width {} and {}",
            other.width(),
            self.width()
        );
        let d = self.width();
        self.absorb(other.count, &other.mean, |row| {
            other.scatter[row * d..][..d].iter().copied()
        });
    }

    /// Chan's rule: S += S' + (n·n'/(n + n'))·δδᵀ, m += (n'/(n + n'))·δ, with δ = m' − m. `rows`
    /// returns a row of S'.
    fn absorb<R: Iterator<Item = f64>>(
        &mut self,
        count: f64,
        mean: &[f64],
        rows: impl Fn(usize) -> R,
    ) {
        let total = self.count + count;
        if count == 0.0 {
            return;
        }
        let d = self.width();
        let offset: Vec<f64> = mean
            .iter()
            .zip(&self.mean)
            .map(|(theirs, ours)| theirs - ours)
            .collect();
        let between = self.count * count / total;
        for (row, sums) in self.scatter.chunks_exact_mut(d).enumerate() {
            for ((sum, theirs), other) in sums.iter_mut().zip(rows(row)).zip(&offset) {
                // This order of operations keeps the scatter exactly symmetric.
                *sum += theirs + between * (offset[row] * other);
            }
        }
        for (ours, offset) in self.mean.iter_mut().zip(&offset) {
            *ours += offset * count / total;
        }
        self.count = total;
    }

    /// The number of points.
    pub fn count(&self) -> u64 {
        self.count as u64
    }

    /// The width d of the points.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// The mean of the points, length d.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The scatter Σᵢ(xᵢ − m)(xᵢ − m)ᵀ, row by row, length d².
    pub fn scatter(&self) -> &[f64] {
        &self.scatter
    }

    /// The standard deviation of each dimension, √(Sⱼⱼ/(n − 1)); 0 if there are fewer than two
    /// points. Length d.
    pub fn standard_deviations(&self) -> Vec<f64> {
        let variances = self.scatter.iter().step_by(self.width() + 1);
        variances
            .map(|sum| {
                self.divisor()
                    .map_or(0.0, |divisor| (sum / divisor).max(0.0).sqrt())
            })
            .collect()
    }

    /// The sample covariance, S/(n − 1), as f32 on `device`; `None` if there are fewer than two
    /// points. Shape `[d, d]`.
    pub fn covariance(&self, device: &Device) -> Option<Tensor<2>> {
        let d = self.width();
        let divisor = self.divisor()?;
        let values: Vec<f32> = self
            .scatter
            .iter()
            .map(|sum| (sum / divisor) as f32)
            .collect();
        Some(Tensor::from_data(TensorData::new(values, [d, d]), device))
    }

    /// n − 1; `None` with fewer than two points.
    pub(crate) fn divisor(&self) -> Option<f64> {
        (self.count >= 2.0).then_some(self.count - 1.0)
    }
}

/// The numbers of a tensor that has been read.
fn wide(data: TensorData) -> Result<Vec<f64>, DataError> {
    data.try_cast(DType::F64)?.try_into_vec()
}
