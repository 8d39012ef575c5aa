//! Measures points.

use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::measure::{
    EXPLAINED_SHARE, ExplainedVariance, MEASURES, Measure, NEIGHBOURS, Needs, OutlierDimension,
    Partition, explained_variance,
};
use isostar_core::{NearestNeighbours, Shrinkage, nearest_neighbours};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::frame::Frame;
use crate::pass::pass;
use crate::rows::Reading;
use crate::statistics::Statistics;
use crate::{EmbeddingsError, Points, Reference};

/// The default maximum number of points used for the intrinsic dimensions.
///
/// Two cores compare this many points in minutes at width 768.
pub const NEIGHBOUR_POINTS: usize = 100_000;

/// The confidence level of the interval of IsoScore.
const CONFIDENCE: f64 = 0.95;

/// The maximum width for which an interval is computed: its twenty covariances take 40·d² bytes.
const WIDEST_INTERVAL: usize = 4096;

/// The geometry of points: a value for every entry of [`MEASURES`], and quantities that are more
/// than one number.
///
/// In JSON, each measure is stored under its name, with `null` for a missing value; IsoScore* is
/// omitted if there is no reference. The interval of IsoScore follows the estimate it belongs to,
/// and the sample size precedes the measures that use the sample. The explained variance is the
/// number of components with their share of the variance, and outlier dimensions are listed one by
/// one.
#[derive(Clone, Debug, PartialEq)]
pub struct Geometry {
    /// The number n of measured points.
    pub points: usize,
    /// The width d of the points.
    pub dimension: usize,
    /// The 95% confidence interval of the IsoScore of the distribution, see
    /// [`isostar_core::IsoscoreJackknife`]; `None` for fewer than 20 points or more than 4096
    /// dimensions.
    pub isoscore_interval: Option<[f64; 2]>,
    /// The smallest number of principal components that carry at least 90% of the variance, and
    /// their share.
    pub explained_variance: Option<ExplainedVariance>,
    /// The number of points sampled for the neighbour measures; `None` if they use all points.
    pub sample: Option<usize>,
    /// The dimensions with an outlying mean or variance, see
    /// [`isostar_core::measure::outlier_dimensions`].
    pub outlier_dimensions: Vec<OutlierDimension>,
    /// The eigenvalues of the sample covariance, in descending order. Length d.
    pub spectrum: Vec<f64>,
    /// The mean of every dimension. Length d.
    pub mean: Vec<f64>,
    /// The standard deviation of every dimension. Length d.
    pub std: Vec<f64>,
    /// The values of [`MEASURES`], in its order.
    values: Vec<Option<f64>>,
}

impl Geometry {
    /// Iterates over the measures with their values, in the order of [`MEASURES`].
    ///
    /// Measures that need a reference are included only if they have a value.
    pub fn measures(&self) -> impl Iterator<Item = (&'static Measure, Option<f64>)> {
        let all = MEASURES.iter().zip(self.values.iter().copied());
        all.filter(|(measure, value)| measure.needs != Needs::Reference || value.is_some())
    }

    /// Returns the value of the measure with this name in [`MEASURES`]; `None` if it has no value
    /// for these points.
    ///
    /// # Panics
    /// Panics if no measure has that name.
    pub fn value(&self, name: &str) -> Option<f64> {
        let at = MEASURES.iter().position(|measure| measure.name == name);
        self.values
            [at.unwrap_or_else(|| panic!("Geometry::value: there is no measure named {name:?}"))]
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
                "explained_variance" => {
                    map.serialize_entry(measure.name, &self.explained_variance)?
                }
                "outlier_dimensions" => {
                    map.serialize_entry(measure.name, &self.outlier_dimensions)?
                }
                name => map.serialize_entry(name, &value)?,
            }
            if measure.name == "isoscore_unbiased" {
                map.serialize_entry("isoscore_interval", &self.isoscore_interval)?;
            }
        }
        map.end()
    }
}

/// The sample of points used for the neighbour measures.
///
/// Their cost grows with the square of the number of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The maximum number of points; if there are more, this many are drawn at random without
    /// replacement. [`NEIGHBOUR_POINTS`] by default.
    pub points: usize,
    /// The seed of the sample, 0 by default.
    pub seed: u64,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            points: NEIGHBOUR_POINTS,
            seed: 0,
        }
    }
}

/// The set of measures to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measures {
    /// Measures that follow from the moments of the points and their directions, in one pass.
    ///
    /// This excludes the partition score and the intrinsic dimensions, which take most of the time.
    OfMoments,
    /// All measures.
    All(Sample),
}

impl Default for Measures {
    fn default() -> Self {
        Self::All(Sample::default())
    }
}

/// Measures the rows of a tensor `[n, d]` on its device, with all measures.
///
/// Not differentiable; [`isostar_core::measure::Measure::differentiable`] lists what is.
///
/// ```
/// use burn::prelude::*;
/// use burn::tensor::Distribution;
/// use isostar_measure::geometry;
///
/// let points = Tensor::<2>::random([512, 8], Distribution::Normal(0.0, 1.0), &Device::flex());
/// let geometry = geometry(points)?;
/// assert!(geometry.value("isoscore").unwrap() > 0.9);
/// assert!(geometry.value("effective_rank").unwrap() > 7.5);
/// for (measure, value) in geometry.measures() {
///     println!("{:<20} {value:?}", measure.title);
/// }
/// # Ok::<(), isostar_measure::EmbeddingsError>(())
/// ```
///
/// # Errors
/// Returns an error if there are fewer than two points or dimensions, a point contains a value that
/// is not finite, all points are equal, or the device fails.
pub fn geometry(points: Tensor<2>) -> Result<Geometry, EmbeddingsError> {
    let device = points.device().without_autodiff();
    measure(
        &Points::from_tensor(points)?,
        None,
        Measures::default(),
        &device,
        &|_steps| (),
    )
}

