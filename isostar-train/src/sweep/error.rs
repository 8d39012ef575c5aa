use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::experiment::ExperimentError;

/// Why the runs of a plan cannot be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The plan cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The plan.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The plan is not valid TOML, or has unknown or invalid keys.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The plan.
        path: PathBuf,
        /// The line and the problem.
        message: String,
    },
    /// A run of the plan has invalid settings.
    #[error("{}, run {name:?}: {source}", path.display())]
    Run {
        /// The plan.
        path: PathBuf,
        /// The run.
        name: String,
        /// The problem with its settings.
        source: Box<ExperimentError>,
    },
    /// Two runs of the plan would have the same folder.
    #[error("{}: two runs are called {name:?}", path.display())]
    SameName {
        /// The plan.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// The folder of a run holds a run with other settings.
    #[error("{} holds a run with other settings: {}", path.display(), keys.join(", "))]
    OtherSettings {
        /// The folder.
        path: PathBuf,
        /// The settings that differ.
        keys: Vec<String>,
    },
    /// The folder of a run cannot be used.
    #[error(transparent)]
    Folder(#[from] ExperimentError),
    /// A shard is to be found, but no launcher of several processes is known.
    #[error("nothing says which of several processes this is")]
    NoLauncher,
    /// A launcher contradicts itself.
    #[error("{variable} is {value:?}, which gives no place among several processes")]
    Launcher {
        /// The environment variable.
        variable: String,
        /// Its value; empty if it is unset.
        value: String,
    },
    /// The shard is not of the form `I/N` with `I` from 1 to `N`.
    #[error("invalid shard {text:?}")]
    NoSuchShard {
        /// The text passed.
        text: String,
    },
}
