use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::experiment::ExperimentError;

/// Why the runs of a plan cannot be made.
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
    /// The plan is no plan.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The plan.
        path: PathBuf,
        /// Where and what, in one line.
        message: String,
    },
    /// A run of the plan cannot be made as it is described.
    #[error("{}, run {name:?}: {source}", path.display())]
    Run {
        /// The plan.
        path: PathBuf,
        /// The run.
        name: String,
        /// What is wrong with its settings.
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
    /// The folder of a run holds one that was made otherwise.
    #[error("{} holds a run of other settings: {}", path.display(), keys.join(", "))]
    OtherSettings {
        /// The folder.
        path: PathBuf,
        /// The settings that differ.
        keys: Vec<String>,
    },
    /// The folder of a run cannot be used.
    #[error(transparent)]
    Folder(#[from] ExperimentError),
    /// There is no such part of a sweep.
    #[error("there is no shard {text:?}")]
    NoSuchShard {
        /// What was asked for.
        text: String,
    },
}

impl SweepError {
    /// One line that says what to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable { .. } => {
                "name a plan: a TOML file with [settings], [vary] and [[runs]]; examples/nine_tasks.toml is one".into()
            }
            Self::Malformed { .. } => {
                "correct the plan: [settings] and [[runs]] hold the keys of a settings file, [vary] lists of their values".into()
            }
            Self::Run { source, .. } => source.remedy(),
            Self::SameName { .. } => "give each of [[runs]] another name".into(),
            Self::OtherSettings { .. } => "choose another folder with --out, or move the run away".into(),
            Self::Folder(error) => error.remedy(),
            Self::NoSuchShard { .. } => "give --shard I/N, from 1/N to N/N".into(),
        }
    }
}
