//! Fixtures: hand-made files in the layout of each official download.

use std::path::{Path, PathBuf};

use isostar_train::data::TextRow;
use isostar_train::progress::Silent;
use isostar_train::task::{Task, TaskError, TaskSource};

/// Folder of a task's files.
pub fn folder(task: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/tasks")
        .join(task)
}

/// Reads a task from a folder.
pub fn read(name: &str, folder: &Path) -> Result<Task, TaskError> {
    Task::read(
        TaskSource {
            name: Some(name),
            folder: Some(folder),
            ..TaskSource::default()
        },
        &Silent,
    )
}

/// Text, pair and label of each row.
pub fn parts(rows: &[TextRow]) -> Vec<(&str, Option<&str>, &str)> {
    rows.iter()
        .map(|row| (row.text.as_str(), row.pair.as_deref(), row.label.as_str()))
        .collect()
}
