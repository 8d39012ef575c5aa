//! Errors of the analysis, with suggested remedies.

use std::io;
use std::path::PathBuf;

use isostar_measure::EmbeddingsError;
use thiserror::Error;

use crate::embed::EmbedError;

/// Errors that occur while analyzing a model.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// A setting is out of range.
    #[error("{name} is {value}; it must be {expected}")]
    Setting {
        /// The name of the setting.
        name: &'static str,
        /// The value of the setting.
        value: usize,
        /// The valid range.
        expected: &'static str,
    },
    /// A layer outputs a value that is not finite.
    #[error("layer {layer} gives {value:e} for row {row}")]
    NotFinite {
        /// The layer; 0 is the embedding output.
        layer: usize,
        /// The row, from 0.
        row: usize,
        /// The value: NaN or an infinity.
        value: f64,
    },
    /// The result cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// The underlying I/O error.
        source: io::Error,
    },
    /// The states cannot be computed.
    #[error(transparent)]
    Embed(Box<EmbedError>),
    /// The states cannot be measured.
    #[error(transparent)]
    Embeddings(Box<EmbeddingsError>),
}

impl From<EmbedError> for AnalysisError {
    fn from(error: EmbedError) -> Self {
        Self::Embed(Box::new(error))
    }
}

impl From<EmbeddingsError> for AnalysisError {
    fn from(error: EmbeddingsError) -> Self {
        Self::Embeddings(Box::new(error))
    }
}
