//! The second pass over points: scatter on the device, directions and norms on the host.

use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::{IsoscoreJackknife, Moments, RunningMoments, UnbiasedSums};
use rayon::prelude::*;

use super::ahead::ahead;
use super::covariance::ScaledCovariance;
use super::points::PART_ROWS;
use super::survey::Survey;
use super::{EmbeddingsError, Points};

/// What the scores of a covariance and of directions follow from.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    /// The largest deviation from the mean, s.
    pub scale: f64,
    /// The moments of the deviations in units of s.
    pub moments: RunningMoments,
    rows: RowSums,
}

/// Sums over rows, in f64.
#[derive(Clone, Debug)]
struct RowSums {
    /// Σᵢ xᵢ/‖xᵢ‖, over the points that are not zero. Length d.
    directions: Vec<f64>,
    /// The number of points that are not zero.
    directed: usize,
    /// Σᵢ ‖(xᵢ − m)/s‖⁴.
    fourth_powers: f64,
}

impl Spread {
    /// Reads all points; `progress` is told of rows done, and `jackknife` of the moments of each of its groups.
    ///
    /// # Errors
    /// If a point holds a number that is not finite, or the device fails.
    pub fn of(
        points: &Points,
        survey: &Survey,
        device: &Device,
        mut jackknife: Option<&mut IsoscoreJackknife>,
        progress: &dyn Fn(usize),
    ) -> Result<Self, EmbeddingsError> {
        let width = points.width();
        let mut spread = Self { scale: survey.largest_deviation(), moments: RunningMoments::new(width), rows: RowSums::new(width) };
        // Without a jackknife, one matrix of d² numbers is enough.
        let mut group = jackknife.is_some().then(|| RunningMoments::new(width));
        let ends = jackknife.is_some().then(|| IsoscoreJackknife::groups(points.count()).map(|group| group.end));
        let pieces = pieces(points, ends.into_iter().flatten());
        let scale = spread.scale;
        let read = |piece| Read::new(piece, points, survey, scale);
        ahead(pieces, read, |Read { sums, deviations, rows, ends_group }| {
            for part in sums {
                spread.rows.absorb(&part);
            }
            let block = TensorData::new(deviations, [rows, width]);
            let moments = Moments::of_points(Tensor::from_data(block, (device, DType::F32)));
            group.as_mut().unwrap_or(&mut spread.moments).update(&moments)?;
            progress(rows);
            if let (true, Some(jackknife), Some(group)) = (ends_group, &mut jackknife, &mut group) {
                spread.moments.merge(group);
                jackknife.push(group);
                *group = RunningMoments::new(width);
            }
            Ok(())
        })?;
        Ok(spread)
    }

    /// The sample covariance S/(n − 1).
    pub fn covariance(&self) -> ScaledCovariance {
        let divisor = self.moments.count() as f64 - 1.0;
        let values = self.moments.scatter().iter().map(|sum| sum / divisor).collect();
        ScaledCovariance { width: self.moments.width(), scale: self.scale, values }
    }

    /// The standard deviation of every dimension, with the divisor n − 1. Length d.
    pub fn deviations(&self) -> Vec<f64> {
        let divisor = self.moments.count() as f64 - 1.0;
        let variances = self.moments.scatter().iter().step_by(self.moments.width() + 1);
        variances.map(|sum| (sum / divisor).max(0.0).sqrt() * self.scale).collect()
    }

    /// The sums of the unbiased estimator, in units of the scale, on which the estimate does not depend.
    pub fn unbiased_sums(&self) -> UnbiasedSums {
        let scatter = self.moments.scatter();
        UnbiasedSums {
            count: self.moments.count() as f64,
            squared_norms: scatter.iter().step_by(self.moments.width() + 1).sum(),
            fourth_powers: self.rows.fourth_powers,
            scatter_squared: scatter.iter().map(|sum| sum * sum).sum(),
        }
    }

    /// Σ over i ≠ j of cos(xᵢ, xⱼ) = ‖Σᵢ x̂ᵢ‖² − Σᵢ ‖x̂ᵢ‖², the cosine with a zero point being 0.
    pub fn cosines_of_distinct_pairs(&self) -> f64 {
        let squared: f64 = self.rows.directions.iter().map(|sum| sum * sum).sum();
        squared - self.rows.directed as f64
    }
}