/// Measures points in one or two passes over them; the neighbour measures also compare points with
/// each other.
///
/// The weight ζ of the shrinkage applies to the reference: `(1 − ζ)·Σ_X + ζ·Σ_S`. `progress`
/// receives the number of steps just completed; [`steps`] returns the total.
///
/// # Errors
/// Returns an error if a point contains a value that is not finite, all points are equal, the
/// sample has fewer than two points, or the device fails.
///
/// # Panics
/// Panics if the width of the reference differs.
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
    let reading = if sampled.is_some() {
        Reading::Again
    } else {
        Reading::Once
    };
    let mut spread = Statistics::of(points, reading, width <= WIDEST_INTERVAL, device, progress)?;
    let isoscore_interval = spread
        .jackknife
        .take()
        .and_then(|jackknife| jackknife.interval(CONFIDENCE));
    let mut further = None;
    if let Some(sampled) = &sampled {
        let partition = partition_of(points, &spread, device, progress)?;
        further = Some((
            partition,
            neighbours_of(sampled, &spread.frame, device, progress)?,
        ));
    }
    let mut summary = spread.into_summary();
    if let Some((partition, neighbours)) = further {
        summary = summary
            .with_partition(&partition)
            .with_neighbours(neighbours);
    }
    if let Some((reference, shrinkage)) = reference {
        summary = summary.with_reference(&reference.covariance, shrinkage.weight());
    }

    let geometry = Geometry {
        points: points.count(),
        dimension: width,
        isoscore_interval,
        explained_variance: explained_variance(summary.spectrum(), EXPLAINED_SHARE),
        sample: sampled
            .map(|sampled| sampled.count())
            .filter(|count| *count < points.count()),
        outlier_dimensions: summary.outlier_dimensions(),
        spectrum: summary.spectrum().eigenvalues(),
        mean: summary.mean().to_vec(),
        std: summary.standard_deviations(),
        values: MEASURES
            .iter()
            .map(|measure| (measure.value)(&summary))
            .collect(),
    };
    let scored = geometry.value("isoscore").is_some()
        && (reference.is_none() || geometry.value("isoscore_star").is_some());
    if scored {
        Ok(geometry)
    } else {
        Err(EmbeddingsError::NoVariance {
            place: points.source().clone(),
        })
    }
}

/// Returns the number of steps of [`measure`]: one per row and pass, and two per point whose
/// neighbours are searched.
pub fn steps(points: &Points, measures: Measures) -> usize {
    let unpacking = if points.are_packed() {
        points.count()
    } else {
        0
    };
    let further = match measures {
        Measures::OfMoments => 0,
        Measures::All(sample) => points.count() + 2 * points.count().min(sample.points),
    };
    unpacking + points.count() + further
}

/// Computes the partition function in a second pass over the points.
fn partition_of(
    points: &Points,
    spread: &Statistics,
    device: &Device,
    progress: &dyn Fn(usize),
) -> Result<Partition, EmbeddingsError> {
    let frame = &spread.frame;
    let mut partition =
        Partition::from_deviations(&spread.moments, &frame.origin, frame.unit, device);
    each_block(points, frame, |deviations| {
        let rows = deviations.len() / points.width();
        let block = TensorData::new(deviations, [rows, points.width()]);
        partition.update(Tensor::from_data(block, (device, DType::F32)))?;
        progress(rows);
        Ok(())
    })?;
    Ok(partition)
}

/// Finds the nearest neighbours of all points, which are held in memory in f32 as deviations in
/// `frame`.
fn neighbours_of(
    points: &Points,
    frame: &Frame,
    device: &Device,
    progress: &dyn Fn(usize),
) -> Result<NearestNeighbours, EmbeddingsError> {
    let width = points.width();
    let mut all = Vec::with_capacity(points.count() * width);
    each_block(points, frame, |deviations| {
        progress(deviations.len() / width);
        all.extend(deviations);
        Ok(())
    })?;
    let all = TensorData::new(all, [points.count(), width]);
    Ok(nearest_neighbours(
        Tensor::from_data(all, (device, DType::F32)),
        NEIGHBOURS,
        progress,
    ))
}

/// Passes the deviations of all points in `frame` to `take`, block by block. Each block has shape
/// `[rows, d]`.
fn each_block(
    points: &Points,
    frame: &Frame,
    mut take: impl FnMut(Vec<f32>) -> Result<(), EmbeddingsError>,
) -> Result<(), EmbeddingsError> {
    let nothing = || ();
    let add = |_: &mut (), points: &[f64], deviations: &mut [f32]| {
        pulp::Arch::new().dispatch(|| frame.deviate(points, deviations))
    };
    pass(
        points,
        points.blocks(),
        Reading::Again,
        nothing,
        add,
        |block| take(block.deviations),
    )
}
