//! The origin and unit of deviations.

use crate::rows::Reading;
use crate::{EmbeddingsError, Points};

/// The number of runs of consecutive rows sampled to estimate the location of the points.
const RUNS: usize = 64;

/// The number of rows in each run.
const RUN: usize = 16;

/// An origin near the mean of the points, and a unit close to the largest deviation. In this frame
/// no deviation overflows or vanishes in f32.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// The origin o. Length d.
    pub origin: Vec<f64>,
    /// The unit s, a power of two, so that dividing by it does not round.
    pub unit: f64,
}

impl Frame {
    /// Estimates a frame from runs spread evenly over the points; from all points if they are few.
    ///
    /// # Errors
    /// If a sampled point holds a number that is not finite.
    pub fn from_sample(points: &Points, reading: Reading) -> Result<Self, EmbeddingsError> {
        let width = points.width();
        let rows = points.spread_evenly(RUNS, RUN);
        let mut values = Vec::new();
        let mut memory = Vec::new();
        let mut origin = Vec::new();
        let mut sums = vec![0.0; width];
        let mut reach = 0.0;
        for run in rows.chunks(RUN) {
            let fetched = points.fetch(run, reading, memory)?;
            points.decode(run, fetched.as_ref(), &mut values)?;
            memory = fetched.into_memory();
            if origin.is_empty() {
                origin.extend_from_slice(&values[..width]);
            }
            for point in values.chunks_exact(width) {
                for ((sum, value), origin) in sums.iter_mut().zip(point).zip(&origin) {
                    // Averaging differences from the first point keeps the digits of a mean far
                    // from zero, and averages equal numbers exactly.
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

    /// Creates a frame about `origin` with a largest deviation of about `reach`.
    pub fn new(origin: Vec<f64>, reach: f64) -> Self {
        // The unit and its inverse must be normal numbers. The logarithm of 0 is clamped to the
        // smallest.
        Self {
            origin,
            unit: reach.log2().floor().clamp(-1022.0, 1022.0).exp2(),
        }
    }

    /// Writes the deviations (x − o)/s of `points`. Shapes `[n, d]`.
    // Inlined into its callers, which are compiled for the widest registers.
    #[inline(always)]
    pub fn deviate(&self, points: &[f64], deviations: &mut [f32]) {
        let width = self.origin.len();
        let inverse = 1.0 / self.unit;
        for (point, deviations) in points
            .chunks_exact(width)
            .zip(deviations.chunks_exact_mut(width))
        {
            for ((deviation, value), origin) in deviations.iter_mut().zip(point).zip(&self.origin) {
                // The difference is taken in f64: in f32 a mean far from zero would cancel all
                // digits.
                *deviation = ((value - origin) * inverse) as f32;
            }
        }
    }
}