/// Rows that belong to one block, and one group of the jackknife.
struct Piece {
    rows: Vec<usize>,
    ends_group: bool,
}

/// The blocks of points, cut where a group ends.
fn pieces<'a>(points: &'a Points, ends: impl Iterator<Item = usize> + 'a) -> impl Iterator<Item = Piece> + 'a {
    let mut ends = ends.peekable();
    let mut done = 0;
    points.blocks().flat_map(move |mut block| {
        let mut pieces = Vec::with_capacity(1);
        while !block.is_empty() {
            let end = ends.peek().copied().unwrap_or(points.count());
            let rest = block.split_off(block.len().min(end - done));
            done += block.len();
            let ends_group = done == end;
            ends.next_if_eq(&done);
            pieces.push(Piece { rows: std::mem::replace(&mut block, rest), ends_group });
        }
        pieces
    })
}

/// A piece that has been read.
struct Read {
    /// Of its parts, in the order of the file, so that equal files have equal scores.
    sums: Vec<RowSums>,
    /// From the mean, in units of the scale. Shape `[rows, d]`.
    deviations: Vec<f32>,
    rows: usize,
    ends_group: bool,
}

impl Read {
    fn new(Piece { rows, ends_group }: Piece, points: &Points, survey: &Survey, scale: f64) -> Result<Self, EmbeddingsError> {
        let width = points.width();
        let mut deviations = vec![0.0_f32; rows.len() * width];
        let parts = rows.par_chunks(PART_ROWS).zip(deviations.par_chunks_mut(PART_ROWS * width));
        let sums = parts.map(|(part, deviations)| RowSums::of(points, part, survey, scale, deviations));
        let sums = sums.collect::<Result<_, _>>()?;
        Ok(Self { sums, deviations, rows: rows.len(), ends_group })
    }
}

impl RowSums {
    fn new(width: usize) -> Self {
        Self { directions: vec![0.0; width], directed: 0, fourth_powers: 0.0 }
    }

    /// Those of the points at `rows`, whose deviations in units of the scale are written down.
    fn of(points: &Points, rows: &[usize], survey: &Survey, scale: f64, deviations: &mut [f32]) -> Result<Self, EmbeddingsError> {
        let width = points.width();
        let values = points.read(rows)?;
        survey.deviate(&values, scale, deviations);
        let mut sums = Self::new(width);
        for (point, deviations) in values.chunks_exact(width).zip(deviations.chunks_exact(width)) {
            sums.fourth_powers += sum_of(deviations, |deviation| f64::from(deviation).powi(2)).powi(2);
            sums.add_direction(point);
        }
        Ok(sums)
    }

    /// Adds x/‖x‖.
    fn add_direction(&mut self, point: &[f64]) {
        let squared_norm = sum_of(point, |value| value * value);
        if SAFE_SQUARES.contains(&squared_norm) {
            self.add(point, 1.0, squared_norm.sqrt());
            return;
        }
        // In units of the largest coordinate, so that 1e-200 squared does not vanish.
        let largest = point.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        if largest > 0.0 {
            let squared_norm = sum_of(point, |value| (value / largest).powi(2));
            self.add(point, largest, squared_norm.sqrt());
        }
    }

    fn add(&mut self, point: &[f64], unit: f64, norm: f64) {
        for (sum, value) in self.directions.iter_mut().zip(point) {
            *sum += value / unit / norm;
        }
        self.directed += 1;
    }

    fn absorb(&mut self, part: &Self) {
        for (sum, direction) in self.directions.iter_mut().zip(&part.directions) {
            *sum += direction;
        }
        self.directed += part.directed;
        self.fourth_powers += part.fourth_powers;
    }
}

/// Squared norms whose terms neither overflow nor lose digits that count.
const SAFE_SQUARES: std::ops::Range<f64> = 1e-200..1e300;

/// The sum of a term of every value, in eight partial sums: one alone would wait for each addition to end before the next begins.
fn sum_of<T: Copy>(values: &[T], term: impl Fn(T) -> f64) -> f64 {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += term(*value);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|value| term(*value)).sum::<f64>()
}
