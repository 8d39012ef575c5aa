use std::io;
use std::path::PathBuf;

use isostar_core::ConfigError;
use isostar_models::ModelError;
use thiserror::Error;

use crate::data::DataError;
use crate::device::DeviceError;
use crate::experiment::{Diverged, Holder};
use crate::model::FindModelError;
use crate::progress::Stop;
use crate::task::TaskError;
use crate::world::WorldError;

use super::size::size;

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
    #[error(
        "a maximum length of {max_length} tokens was requested, but the model has {positions} positions"
    )]
    MaxLength {
        /// The maximum length passed.
        max_length: usize,
        /// The number of positions of the model.
        positions: usize,
    },
    /// The steps of a run with a monitor are computed in parts.
    #[error(
        "a monitor measures steps that one device computes as a whole; these are computed in parts"
    )]
    NotMonitored,
    /// A limit is for something that the run does not measure.
    #[error("{setting} names {measure}, which this run does not measure; it measures {}", measured.join(", "))]
    NotMeasured {
        /// The name of the setting in a settings file.
        setting: &'static str,
        /// The name in the limit.
        measure: String,
        /// What the run measures.
        measured: Vec<String>,
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
    /// Another process works on the run.
    #[error("{} is being worked on by {holder}", path.display())]
    Locked {
        /// The folder of the run.
        path: PathBuf,
        /// The process.
        holder: Box<Holder>,
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
    /// The system failed to write a file of a run.
    #[error("{}: {source}; {} needed{}", path.display(), size(*need), free.map_or(String::new(), |free| format!(", {} free", size(free))))]
    Write {
        /// The file.
        path: PathBuf,
        /// The bytes to write.
        need: u64,
        /// The bytes that are free on its file system; `None` if unknown.
        free: Option<u64>,
        /// The system's error.
        source: io::Error,
    },
    /// There is too little space for the files of a run.
    #[error("{}: the run needs {}, but {} are free", path.display(), size(*need), size(*free))]
    NoSpace {
        /// The folder of the run.
        path: PathBuf,
        /// The bytes that the run needs.
        need: u64,
        /// The bytes that are free.
        free: u64,
    },
    /// A snapshot cannot be used, although its manifest holds.
    #[error("{}: the snapshot cannot be used: {message}", path.display())]
    Snapshot {
        /// The folder of the run or the snapshot.
        path: PathBuf,
        /// The reason.
        message: String,
    },
    /// A run was begun with settings other than those requested.
    #[error("{} was begun with other settings: {}", path.display(), keys.join("; "))]
    OtherSettings {
        /// The folder of the run.
        path: PathBuf,
        /// The settings that differ, with both values.
        keys: Vec<String>,
    },
    /// The rows of the task have changed since the run began.
    #[error("{}: the rows have changed since the run began", path.display())]
    OtherRows {
        /// The folder of the run.
        path: PathBuf,
    },
    /// A file of a run was altered after it was written, and nothing else says what it held.
    #[error("{} was altered after it was written", path.display())]
    Altered {
        /// The file.
        path: PathBuf,
    },
    /// Files of a run that is over are not as its manifest says.
    #[error("{}: {}", path.display(), faults.join("; "))]
    Damaged {
        /// The folder of the run.
        path: PathBuf,
        /// The files, each with its fault.
        faults: Vec<String>,
    },
    /// A run has too few snapshots to replay the steps between two of them.
    #[error("{} has {found} of the two snapshots between which steps are replayed", path.display())]
    NothingToVerify {
        /// The folder of the run.
        path: PathBuf,
        /// The number of snapshots.
        found: usize,
    },
    /// The steps between two snapshots were computed by several processes.
    #[error("{}: the last steps were computed by {processes} processes, and one rounds differently", path.display())]
    SeveralProcesses {
        /// The folder of the run.
        path: PathBuf,
        /// Their number.
        processes: usize,
    },
    /// A signal has ended the run.
    #[error("{}stopped by {stop} {}", path.as_ref().map_or(String::new(), |path| format!("{}: ", path.display())), progress(*step, *steps))]
    Interrupted {
        /// The folder of the run; `None` if nothing was written.
        path: Option<PathBuf>,
        /// The signal.
        stop: Stop,
        /// The number of steps in the saved state.
        step: usize,
        /// The number of steps of the run.
        steps: usize,
    },
    /// The loss of a batch spiked, and the settings end a run that does.
    #[error("{}: {spike}", path.display())]
    Spike {
        /// The folder of the run.
        path: PathBuf,
        /// The loss, the step and the rows.
        spike: String,
    },
    /// A measure passed a limit, and the settings end a run that does.
    #[error("{}: {message}, after step {step}", path.display())]
    Limit {
        /// The folder of the run.
        path: PathBuf,
        /// The measure, its value and the limit.
        message: String,
        /// The number of steps in the saved state.
        step: usize,
    },
    /// The processes that train together cannot go on.
    #[error(transparent)]
    World(#[from] WorldError),
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
        /// The number of completed epochs.
        done: usize,
        /// The number of epochs requested.
        epochs: usize,
        /// The reason.
        reason: String,
    },
    /// The loss, the penalty or the reference is no longer finite. Resuming from a snapshot would
    /// diverge again.
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
    /// Ends work that has saved nothing, if a stop is requested.
    pub(crate) fn check_stop(stop: Option<Stop>) -> Result<(), Self> {
        match stop {
            Some(stop) => Err(Self::Interrupted {
                path: None,
                stop,
                step: 0,
                steps: 0,
            }),
            None => Ok(()),
        }
    }

    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Says how far a stopped run has come.
fn progress(step: usize, steps: usize) -> String {
    match step {
        0 => "before its first step".into(),
        step => format!("after step {step} of {steps}"),
    }
}
