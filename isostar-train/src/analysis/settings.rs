//! Settings of an analysis.

use super::AnalysisError;
use isostar_measure::Sample;

/// The settings of an analysis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalysisSettings {
    /// The number of rows per batch; 32 by default.
    pub batch_size: usize,
    /// The maximum number of points per layer used for the intrinsic dimensions;
    /// [`AnalysisSettings::SAMPLE`] by default. All other measures use all points.
    pub sample: Sample,
}

impl AnalysisSettings {
    /// The default number of points used for the intrinsic dimensions.
    ///
    /// It covers all tokens of 1,000 rows of ordinary length, and the neighbours in a layer are
    /// found within seconds.
    pub const SAMPLE: usize = 25_000;

    /// Checks the settings.
    ///
    /// # Errors
    /// Returns [`AnalysisError::Setting`] if the batch size is 0 or the sample has fewer than two
    /// points.
    pub fn check(&self) -> Result<(), AnalysisError> {
        let check = |holds: bool, name, value, expected| match holds {
            true => Ok(()),
            false => Err(AnalysisError::Setting {
                name,
                value,
                expected,
            }),
        };
        check(
            self.batch_size > 0,
            "batch_size",
            self.batch_size,
            "a whole number of at least 1",
        )?;
        check(
            self.sample.points > 1,
            "sample",
            self.sample.points,
            "a whole number of at least 2",
        )
    }
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self {
            batch_size: 32,
            sample: Sample {
                points: Self::SAMPLE,
                seed: 0,
            },
        }
    }
}
