use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a report could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Nothing exists at the path.
    #[error("{}: no such folder", path.display())]
    NotFound {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// A folder, and those in it, hold neither a run nor an analysis.
    #[error("{}: holds no run and no analysis: no config.toml and no analysis.json, here or in a folder inside", path.display())]
    NothingHere {
        /// The folder.
        path: PathBuf,
    },
    /// A finished run lacks a file.
    #[error("{}: is missing from a run that has a result", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The system refused to read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file does not hold what its name says.
    #[error("{}: line {line}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, in one line.
        message: String,
    },
    /// The parts of an analysis contradict each other.
    #[error("{}: layer {layer}, {set}: {name} has {found} numbers, and the dimension is {dimension}", path.display())]
    Width {
        /// The file.
        path: PathBuf,
        /// The layer.
        layer: usize,
        /// `tokens` or `sentences`.
        set: &'static str,
        /// The key.
        name: &'static str,
        /// How many numbers it holds.
        found: usize,
        /// How many it should hold, or at most may.
        dimension: usize,
    },
    /// The system refused to write.
    #[error("{}: cannot be written: {source}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl ReportError {
    /// One line that says what to do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "name the folder of a run, of several runs, or of an analysis",
            Self::NothingHere { .. } => "make a run with `isostar train --out DIR`, or an analysis with `isostar analyze MODEL --out DIR`",
            Self::Missing { .. } => "restore the file, or make the run again",
            Self::Unreadable { .. } => "check that the path may be read",
            Self::Malformed { .. } | Self::Width { .. } => {
                "make the file again with `isostar train` or `isostar analyze`, or leave its folder out"
            }
            Self::Unwritable { .. } => "name a file with --out whose folder exists, may be written to, and has room",
        }
    }
}
