use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Errors that occur while building a report.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The path does not exist.
    #[error("{}: no such folder", path.display())]
    NotFound {
        /// The requested path.
        path: PathBuf,
    },
    /// Neither the folder nor any folder in it holds a run or an analysis.
    #[error("{}: holds no run and no analysis: no config.toml and no analysis.json, here or in a folder inside", path.display())]
    NothingHere {
        /// The folder.
        path: PathBuf,
    },
    /// A finished run is missing a file.
    #[error("{}: is missing from a run that has a result", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file or folder cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The underlying I/O error.
        source: io::Error,
    },
    /// A file is malformed.
    #[error("{}: line {line}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
        /// A one-line description of the problem.
        message: String,
    },
    /// A vector in an analysis does not match the dimension of its layer.
    #[error("{}: layer {layer}, {set}: {name} has {found} numbers, and the dimension is {dimension}", path.display())]
    Width {
        /// The file.
        path: PathBuf,
        /// The layer.
        layer: usize,
        /// `tokens` or `sentences`.
        set: &'static str,
        /// The key of the vector.
        name: &'static str,
        /// The length of the vector.
        found: usize,
        /// The expected or the maximum length.
        dimension: usize,
    },
    /// The file or folder cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// The underlying I/O error.
        source: io::Error,
    },
}
