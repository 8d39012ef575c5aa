//! What can go wrong with a task.

use std::path::PathBuf;

use thiserror::Error;

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
