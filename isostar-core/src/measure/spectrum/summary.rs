//! The quantities that measures of the same points share.

use std::cell::OnceCell;

use burn::prelude::*;
use burn::tensor::TensorReadError;

use super::partition::{in_blocks, unit_of};
use super::{Partition, Spectrum};
use crate::measure::{
    CosineSums, OutlierDimension, OutlierThreshold, TwoNn, outlier_dimensions, twonn,
};
use crate::moments::widen;
use crate::{
    Moments, NearestNeighbours, RunningMoments, ScaledCovariance, UnbiasedSums, nearest_neighbours,
};

/// Number of neighbours per point in a summary.
pub const NEIGHBOURS: usize = 20;

/// Sums over n points of width d, from one pass over them.
///
/// The moments are those of the deviations (x − o)/s from an origin o in a unit s, so points may
/// have any position and size.
#[derive(Clone, Debug)]
pub struct PointSums {
    /// Count, mean and scatter of the deviations.
    pub moments: RunningMoments,
    /// The origin o. Length d.
    pub origin: Vec<f64>,
    /// The unit s, positive.
    pub unit: f64,
    /// The mean of the points. Length d.
    pub mean: Vec<f64>,
    /// Sums of the unbiased estimator, in any unit.
    pub unbiased: UnbiasedSums,
    /// Σ over i ≠ j of cos(xᵢ, xⱼ), the cosine with a zero point being 0.
    pub cosines_of_distinct_pairs: f64,
}

/// The quantities from which the measures of one set of points are computed.
///
/// A summary always holds the sums of one pass over the points. The `with_` functions add the
/// partition score, the nearest neighbours and the shrunk covariance; a measure that needs one of
/// them has no value without it. Spectra and estimates that several measures share are computed
/// once, on first use.
///
/// ```
/// use burn::prelude::*;
/// use isostar_core::measure::{Summary, effective_rank, participation_ratio};
///
/// let points = Tensor::<2>::from_floats([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], &Device::flex());
/// let summary = Summary::from_points(points)?;
/// let spectrum = summary.spectrum();
/// assert!((effective_rank(spectrum).unwrap() - 2.0).abs() < 1e-6);
/// assert!((participation_ratio(spectrum).unwrap() - 2.0).abs() < 1e-6);
/// # Ok::<(), burn::tensor::TensorReadError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Summary {
    sums: PointSums,
    partition: Option<f64>,
    neighbours: Option<NearestNeighbours>,
    shrunk: Option<ScaledCovariance>,
    spectrum: OnceCell<Spectrum>,
    second_moment_spectrum: OnceCell<Spectrum>,
    twonn: OnceCell<Option<TwoNn>>,
}

impl Summary {
    /// A summary from sums that are already computed.
    ///
    /// # Panics
    /// If the width of the origin or the mean differs from that of the moments.
    pub fn new(sums: PointSums) -> Self {
        let width = sums.moments.width();
        let (origin, mean) = (sums.origin.len(), sums.mean.len());
        assert!(
            origin == width && mean == width,
            "Summary::new: an origin of width {origin} and a mean of width {mean} for moments of width {width}"
        );
        Self {
            sums,
            partition: None,
            neighbours: None,
            shrunk: None,
            spectrum: OnceCell::new(),
            second_moment_spectrum: OnceCell::new(),
            twonn: OnceCell::new(),
        }
    }

