//! What is learned, from which rows: a task by name, a folder, or a file of one's own.

mod classification;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::data::{Columns, DataError, Labels, Split, Splits, default_rows, read_rows};

pub use classification::ClassifiedRows;

/// The task that runs where none is asked for: sarcasm in headlines, embedded in the binary.
pub const DEFAULT_TASK: &str = "headlines";

/// The tasks that are known by name. All but the default need a folder of data.
pub const TASKS: [&str; 2] = [DEFAULT_TASK, "sst2"];

/// Held out from a file that brings no development split: a tenth of its rows, and at most this many.
const HELD_OUT_AT_MOST: usize = 1000;

/// Text classification: rows to learn from, rows to judge by, and the classes.
#[derive(Debug, Clone)]
pub struct Task {
    /// What the task is called in results: its name, or that of its file or folder.
    pub name: String,
    /// The rows.
    pub splits: Splits,
    /// The classes, in the order of their indices.
    pub labels: Labels,
}

/// Why a task cannot be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TaskError {
    /// Neither a known name nor a file.
    #[error("{name:?} is neither a task nor a file")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// A known task whose data is not embedded.
    #[error("the task {name} needs its data")]
    NeedsData {
        /// The task.
        name: String,
    },
    /// A file too short to hold rows out of it.
    #[error("{}: {rows} row is too few to learn from some and judge by others", path.display())]
    TooFew {
        /// The file.
        path: PathBuf,
        /// Its rows.
        rows: usize,
    },
    /// The rows cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl TaskError {
    /// One line that says what to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unknown { .. } => format!("name a task ({}), or a .tsv, .csv or .jsonl file", TASKS.join(", ")),
            Self::NeedsData { .. } => "name the folder of the official download with --data DIR".into(),
            Self::TooFew { .. } => "give a file of labelled text with at least two rows, or a folder with a train and a dev file".into(),
            Self::Data(error) => error.remedy(),
        }
    }
}

impl Task {
    /// Reads a task.
    ///
    /// - no task and no folder: the embedded default
    /// - a folder: its train and dev files, whatever the task's name
    /// - a file: its rows, of which a tenth (at most 1,000) are held out, chosen by `seed`
    ///
    /// The first `limit` training rows are kept. Classes are those of the training rows.
    ///
    /// # Errors
    /// If the name is unknown, the data is missing or malformed, or there are fewer than two classes.
    pub fn read(name: Option<&str>, folder: Option<&Path>, columns: &Columns, limit: Option<usize>, seed: u64) -> Result<Self, TaskError> {
        let (name, mut splits) = match (name, folder) {
            (None, None) | (Some(DEFAULT_TASK), None) => (DEFAULT_TASK.to_string(), default_rows()),
            (name, Some(folder)) => (name.map_or_else(|| stem(folder), String::from), Splits::read_folder(folder, columns)?),
            (Some(name), None) if TASKS.contains(&name) => return Err(TaskError::NeedsData { name: name.into() }),
            (Some(file), None) => (stem(Path::new(file)), read_file(file, columns, seed)?),
        };
        if let Some(limit) = limit {
            splits.train.rows.truncate(limit);
        }
        let labels = Labels::of(&splits.train.rows)?;
        Ok(Self { name, splits, labels })
    }

    /// The share of the most frequent class among the rows to judge by: what a constant answer would reach.
    pub fn majority(&self) -> f64 {
        let rows = &self.splits.dev.rows;
        let count = |label: &String| rows.iter().filter(|row| row.label == *label).count();
        let most = self.labels.names().iter().map(count).max().unwrap_or(0);
        most as f64 / rows.len() as f64
    }
}

fn read_file(file: &str, columns: &Columns, seed: u64) -> Result<Splits, TaskError> {
    let path = PathBuf::from(file);
    if !path.exists() && path.extension().is_none() {
        return Err(TaskError::Unknown { name: file.into() });
    }
    let rows = read_rows(&path, columns)?;
    if rows.len() < 2 {
        return Err(TaskError::TooFew { path, rows: rows.len() });
    }
    let held_out = rows.len().div_ceil(10).min(HELD_OUT_AT_MOST);
    Ok(Splits::hold_out(Split { path, rows }, held_out, seed))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
