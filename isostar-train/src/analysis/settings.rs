//! How a model is analyzed.

use super::AnalysisError;

/// The settings of an analysis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalysisSettings {
    /// Rows computed together; 32 by default.
    pub batch_size: usize,
    /// The most points measured of a layer, drawn at random without replacement; 25,000 by default, and `None` for all.
    pub sample: Option<usize>,
    /// The seed of the sample; 0 by default.
    pub seed: u64,
}

impl AnalysisSettings {
    /// The default of [`sample`](Self::sample).
    pub const SAMPLE: usize = 25_000;

    /// Checks the settings.
    ///
    /// # Errors
    /// [`AnalysisError::Setting`] for a batch of no rows, or a sample of fewer than two points.
    pub fn check(&self) -> Result<(), AnalysisError> {
        let check = |holds: bool, name, value: Option<usize>, expected| match (holds, value) {
            (false, Some(value)) => Err(AnalysisError::Setting { name, value, expected }),
            _ => Ok(()),
        };
        check(self.batch_size > 0, "batch_size", Some(self.batch_size), "a whole number of at least 1")?;
        check(self.sample.is_none_or(|sample| sample > 1), "sample", self.sample, "a whole number of at least 2")
    }
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self { batch_size: 32, sample: Some(Self::SAMPLE), seed: 0 }
    }
}