    /// The summary of `points`, `[n, d]`, without a partition score, neighbours or a reference.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn from_points(points: Tensor<2>) -> Result<Self, TensorReadError> {
        let points = widen(points.without_autodiff());
        let [_, d] = points.dims();
        let unit = unit_of(&points)?;
        let scaled = points / unit;
        let cosines = CosineSums::from_rows(scaled.clone(), None);
        let directions: Vec<f64> = cosines.directions.try_to_vec_as()?;
        let directed: f64 = cosines.directed.try_into_scalar()?;
        let unbiased = UnbiasedSums::from_points(scaled.clone());
        let mut moments = RunningMoments::new(d);
        for block in in_blocks(scaled) {
            moments.update(&Moments::from_points(block))?;
        }
        Ok(Self::new(PointSums {
            mean: moments.mean().iter().map(|mean| mean * unit).collect(),
            moments,
            origin: vec![0.0; d],
            unit,
            unbiased,
            cosines_of_distinct_pairs: directions.iter().map(|sum| sum * sum).sum::<f64>()
                - directed,
        }))
    }

    /// Adds the partition score, from the sums in `partition`.
    pub fn with_partition(mut self, partition: &Partition) -> Self {
        self.partition = partition.score();
        self
    }

    /// Adds the nearest neighbours of all points or of a sample of them.
    pub fn with_neighbours(mut self, neighbours: NearestNeighbours) -> Self {
        self.neighbours = Some(neighbours);
        self
    }

    /// Adds the nearest neighbours of `points`: [`NEIGHBOURS`] per point, or all others if there
    /// are fewer.
    pub fn with_neighbours_of(self, points: Tensor<2>, progress: &dyn Fn(usize)) -> Self {
        self.with_neighbours(nearest_neighbours(points, NEIGHBOURS, progress))
    }

    /// Adds the covariance shrunk towards `reference`, (1 − ζ)·Σ + ζ·Σ_S, where ζ = `weight`. It is
    /// absent with fewer than two points.
    ///
    /// # Panics
    /// If the reference has a different width.
    pub fn with_reference(mut self, reference: &ScaledCovariance, weight: f64) -> Self {
        let (width, found) = (self.width(), reference.width);
        assert_eq!(
            found, width,
            "Summary::with_reference: a reference of width {found} for points of width {width}"
        );
        self.shrunk = self
            .covariance()
            .map(|covariance| covariance.shrunk_towards(reference, weight));
        self
    }

    /// The number n of points.
    pub fn count(&self) -> f64 {
        self.sums.moments.count() as f64
    }

    /// The width d of the points.
    pub fn width(&self) -> usize {
        self.sums.moments.width()
    }

    /// The mean of the points. Length d.
    pub fn mean(&self) -> &[f64] {
        &self.sums.mean
    }

    /// The standard deviation of each dimension, with the divisor n − 1. Length d.
    pub fn standard_deviations(&self) -> Vec<f64> {
        self.sums
            .moments
            .standard_deviations()
            .into_iter()
            .map(|deviation| deviation * self.sums.unit)
            .collect()
    }

    /// The outlier dimensions by the default [`OutlierThreshold`].
    pub fn outlier_dimensions(&self) -> Vec<OutlierDimension> {
        outlier_dimensions(
            self.mean(),
            &self.standard_deviations(),
            OutlierThreshold::default(),
        )
    }

    /// The sample covariance; `None` with fewer than two points.
    pub fn covariance(&self) -> Option<ScaledCovariance> {
        ScaledCovariance::from_moments(&self.sums.moments, self.sums.unit)
    }

    /// The covariance shrunk towards a reference, if one was added.
    pub fn shrunk(&self) -> Option<&ScaledCovariance> {
        self.shrunk.as_ref()
    }

    /// The sums of the unbiased estimator.
    pub fn unbiased_sums(&self) -> &UnbiasedSums {
        &self.sums.unbiased
    }

    /// Σ over i ≠ j of cos(xᵢ, xⱼ), the cosine with a zero point being 0.
    pub fn cosines_of_distinct_pairs(&self) -> f64 {
        self.sums.cosines_of_distinct_pairs
    }

    /// The partition score, if it was added and has a value.
    pub fn partition(&self) -> Option<f64> {
        self.partition
    }

    /// The nearest neighbours, if they were added.
    pub fn neighbours(&self) -> Option<&NearestNeighbours> {
        self.neighbours.as_ref()
    }

    /// The eigenvalues of the sample covariance.
    pub fn spectrum(&self) -> &Spectrum {
        self.spectrum
            .get_or_init(|| Spectrum::from_moments(&self.sums.moments).scaled(self.sums.unit))
    }

    /// The eigenvalues of XᵀX of the uncentred points: the squares of the singular values of X.
    pub fn second_moment_spectrum(&self) -> &Spectrum {
        let PointSums {
            moments,
            origin,
            unit,
            ..
        } = &self.sums;
        self.second_moment_spectrum
            .get_or_init(|| Spectrum::from_second_moment(moments, origin, *unit))
    }

    /// The TwoNN estimates, if neighbours were added and the estimates have a value.
    pub fn twonn(&self) -> Option<TwoNn> {
        *self.twonn.get_or_init(|| self.neighbours().and_then(twonn))
    }
}
