//! The scores of points in a file.

use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::measure::{
    EXPLAINED_SHARE, ExplainedVariance, OutlierDimension, OutlierThreshold, Partition, Spectrum, effective_rank, explained_variance, mle,
    outlier_dimensions, participation_ratio, twonn,
};
use isostar_core::{NearestNeighbours, Shrinkage, nearest_neighbours};
use serde::Serialize;

use super::frame::Frame;
use super::pass::pass;
use super::points::Reading;
use super::spread::Spread;
use super::{EmbeddingsError, Points, Reference};

/// How many points the intrinsic dimensions are of where nothing else is asked for: as many as two cores compare in minutes at width 768.
pub const NEIGHBOUR_POINTS: usize = 100_000;

/// How many neighbours of each point MLE looks at.
const NEIGHBOURS: usize = 20;

/// The probability that the interval of IsoScore holds the score of the distribution.
const CONFIDENCE: f64 = 0.95;

/// The widest points that have an interval: the twenty covariances behind it take 40·d² bytes.
const WIDEST_INTERVAL: usize = 4096;

/// The geometry of points. A measure that does not exist for these points is `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Geometry {
    /// The number n of points that were measured.
    pub points: usize,
    /// Their width d.
    pub dimension: usize,
    /// IsoScore of the sample covariance, in `[0, 1]`; biased low unless n ≫ d.
    pub isoscore: f64,
    /// Nearly unbiased at any n, see [`isostar_core::UnbiasedSums`]; it may leave `[0, 1]`, and does not exist for some sets of few points.
    pub isoscore_unbiased: Option<f64>,
    /// Where the score of the distribution lies at 95%, see [`isostar_core::IsoscoreJackknife`]; `None` for fewer than 20 points or more than
    /// 4096 dimensions.
    pub isoscore_interval: Option<[f64; 2]>,
    /// IsoScore* of the covariance shrunk towards a reference, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isoscore_star: Option<f64>,
    /// The mean cosine similarity over distinct pairs, `(‖Σᵢ x̂ᵢ‖² − n)/(n(n − 1))`, that with a zero point being 0.
    pub mean_cosine: f64,
    /// The cosine penalty of Gao et al., `(‖Σᵢ x̂ᵢ‖² − n)/n²`.
    pub cosreg: f64,
    /// [`Partition`], in `[0, 1]`.
    pub partition: Option<f64>,
    /// [`effective_rank`], in `[1, d]`.
    pub effective_rank: Option<f64>,
    /// [`participation_ratio`], in `[1, d]`.
    pub participation_ratio: Option<f64>,
    /// The least number of principal components that carry at least 90% of the variance, and the share that they carry.
    pub explained_variance: Option<ExplainedVariance>,
    /// How many points the three intrinsic dimensions below are of, where a sample was drawn for them; `None` where they are of all.
    pub sample: Option<usize>,
    /// The intrinsic dimension by [`twonn`], linear fit.
    pub twonn: Option<f64>,
    /// The same by maximum likelihood.
    pub twonn_ml: Option<f64>,
    /// The intrinsic dimension by [`mle`], from 20 neighbours, or all others where there are fewer.
    pub mle: Option<f64>,
    /// The dimensions whose mean or variance stands out, see [`outlier_dimensions`].
    pub outlier_dimensions: Vec<OutlierDimension>,
    /// The eigenvalues of the sample covariance, descending. Length d.
    #[serde(skip)]
    pub spectrum: Vec<f64>,
    /// The mean of every dimension. Length d.
    #[serde(skip)]
    pub mean: Vec<f64>,
    /// The standard deviation of every dimension. Length d.
    #[serde(skip)]
    pub std: Vec<f64>,
}

/// How many points the measures of neighbours take, whose time grows with the square of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The most points; beyond it as many are drawn at random without replacement. [`NEIGHBOUR_POINTS`] by default.
    pub points: usize,
    /// The seed of the draw, 0 by default.
    pub seed: u64,
}

impl Default for Sample {
    fn default() -> Self {
        Self { points: NEIGHBOUR_POINTS, seed: 0 }
    }
}

/// Which measures are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measures {
    /// Those that follow from the moments of the points and their directions, in one pass: all but the partition score and the intrinsic
    /// dimensions, which take most of the time.
    OfMoments,
    /// All of them.
    All(Sample),
}

impl Default for Measures {
    fn default() -> Self {
        Self::All(Sample::default())
    }
}

