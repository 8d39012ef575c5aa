//! Errors in writing hidden states to a file.

use std::io;
use std::path::PathBuf;

use burn::tensor::TensorReadError;
use isostar_measure::FileError;
use thiserror::Error;

use crate::data::DataError;

/// Why hidden states cannot be computed or written.
///
/// Lines of text are counted from 1.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The file of texts or token ids is empty.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line is not a JSON array of integers.
    #[error("{}, line {line}: not a JSON array of token ids (at column {column})", path.display())]
    NotIds {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column at which the parser stopped.
        column: usize,
    },
    /// A sequence of token ids is empty.
    #[error("{}, line {line}: a sequence without tokens", path.display())]
    NoTokens {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A token id is outside the model's vocabulary.
    #[error("{}, line {line}: the id {id} is outside the model's vocabulary, 0 to {}", path.display(), vocabulary - 1)]
    UnknownId {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The id.
        id: i64,
        /// The size of the vocabulary.
        vocabulary: usize,
    },
    /// A sequence is longer than the model's positions, or than the maximum length.
    #[error("{}, line {line}: {tokens} tokens exceed the maximum of {limit}", path.display())]
    LongSequence {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The length of the sequence.
        tokens: usize,
        /// The maximum length.
        limit: usize,
    },
    /// The maximum length exceeds the number of positions of the model.
    #[error(
        "a maximum length of {max_length} tokens was requested, but the model has {positions} positions"
    )]
    MaxLength {
        /// The maximum length passed.
        max_length: usize,
        /// The number of positions of the model.
        positions: usize,
    },
    /// The batch size is 0.
    #[error("the batch size is 0")]
    BatchSize,
    /// The output file cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Output {
        /// The output file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The device failed.
    #[error("the device failed: {source}")]
    Device {
        /// What Burn reports.
        #[from]
        source: TensorReadError,
    },
    /// The texts cannot be tokenized.
    #[error(transparent)]
    Data(#[from] DataError),
}
