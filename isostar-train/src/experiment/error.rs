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

/// Why a run could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// A setting outside its range.
    #[error("{name} is {value}; it must be {expected}")]
    Setting {
        /// The setting, as in the settings file.
        name: &'static str,
        /// Its value.
        value: String,
        /// The range.
        expected: &'static str,
    },
    /// The settings file does not parse.
    #[error("{}: {message}", path.display())]
    SettingsFile {
        /// The file.
        path: PathBuf,
        /// Where and what, in one line.
        message: String,
    },
    /// A file of results does not parse.
    #[error("{}: {message}", path.display())]
    ResultFile {
        /// The file.
        path: PathBuf,
        /// Where and what, in one line.
        message: String,
    },
    /// The folder asked for holds a run already.
    #[error("{} is not empty", path.display())]
    FolderTaken {
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing to resume.
    #[error("{} holds no run that could be resumed: {reason}", path.display())]
    NothingToResume {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        reason: &'static str,
    },
    /// The system refused to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A batch could not be made.
    #[error("the rows could not be read: {message}")]
    Batch {
        /// The loader's account of it.
        message: String,
    },
    /// Training stopped before its last epoch was over.
    #[error("{}: training stopped after {done} of {epochs} epochs: {reason}", path.display())]
    Stopped {
        /// The folder of the run.
        path: PathBuf,
        /// The epochs whose checkpoint is complete.
        done: usize,
        /// The epochs asked for.
        epochs: usize,
        /// burn-train's account of it.
        reason: String,
    },
    /// The numbers of a run are no longer finite. Going on from its checkpoint would lead there again.
    #[error("{}: the run diverged: {}; the likely cause is {}", path.display(), diverged.divergence, diverged.likely_cause())]
    Diverged {
        /// The folder of the run.
        path: PathBuf,
        /// Where, and with which settings.
        diverged: Box<Diverged>,
    },
    /// A tensor could not be read back.
    #[error("the device could not be read: {0}")]
    Read(#[from] burn::tensor::TensorReadError),
    /// The regularizer's settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The task.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Where the model is.
    #[error(transparent)]
    FindModel(#[from] FindModelError),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl ExperimentError {
    /// One line that says what to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Setting { name, expected, .. } => format!("give {} {expected}", flag(name)),
            Self::SettingsFile { .. } => "correct the file; its keys are the flags of `isostar train`, with _ for -".into(),
            Self::ResultFile { .. } => "remove the file: the run then counts as unfinished".into(),
            Self::FolderTaken { .. } => "choose another folder with --out, or go on with what is there with --resume".into(),
            Self::NothingToResume { .. } => "name the folder of an unfinished run with --out, or start one without --resume".into(),
            Self::Io { .. } => "check that the path exists, may be written to, and that the disk has room".into(),
            Self::Batch { .. } => "check that the task's files can still be read".into(),
            Self::Stopped { path, done: 0, .. } => {
                format!("start again once the cause is gone; {} holds no checkpoint yet and can be removed", path.display())
            }
            Self::Stopped { path, .. } => {
                format!("go on from the last checkpoint with `isostar train --resume --out {}`, once the cause is gone", path.display())
            }
            Self::Diverged { diverged, .. } => format!("train again with another --out and {}", diverged.advice(flag)),
            Self::Read(_) => "check that the device still answers, and has memory left; a smaller --batch-size needs less".into(),
            Self::Config(error) => config_remedy(error).into(),
            Self::Data(error) => error.remedy(),
            Self::Task(error) => error.remedy(),
            Self::Model(error) => error.remedy().to_string(),
            Self::FindModel(error) => error.remedy().to_string(),
            Self::Device(error) => error.remedy(),
        }
    }

    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// What to do about a setting of the measure or the regularizer.
pub fn config_remedy(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::Shrinkage { .. } => {
            "choose --shrinkage between 0 (the batch alone) and 1 (the reference alone); the paper uses 0.2 to 0.8"
        }
        ConfigError::Weight { .. } => "choose a finite --weight, such as -0.1",
        _ => "choose --layers all, last, or numbers such as 1,3,12",
    }
}

fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}
