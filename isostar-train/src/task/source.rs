//! Where the rows of a task are read from.

use std::path::{Path, PathBuf};

use super::{KnownTask, TaskError};
use crate::data::Columns;
use crate::progress::Progress;

/// Where to read the rows of a task from.
#[derive(Clone, Debug, Default)]
pub struct TaskSource<'a> {
    /// The name of a task, or a file; `None` for a folder alone or for the embedded default.
    pub name: Option<&'a str>,
    /// The folder of the task's files.
    pub folder: Option<&'a Path>,
    /// The columns of your own rows. For a known task they replace the task's columns if they name
    /// any.
    pub columns: Columns,
    /// Whether all rows of a single file go into `dev`, and none into `train`. The limit is then
    /// ignored. Use it to evaluate a model on rows that it was not trained on.
    pub is_whole: bool,
    /// The maximum number of training rows; each class keeps its share.
    pub limit: Option<usize>,
    /// The seed for drawing the held-out rows and the rows kept by `limit`.
    pub seed: u64,
}

/// Downloads the files of a known task from the hub into the cache shared with the Python
/// libraries, and returns their folder.
#[cfg(feature = "hub")]
pub(super) fn fetch(known: &KnownTask, observer: &dyn Progress) -> Result<PathBuf, TaskError> {
    use isostar_models::hub::{HubSettings, fetch_dataset};

    let id = known
        .dataset
        .parse()
        .expect("the names of the table are names on the hub");
    let files = known.hub_files();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let fetched = fetch_dataset(
        &id,
        &files,
        &HubSettings::from_env(),
        &mut crate::hub::tell(observer, &id),
    );
    fetched.map_err(|source| TaskError::Hub {
        name: known.name.into(),
        source: Box::new(source),
    })
}

/// Returns [`TaskError::NeedsData`]: this build has no hub client.
#[cfg(not(feature = "hub"))]
pub(super) fn fetch(known: &KnownTask, _observer: &dyn Progress) -> Result<PathBuf, TaskError> {
    Err(TaskError::NeedsData {
        name: known.name.into(),
    })
}
