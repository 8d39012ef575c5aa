//! Which rows a task is read from, and where they are found if no folder is named.

use std::path::{Path, PathBuf};

use super::{KnownTask, TaskError};
use crate::data::Columns;
use crate::experiment::Observer;

/// Which rows to read.
#[derive(Clone, Debug, Default)]
pub struct TaskSource<'a> {
    /// The name of a task, or a file; none for a folder alone, or for the embedded default.
    pub name: Option<&'a str>,
    /// The folder of the task's files.
    pub folder: Option<&'a Path>,
    /// What the columns of one's own rows are; of a task by name they replace the task's own if they name any.
    pub columns: Columns,
    /// Whether the model has seen no row of a single file: `dev` then has all of them, and `train` none. A limit does not apply.
    pub is_whole: bool,
    /// The most training rows; each class keeps its share.
    pub limit: Option<usize>,
    /// Draws the rows that are held out from a file, or from a folder without a dev file, and those that the limit leaves.
    pub seed: u64,
}

/// Brings the files of a known task from the hub into the cache that the Python libraries share, and says in which folder they are.
#[cfg(feature = "hub")]
pub(super) fn fetch(known: &KnownTask, observer: &dyn Observer) -> Result<PathBuf, TaskError> {
    use isostar_models::hub::{HubSettings, fetch_dataset};

    let id = known.dataset.parse().expect("the names of the table are names on the hub");
    let files = known.hub_files();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let fetched = fetch_dataset(&id, &files, &HubSettings::from_env(), &mut crate::hub::tell(observer, &id));
    fetched.map_err(|source| TaskError::Hub { name: known.name.into(), source: Box::new(source) })
}

/// Refuses: there is no hub to ask.
#[cfg(not(feature = "hub"))]
pub(super) fn fetch(known: &KnownTask, _observer: &dyn Observer) -> Result<PathBuf, TaskError> {
    Err(TaskError::NeedsData { name: known.name.into() })
}
