//! How a model is analyzed.

use super::AnalysisError;
use crate::embeddings::Sample;

/// The settings of an analysis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalysisSettings {
    /// Rows computed together; 32 by default.
    pub batch_size: usize,
    /// The most points of a layer that the intrinsic dimensions are of; [`AnalysisSettings::SAMPLE`] by default. All other measures are of
    /// all points.
    pub sample: Sample,
}

impl AnalysisSettings {
    /// How many points the intrinsic dimensions are of by default: all of 1,000 rows of ordinary length, and a layer is compared in
    /// seconds.
    pub const SAMPLE: usize = 25_000;

    /// Checks the settings.
    ///
    /// # Errors
    /// [`AnalysisError::Setting`] for a batch of no rows, or a sample of fewer than two points.
    pub fn check(&self) -> Result<(), AnalysisError> {
        let check = |holds: bool, name, value, expected| match holds {
            true => Ok(()),
            false => Err(AnalysisError::Setting { name, value, expected }),
        };
        check(self.batch_size > 0, "batch_size", self.batch_size, "a whole number of at least 1")?;
        check(self.sample.points > 1, "sample", self.sample.points, "a whole number of at least 2")
    }
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self { batch_size: 32, sample: Sample { points: Self::SAMPLE, seed: 0 } }
    }
}
