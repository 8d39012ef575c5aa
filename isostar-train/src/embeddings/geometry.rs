//! The scores of points in a file.

use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::measure::{
    EXPLAINED_SHARE, ExplainedVariance, MEASURES, Measure, NEIGHBOURS, Needs, OutlierDimension, Partition, explained_variance,
};
use isostar_core::{NearestNeighbours, Shrinkage, nearest_neighbours};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::frame::Frame;
use super::pass::pass;
use super::points::Reading;
use super::statistics::Statistics;
use super::{EmbeddingsError, Points, Reference};

/// How many points the intrinsic dimensions are of where nothing else is asked for: as many as two cores compare in minutes at width 768.
pub const NEIGHBOUR_POINTS: usize = 100_000;

/// The probability that the interval of IsoScore holds the score of the distribution.
const CONFIDENCE: f64 = 0.95;

/// The widest points that have an interval: the twenty covariances behind it take 40·d² bytes.
const WIDEST_INTERVAL: usize = 4096;

/// The geometry of points: a value for every row of [`MEASURES`], and what is more than one number.
///
/// In JSON the measures stand under their names, `null` where they have no value, and IsoScore* is left out where there is no reference. The
/// interval of IsoScore follows the estimate that it belongs to, and the size of the sample precedes what is measured of it. The explained
/// variance is the number of components with the share that they carry, and outlier dimensions are listed one by one.
#[derive(Clone, Debug, PartialEq)]
pub struct Geometry {
    /// The number n of points that were measured.
    pub points: usize,
    /// Their width d.
    pub dimension: usize,
    /// Where the score of the distribution lies at 95%, see [`isostar_core::IsoscoreJackknife`]; `None` for fewer than 20 points or more than
    /// 4096 dimensions.
    pub isoscore_interval: Option<[f64; 2]>,
    /// The least number of principal components that carry at least 90% of the variance, and the share that they carry.
    pub explained_variance: Option<ExplainedVariance>,
    /// How many points the measures of neighbours are of, where a sample was drawn for them; `None` where they are of all.
    pub sample: Option<usize>,
    /// The dimensions whose mean or variance stands out, see [`isostar_core::measure::outlier_dimensions`].
    pub outlier_dimensions: Vec<OutlierDimension>,
    /// The eigenvalues of the sample covariance, descending. Length d.
    pub spectrum: Vec<f64>,
    /// The mean of every dimension. Length d.
    pub mean: Vec<f64>,
    /// The standard deviation of every dimension. Length d.
    pub std: Vec<f64>,
    /// The values of [`MEASURES`], in its order.
    values: Vec<Option<f64>>,
}

impl Geometry {
    /// Every measure with its value, in the order of [`MEASURES`]. What needs a reference is there only if it has a value.
    pub fn measures(&self) -> impl Iterator<Item = (&'static Measure, Option<f64>)> {
        let all = MEASURES.iter().zip(self.values.iter().copied());
        all.filter(|(measure, value)| measure.needs != Needs::Reference || value.is_some())
    }

    /// The value of the measure of that name in [`MEASURES`]; `None` where it has none for these points.
    ///
    /// # Panics
    /// If no measure has that name.
    pub fn value(&self, name: &str) -> Option<f64> {
        let at = MEASURES.iter().position(|measure| measure.name == name);
        self.values[at.unwrap_or_else(|| panic!("Geometry::value: there is no measure named {name:?}"))]
    }
}

impl Serialize for Geometry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("points", &self.points)?;
        map.serialize_entry("dimension", &self.dimension)?;
        let mut sampled = false;
        for (measure, value) in self.measures() {
            if measure.needs == Needs::Neighbours && !sampled {
                map.serialize_entry("sample", &self.sample)?;
                sampled = true;
            }
            match measure.name {
                "explained_variance" => map.serialize_entry(measure.name, &self.explained_variance)?,
                "outlier_dimensions" => map.serialize_entry(measure.name, &self.outlier_dimensions)?,
                name => map.serialize_entry(name, &value)?,
            }
            if measure.name == "isoscore_unbiased" {
                map.serialize_entry("isoscore_interval", &self.isoscore_interval)?;
            }
        }
        map.end()
    }
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
    let width = points.width();
    let sampled = match measures {
        Measures::OfMoments => None,
        Measures::All(sample) => Some(points.clone().sample(sample.points, sample.seed)?),
    };

    points.unpack(progress)?;
    let reading = if sampled.is_some() { Reading::Again } else { Reading::Once };
    let mut spread = Statistics::of(points, reading, width <= WIDEST_INTERVAL, device, progress)?;
    let isoscore_interval = spread.jackknife.take().and_then(|jackknife| jackknife.interval(CONFIDENCE));
    let mut further = None;
    if let Some(sampled) = &sampled {
        let partition = partition_of(points, &spread, device, progress)?;
        further = Some((partition, neighbours_of(sampled, &spread.frame, device, progress)?));
    }
    let mut summary = spread.into_summary();
    if let Some((partition, neighbours)) = further {
        summary = summary.with_partition(&partition).with_neighbours(neighbours);
    }
    if let Some((reference, shrinkage)) = reference {
        summary = summary.with_reference(&reference.covariance, shrinkage.weight());
    }

    let geometry = Geometry {
        points: points.count(),
        dimension: width,
        isoscore_interval,
        explained_variance: explained_variance(summary.spectrum(), EXPLAINED_SHARE),
        sample: sampled.map(|sampled| sampled.count()).filter(|count| *count < points.count()),
        outlier_dimensions: summary.outlier_dimensions(),
        spectrum: summary.spectrum().eigenvalues(),
        mean: summary.mean().to_vec(),
        std: summary.standard_deviations(),
        values: MEASURES.iter().map(|measure| (measure.value)(&summary)).collect(),
    };
    let scored = geometry.value("isoscore").is_some() && (reference.is_none() || geometry.value("isoscore_star").is_some());
    if scored { Ok(geometry) } else { Err(EmbeddingsError::NoVariance { place: points.place().clone() }) }
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
fn partition_of(points: &Points, spread: &Statistics, device: &Device, progress: &dyn Fn(usize)) -> Result<Partition, EmbeddingsError> {
    let frame = &spread.frame;
    let mut partition = Partition::from_deviations(&spread.moments, &frame.origin, frame.unit, device);
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
