//! The first pass over points: what the others need to keep every digit.

use rayon::prelude::*;

use super::points::PART_ROWS;
use super::{EmbeddingsError, Points};

/// The largest number that points may hold: differences and sums of a block stay within f64.
pub(super) const LARGEST: f64 = 1e300;

/// The mean and the extent of points, in f64.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    count: f64,
    /// Length d.
    pub mean: Vec<f64>,
    lowest: Vec<f64>,
    highest: Vec<f64>,
}

impl Survey {
    /// Reads all points once; `progress` is told of rows done.
    ///
    /// # Errors
    /// If a point holds a number that is not finite, or all points are equal.
    pub fn of(points: &Points, progress: &dyn Fn(usize)) -> Result<Self, EmbeddingsError> {
        let mut survey: Option<Self> = None;
        for rows in points.blocks() {
            let parts: Vec<_> = rows.par_chunks(PART_ROWS).map(|part| Self::of_rows(points, part)).collect();
            for part in parts {
                let part = part?;
                match &mut survey {
                    Some(survey) => survey.absorb(&part),
                    None => survey = Some(part),
                }
            }
            progress(rows.len());
        }
        match survey {
            Some(survey) if survey.largest_deviation() > 0.0 => Ok(survey),
            _ => Err(EmbeddingsError::NoVariance { place: points.place().clone() }),
        }
    }

    /// The largest |xᵢⱼ − mⱼ|; exactly 0 where all points are equal.
    pub fn largest_deviation(&self) -> f64 {
        let extents = self.lowest.iter().zip(&self.highest).zip(&self.mean);
        let deviations = extents.map(|((lowest, highest), mean)| if lowest < highest { (highest - mean).max(mean - lowest) } else { 0.0 });
        deviations.fold(0.0, f64::max)
    }

    /// The deviations from the mean of the points at `rows`, in units of `scale`. Shape `[rows, d]`.
    ///
    /// # Errors
    /// As [`Points::read`].
    pub fn deviations(&self, points: &Points, rows: &[usize], scale: f64) -> Result<Vec<f32>, EmbeddingsError> {
        let width = points.width();
        let mut deviations = vec![0.0_f32; rows.len() * width];
        let parts = rows.par_chunks(PART_ROWS).zip(deviations.par_chunks_mut(PART_ROWS * width));
        parts.try_for_each(|(part, deviations)| {
            self.deviate(&points.read(part)?, scale, deviations);
            Ok::<_, EmbeddingsError>(())
        })?;
        Ok(deviations)
    }

    /// The difference is taken in f64: in f32 a mean far from zero would leave nothing of it.
    pub fn deviate(&self, values: &[f64], scale: f64, deviations: &mut [f32]) {
        let width = self.mean.len();
        for (point, deviations) in values.chunks_exact(width).zip(deviations.chunks_exact_mut(width)) {
            for ((deviation, value), mean) in deviations.iter_mut().zip(point).zip(&self.mean) {
                *deviation = ((value - mean) / scale) as f32;
            }
        }
    }

    /// Sums differences from the first row, so that a mean far from zero keeps its digits.
    fn of_rows(points: &Points, rows: &[usize]) -> Result<Self, EmbeddingsError> {
        let width = points.width();
        let values = points.read(rows)?;
        let origin = &values[..width];
        let (mut lowest, mut highest) = (origin.to_vec(), origin.to_vec());
        let mut sums = vec![0.0; width];
        for row in values.chunks_exact(width) {
            let columns = sums.iter_mut().zip(&mut lowest).zip(&mut highest);
            for ((((sum, lowest), highest), value), origin) in columns.zip(row).zip(origin) {
                *sum += value - origin;
                // Not f64::min, whose care for NaN keeps this from becoming vector instructions.
                *lowest = if value < lowest { *value } else { *lowest };
                *highest = if value > highest { *value } else { *highest };
            }
        }
        let count = rows.len() as f64;
        let mean = sums.iter().zip(origin).map(|(sum, origin)| origin + sum / count).collect();
        Ok(Self { count, mean, lowest, highest })
    }

    fn absorb(&mut self, part: &Self) {
        self.count += part.count;
        let share = part.count / self.count;
        for column in 0..self.mean.len() {
            self.mean[column] += (part.mean[column] - self.mean[column]) * share;
            self.lowest[column] = self.lowest[column].min(part.lowest[column]);
            self.highest[column] = self.highest[column].max(part.highest[column]);
        }
    }
}
