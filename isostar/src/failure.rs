//! Failure of a command: one line of cause, one line of remedy.

use std::fmt;

use isostar::remedy::Remedy;
use isostar_core::ConfigError;
use isostar_measure::EmbeddingsError;
use isostar_models::ModelError;
use isostar_report::ReportError;
use isostar_train::analysis::AnalysisError;
use isostar_train::data::DataError;
use isostar_train::device::DeviceError;
use isostar_train::embed::EmbedError;
use isostar_train::experiment::ExperimentError;
use isostar_train::model::FindModelError;
use isostar_train::sweep::SweepError;
use isostar_train::task::TaskError;
use isostar_train::world::{LaunchError, WorldError};

/// Exit status of a failed command.
const FAILED: u8 = 1;
/// Exit status of a run that was stopped because its numbers were no longer finite, or passed a limit.
const DIVERGED: u8 = 3;

/// Failure of a command.
#[derive(Debug)]
pub struct Failure {
    cause: String,
    remedy: String,
    status: u8,
    /// Whether it is printed: another process may print it.
    is_said: bool,
}

impl Failure {
    /// Creates a failure from its cause and a remedy.
    pub fn new(cause: impl fmt::Display, remedy: impl Into<String>) -> Self {
        // Texts from files or libraries may contain line breaks; each part must be one line.
        let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self {
            cause: line(cause.to_string()),
            remedy: line(remedy.into()),
            status: FAILED,
            is_said: true,
        }
    }

    /// Changes the exit status to that of diverged runs.
    pub fn diverged(self) -> Self {
        Self {
            status: DIVERGED,
            ..self
        }
    }

    /// Replaces the remedy.
    pub fn with_remedy(self, remedy: String) -> Self {
        Self { remedy, ..self }
    }

    /// Puts a process before the cause.
    pub fn with_prefix(self, prefix: &str) -> Self {
        Self {
            cause: format!("{prefix}: {}", self.cause),
            ..self
        }
    }

    /// Leaves it to another process to print this.
    pub fn unsaid(self) -> Self {
        Self {
            is_said: false,
            ..self
        }
    }

    /// Whether it is to be printed.
    pub fn is_said(&self) -> bool {
        self.is_said
    }

    /// Returns the cause.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// Returns the remedy.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }

    /// Returns the exit status of the command.
    pub fn status(&self) -> u8 {
        self.status
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n  try: {}", self.cause, self.remedy)
    }
}

/// Converts errors that end a command with status 1.
macro_rules! failed {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(&error, error.remedy())
            }
        }
    )*};
}

failed!(
    AnalysisError,
    ConfigError,
    DataError,
    DeviceError,
    EmbedError,
    EmbeddingsError,
    FindModelError,
    LaunchError,
    ModelError,
    ReportError,
    SweepError,
    TaskError,
    WorldError
);

impl From<ExperimentError> for Failure {
    fn from(error: ExperimentError) -> Self {
        let failure = Self::new(&error, error.remedy());
        match error {
            ExperimentError::Diverged { .. }
            | ExperimentError::Spike { .. }
            | ExperimentError::Limit { .. } => failure.diverged(),
            ExperimentError::Interrupted { stop, .. } => Self {
                status: stop.status(),
                ..failure
            },
            _ => failure,
        }
    }
}
