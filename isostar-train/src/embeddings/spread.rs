//! The second pass over points: scatter on the device, directions and norms on the host.

use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::{Moments, RunningMoments, UnbiasedSums};
use rayon::prelude::*;

use super::covariance::ScaledCovariance;
use super::points::PART_ROWS;
use super::survey::Survey;
use super::{EmbeddingsError, Points};

/// What all scores of points follow from.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    /// The largest deviation from the mean, s.
    scale: f64,
    /// The moments of the deviations in units of s.
    moments: RunningMoments,
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
    /// Reads all points twice; `progress` is told of rows done, each row counting once a pass.
    ///
    /// # Errors
    /// If a point holds a number that is not finite, all points are equal, or the device fails.
    pub fn of(points: &Points, device: &Device, progress: &dyn Fn(usize)) -> Result<Self, EmbeddingsError> {
        let width = points.width();
        let survey = Survey::of(points, progress)?;
        let scale = survey.largest_deviation();
        let mut spread = Self { scale, moments: RunningMoments::new(width), rows: RowSums::new(width) };
        for rows in points.blocks() {
            let mut deviations = vec![0.0_f32; rows.len() * width];
            let parts = rows.par_chunks(PART_ROWS).zip(deviations.par_chunks_mut(PART_ROWS * width));
            let sums: Vec<_> = parts.map(|(part, deviations)| RowSums::of(points, part, &survey.mean, scale, deviations)).collect();
            for part in sums {
                spread.rows.absorb(&part?);
            }
            let block = TensorData::new(deviations, [rows.len(), width]);
            spread.moments.update(&Moments::of_points(Tensor::from_data(block, (device, DType::F32))))?;
            progress(rows.len());
        }
        Ok(spread)
    }

    /// The sample covariance S/(n − 1).
    pub fn covariance(&self) -> ScaledCovariance {
        let divisor = self.moments.count() as f64 - 1.0;
        let values = self.moments.scatter().iter().map(|sum| sum / divisor).collect();
        ScaledCovariance { width: self.moments.width(), scale: self.scale, values }
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

impl RowSums {
    fn new(width: usize) -> Self {
        Self { directions: vec![0.0; width], directed: 0, fourth_powers: 0.0 }
    }

    /// The sums of a few rows; their deviations from the mean, in units of the scale, go into `deviations`.
    fn of(points: &Points, rows: &[usize], mean: &[f64], scale: f64, deviations: &mut [f32]) -> Result<Self, EmbeddingsError> {
        let width = mean.len();
        let mut values = points.read(rows)?;
        let mut sums = Self::new(width);
        for (point, deviations) in values.chunks_exact_mut(width).zip(deviations.chunks_exact_mut(width)) {
            let mut squared_norm = 0.0;
            for column in 0..width {
                // The difference is taken in f64: in f32 a mean far from zero would leave nothing of it.
                let deviation = (point[column] - mean[column]) / scale;
                squared_norm += deviation * deviation;
                deviations[column] = deviation as f32;
            }
            sums.fourth_powers += squared_norm * squared_norm;
            sums.add_direction(point);
        }
        Ok(sums)
    }

    /// Adds x/‖x‖. The norm is taken in units of the largest coordinate, so that 1e-200 squared does not vanish.
    fn add_direction(&mut self, point: &mut [f64]) {
        let largest = point.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        if largest == 0.0 {
            return;
        }
        let mut squared_norm = 0.0;
        for value in point.iter_mut() {
            *value /= largest;
            squared_norm += *value * *value;
        }
        let norm = squared_norm.sqrt();
        for (sum, value) in self.directions.iter_mut().zip(point) {
            *sum += *value / norm;
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
