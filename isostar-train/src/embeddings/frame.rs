//! What deviations are taken from, and in which unit.

use super::points::Reading;
use super::{EmbeddingsError, Points};

/// How many runs of consecutive rows are looked at to guess where the points lie.
const RUNS: usize = 64;

/// How many rows each of them has.
const RUN: usize = 16;

/// An origin near the points' mean and a unit of about their largest deviation, in which no deviation overflows or vanishes in f32.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// The origin o. Length d.
    pub origin: Vec<f64>,
    /// The unit s, a power of two, so that dividing by it rounds nothing.
    pub unit: f64,
}

impl Frame {
    /// About the mean of a sample of runs spread evenly over the points: all points where they are few.
    ///
    /// # Errors
    /// If a point among them holds a number that is not finite.
    pub fn of_sample(points: &Points, reading: Reading) -> Result<Self, EmbeddingsError> {
        let width = points.width();
        let rows = points.spread_evenly(RUNS, RUN);
        let mut values = Vec::new();
        let mut memory = Vec::new();
        let mut origin = Vec::new();
        let mut sums = vec![0.0; width];
        let mut reach = 0.0;
        for run in rows.chunks(RUN) {
            let source = points.fetch(run, reading, memory)?;
            points.decode(run, &source, &mut values)?;
            memory = source.into_memory();
            if origin.is_empty() {
                origin.extend_from_slice(&values[..width]);
            }
            for point in values.chunks_exact(width) {
                for ((sum, value), origin) in sums.iter_mut().zip(point).zip(&origin) {
                    // Of differences from the first point, so that a mean far from zero keeps its digits and equal numbers their value.
                    let difference = value - origin;
                    *sum += difference;
                    reach = f64::max(reach, difference.abs());
                }
            }
        }
        for (origin, sum) in origin.iter_mut().zip(&sums) {
            *origin += sum / rows.len() as f64;
        }
        Ok(Self::new(origin, reach))
    }

    /// About `origin`, where the largest deviation is about `reach`.
    pub fn new(origin: Vec<f64>, reach: f64) -> Self {
        // Both the unit and its inverse are to be normal numbers. The logarithm of 0 is the smallest of them.
        Self { origin, unit: reach.log2().floor().clamp(-1022.0, 1022.0).exp2() }
    }

    /// Writes down the deviations (x − o)/s of `points`. Shapes `[n, d]`.
    // In its callers, which are compiled for the widest registers.
    #[inline(always)]
    pub fn deviate(&self, points: &[f64], deviations: &mut [f32]) {
        let width = self.origin.len();
        let inverse = 1.0 / self.unit;
        for (point, deviations) in points.chunks_exact(width).zip(deviations.chunks_exact_mut(width)) {
            for ((deviation, value), origin) in deviations.iter_mut().zip(point).zip(&self.origin) {
                // The difference is taken in f64: in f32 a mean far from zero would leave nothing of it.
                *deviation = ((value - origin) * inverse) as f32;
            }
        }
    }
}
