//! What can go wrong with a task.

use std::path::PathBuf;

use thiserror::Error;

use super::{DEFAULT_TASK, KNOWN_TASKS};
use crate::data::DataError;

/// Why a task cannot be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TaskError {
    /// Neither a known name nor a file.
    #[error("{name:?} is neither a task nor a file")]
    Unknown {
        /// The name passed.
        name: String,
    },
    /// A known task that is not embedded, without a folder and without the feature `hub`.
    #[error("the task {name} needs its data")]
    NeedsData {
        /// The task.
        name: String,
    },
    /// A known task whose data could not be fetched from the hub.
    #[cfg(feature = "hub")]
    #[error("the task {name} needs its data, which the hub could not provide: {source}")]
    Hub {
        /// The task.
        name: String,
        /// The hub's error.
        source: Box<isostar_models::hub::HubError>,
    },
    /// Regression was requested for a task whose labels are not numbers.
    #[error("the labels of {task} are not numbers: regression needs numbers")]
    NoNumbers {
        /// The task.
        task: String,
    },
    /// The limit is lower than the number of classes.
    #[error("{}: {limit} training {} cannot hold all {classes} labels", path.display(), if *limit == 1 { "row" } else { "rows" })]
    Limit {
        /// The file of the training rows.
        path: PathBuf,
        /// The limit passed.
        limit: usize,
        /// The number of classes in the training rows.
        classes: usize,
    },
    /// A file from which no row can be held out, because every label occurs only once.
    #[error("{}: no row can be held out for validation: each of the {rows} labels occurs once", path.display())]
    NothingToHoldOut {
        /// The file.
        path: PathBuf,
        /// The number of rows.
        rows: usize,
    },
    /// A file with fewer than two rows.
    #[error("{}: too few rows to split into training and validation rows: {rows}", path.display())]
    TooFew {
        /// The file.
        path: PathBuf,
        /// The number of rows.
        rows: usize,
    },
    /// A split that the task does not have.
    #[error("the task {task} has no split {split}")]
    NoSplit {
        /// The task.
        task: String,
        /// The split passed.
        split: String,
        /// The splits of the task.
        splits: Vec<&'static str>,
    },
    /// A model with another number of outputs than the task has labels.
    #[error("{task} needs a model with {expected} outputs, but this one has {found}")]
    Outputs {
        /// The task.
        task: String,
        /// The number of labels of the task.
        expected: usize,
        /// The number of outputs of the model.
        found: usize,
    },
    /// The rows cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl TaskError {
    /// Returns one line that says how to fix the error.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unknown { .. } => {
                let known: Vec<&str> = std::iter::once(DEFAULT_TASK).chain(KNOWN_TASKS.iter().map(|task| task.name)).collect();
                format!("pass a task ({}), or a .tsv, .csv, .jsonl, .parquet or .csv.gz file", known.join(", "))
            }
            Self::NeedsData { .. } => "pass the folder of the official download with --data DIR".into(),
            #[cfg(feature = "hub")]
            Self::Hub { source, .. } => format!("pass the folder of the official download with --data DIR, or {}", source.remedy()),
            Self::NoNumbers { .. } => "remove kind under [columns], or pass a file or folder of your own".into(),
            Self::Limit { classes, .. } => format!("choose --limit {classes} or more"),
            Self::NothingToHoldOut { .. } => {
                "add a second row for at least one label, or pass a folder with a train and a dev file; for numeric labels, set \
                kind = \"regression\" under [columns]"
                    .into()
            }
            Self::TooFew { .. } => "pass a file of labelled text with at least two rows, or a folder with a train and a dev file".into(),
            Self::NoSplit { splits, .. } => format!("name one of {}", splits.join(", ")),
            Self::Outputs { task, .. } => format!("train the model for it first: isostar train --model DIR --task {task} --data DIR"),
            Self::Data(error) => error.remedy(),
        }
    }
}
