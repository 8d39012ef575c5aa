//! What a command says when it fails: one line of cause, one of remedy.

use std::fmt;

use isostar_core::ConfigError;
use isostar_models::ModelError;
use isostar_train::analysis::AnalysisError;
use isostar_train::data::DataError;
use isostar_train::device::DeviceError;
use isostar_train::embeddings::EmbeddingsError;
use isostar_train::experiment::{ExperimentError, config_remedy};
use isostar_train::model::FindModelError;
use isostar_train::report::ReportError;
use isostar_train::sweep::SweepError;
use isostar_train::task::TaskError;

/// The exit status of a failure.
const FAILED: u8 = 1;
/// The exit status of a run that a guard stopped: its numbers are no longer finite.
const DIVERGED: u8 = 3;

/// A command's failure.
#[derive(Debug)]
pub struct Failure {
    cause: String,
    remedy: String,
    status: u8,
}

impl Failure {
    /// A failure of this cause, against which this helps.
    pub fn new(cause: impl fmt::Display, remedy: impl Into<String>) -> Self {
        // A line each: whatever comes from a file or a library may hold line breaks.
        let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { cause: line(cause.to_string()), remedy: line(remedy.into()), status: FAILED }
    }

    /// This failure, of runs that diverged.
    pub fn diverged(self) -> Self {
        Self { status: DIVERGED, ..self }
    }

    /// The exit status of the command.
    pub fn status(&self) -> u8 {
        self.status
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n  try: {}", self.cause, self.remedy)
    }
}

/// Errors that know their own remedy.
macro_rules! with_own_remedy {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(&error, error.remedy())
            }
        }
    )*};
}

with_own_remedy!(AnalysisError, DataError, DeviceError, EmbeddingsError, FindModelError, ModelError, ReportError, SweepError, TaskError);

impl From<ExperimentError> for Failure {
    fn from(error: ExperimentError) -> Self {
        let failure = Self::new(&error, error.remedy());
        if matches!(error, ExperimentError::Diverged { .. }) { failure.diverged() } else { failure }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(&error, config_remedy(&error))
    }
}