/// Measures points in one or two passes over their file, and some of them among each other.
///
/// The shrinkage's weight ζ is that of the reference: `(1 − ζ)·Σ_X + ζ·Σ_S`. `progress` is told of steps done, of which there are as many
/// as [`steps`] says.
///
/// # Errors
/// If a point holds a number that is not finite, all points are equal, the sample is of fewer than two points, or the device fails.
///
/// # Panics
/// If the reference has another width.
pub fn measure(
    points: &Points,
    reference: Option<(&Reference, &Shrinkage)>,
    measures: Measures,
    device: &Device,
    progress: &dyn Fn(usize),
) -> Result<Geometry, EmbeddingsError> {
    let no_variance = || EmbeddingsError::NoVariance { place: points.place().clone() };
    let width = points.width();
    let sampled = match measures {
        Measures::OfMoments => None,
        Measures::All(sample) => Some(points.clone().sample(sample.points, sample.seed)?),
    };

    points.unpack(progress)?;
    let reading = if sampled.is_some() { Reading::Again } else { Reading::Once };
    let mut spread = Spread::of(points, reading, width <= WIDEST_INTERVAL, device, progress)?;
    let isoscore_interval = spread.jackknife.take().and_then(|jackknife| jackknife.interval(CONFIDENCE));
    let mut partition = None;
    let mut neighbours = None;
    if let Some(sampled) = &sampled {
        partition = partition_of(points, &spread, device, progress)?.score();
        neighbours = Some(neighbours_of(sampled, &spread.frame, device, progress)?);
    }

    let covariance = spread.covariance();
    let isoscore_star = match reference {
        None => None,
        Some((reference, shrinkage)) => {
            let found = reference.width();
            assert_eq!(found, width, "measure: a reference of width {found} for points of width {width}");
            let shrunk = covariance.shrunk_towards(&reference.covariance, shrinkage.weight());
            Some(shrunk.isoscore().ok_or_else(no_variance)?)
        }
    };
    let n = points.count() as f64;
    let cosines = spread.cosines_of_distinct_pairs();
    let spectrum = Spectrum::of_moments(&spread.moments).scaled(spread.frame.unit);
    let (mean, std) = (spread.mean(), spread.deviations());
    let twonn = neighbours.as_ref().and_then(twonn);
    Ok(Geometry {
        points: points.count(),
        dimension: width,
        isoscore: covariance.isoscore().ok_or_else(no_variance)?,
        isoscore_unbiased: spread.unbiased_sums().isoscore(width),
        isoscore_interval,
        isoscore_star,
        mean_cosine: cosines / (n * (n - 1.0)),
        cosreg: cosines / (n * n),
        partition,
        effective_rank: effective_rank(&spectrum),
        participation_ratio: participation_ratio(&spectrum),
        explained_variance: explained_variance(&spectrum, EXPLAINED_SHARE),
        sample: sampled.map(|sampled| sampled.count()).filter(|count| *count < points.count()),
        twonn: twonn.map(|estimates| estimates.linear),
        twonn_ml: twonn.map(|estimates| estimates.maximum_likelihood),
        mle: neighbours.as_ref().and_then(mle),
        outlier_dimensions: outlier_dimensions(&mean, &std, OutlierThreshold::default()),
        spectrum: spectrum.eigenvalues(),
        mean,
        std,
    })
}

/// How many steps [`measure`] takes: a row of a pass each, and two for a point among its neighbours.
pub fn steps(points: &Points, measures: Measures) -> usize {
    let unpacking = if points.are_packed() { points.count() } else { 0 };
    let further = match measures {
        Measures::OfMoments => 0,
        Measures::All(sample) => points.count() + 2 * points.count().min(sample.points),
    };
    unpacking + points.count() + further
}

/// The second pass.
fn partition_of(points: &Points, spread: &Spread, device: &Device, progress: &dyn Fn(usize)) -> Result<Partition, EmbeddingsError> {
    let frame = &spread.frame;
    let mut partition = Partition::of_deviations(&spread.moments, &frame.origin, frame.unit, device);
    each_block(points, frame, |deviations| {
        let rows = deviations.len() / points.width();
        let block = TensorData::new(deviations, [rows, points.width()]);
        partition.update(Tensor::from_data(block, (device, DType::F32)))?;
        progress(rows);
        Ok(())
    })?;
    Ok(partition)
}

/// The nearest neighbours of all points, which are held in f32 as deviations in `frame`.
fn neighbours_of(points: &Points, frame: &Frame, device: &Device, progress: &dyn Fn(usize)) -> Result<NearestNeighbours, EmbeddingsError> {
    let width = points.width();
    let mut all = Vec::with_capacity(points.count() * width);
    each_block(points, frame, |deviations| {
        progress(deviations.len() / width);
        all.extend(deviations);
        Ok(())
    })?;
    let all = TensorData::new(all, [points.count(), width]);
    Ok(nearest_neighbours(Tensor::from_data(all, (device, DType::F32)), NEIGHBOURS, progress))
}

/// Hands the deviations of all points in `frame` to `take`, a block after the other. Shapes `[rows, d]`.
fn each_block(
    points: &Points,
    frame: &Frame,
    mut take: impl FnMut(Vec<f32>) -> Result<(), EmbeddingsError>,
) -> Result<(), EmbeddingsError> {
    let nothing = || ();
    let add = |_: &mut (), points: &[f64], deviations: &mut [f32]| pulp::Arch::new().dispatch(|| frame.deviate(points, deviations));
    pass(points, points.blocks(), Reading::Again, nothing, add, |block| take(block.deviations))
}
