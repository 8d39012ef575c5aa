use std::io;
use std::path::PathBuf;

use isostar_core::ConfigError;
use isostar_models::ModelError;
use thiserror::Error;

use crate::data::DataError;
use crate::device::DeviceError;
use crate::experiment::Diverged;
use crate::model::FindModelError;
use crate::task::TaskError;

/// Why a run failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// A setting is outside its range.
    #[error("{name} is {value}; it must be {expected}")]
    Setting {
        /// The name of the setting in a settings file.
        name: &'static str,
        /// Its value.
        value: String,
        /// The allowed range.
        expected: &'static str,
    },
    /// The maximum length exceeds the number of positions of the model.
    #[error("a maximum length of {max_length} tokens was requested, but the model has {positions} positions")]
    MaxLength {
        /// The maximum length passed.
        max_length: usize,
        /// The number of positions of the model.
        positions: usize,
    },
    /// The settings file cannot be parsed.
    #[error("{}: {message}", path.display())]
    SettingsFile {
        /// The file.
        path: PathBuf,
        /// The line and the problem.
        message: String,
    },
    /// A result file cannot be parsed.
    #[error("{}: {message}", path.display())]
    ResultFile {
        /// The file.
        path: PathBuf,
        /// The line and the problem.
        message: String,
    },
    /// The folder for a new run is not empty.
    #[error("{} is not empty", path.display())]
    FolderTaken {
        /// The folder.
        path: PathBuf,
    },
    /// The folder has no run that can be resumed.
    #[error("{} has no run to resume: {reason}", path.display())]
    NothingToResume {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        reason: &'static str,
    },
    /// The system failed to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A batch could not be read.
    #[error("the rows could not be read: {message}")]
    Batch {
        /// The loader's error message.
        message: String,
    },
    /// Training stopped before the end of its last epoch.
    #[error("{}: training stopped after {done} of {epochs} epochs: {reason}", path.display())]
    Stopped {
        /// The folder of the run.
        path: PathBuf,
        /// The number of epochs whose checkpoint is complete.
        done: usize,
        /// The number of epochs requested.
        epochs: usize,
        /// The reason, as reported by burn-train.
        reason: String,
    },
    /// The loss, the penalty or the reference is no longer finite. Resuming from the checkpoint
    /// would diverge again.
    #[error("{}: the run diverged: {}; the likely cause is {}", path.display(), diverged.divergence, diverged.likely_cause())]
    Diverged {
        /// The folder of the run.
        path: PathBuf,
        /// The step, the cause and the settings.
        diverged: Box<Diverged>,
    },
    /// A tensor could not be read from the device.
    #[error("the device could not be read: {0}")]
    Read(#[from] burn::tensor::TensorReadError),
    /// The settings of the regularizer are invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data is invalid.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The task cannot be set up.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The model cannot be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model was not found.
    #[error(transparent)]
    FindModel(#[from] FindModelError),
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl ExperimentError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
