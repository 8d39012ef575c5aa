//! What can go wrong between a model's layers and their geometry, and what to do about it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::embeddings::EmbeddingsError;

/// Why a model could not be analyzed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// A setting outside its range.
    #[error("{name} is {value}; it must be {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: usize,
        /// The range.
        expected: &'static str,
    },
    /// The states cannot be put into the temporary folder.
    #[error("the hidden states of {rows} rows, up to {bytes} bytes, cannot be written to {}: {source}", folder.display())]
    States {
        /// How many rows were to be embedded.
        rows: usize,
        /// The size of the files, padding included.
        bytes: u64,
        /// The temporary folder.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A layer gives a number that no sum survives.
    #[error("layer {layer} gives {value:e} for row {row}")]
    NotFinite {
        /// The layer; 0 is the embedding output.
        layer: usize,
        /// The row, from 0.
        row: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// The result cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The states cannot be computed or measured.
    #[error(transparent)]
    Embeddings(Box<EmbeddingsError>),
}

impl From<EmbeddingsError> for AnalysisError {
    fn from(error: EmbeddingsError) -> Self {
        Self::Embeddings(Box::new(error))
    }
}

impl AnalysisError {
    /// One line that says what to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Setting { name, expected, .. } => format!("give --{} {expected}", name.replace('_', "-")),
            Self::States { .. } => {
                "analyze fewer rows with --limit or shorter ones with --max-length, or name a folder with more room in the variable TMPDIR"
                    .into()
            }
            Self::NotFinite { .. } => "choose another model: the training of this one diverged".into(),
            Self::Output { .. } => "name a folder that may be written to with --out, on a disk with room".into(),
            Self::Embeddings(error) => error.remedy(),
        }
    }
}
