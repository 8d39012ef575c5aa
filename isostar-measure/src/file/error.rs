//! Errors in the bytes of an embeddings file.

use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;
use safetensors::SafeTensorError;
use thiserror::Error;
use zip::result::ZipError;

use super::pickle::PickleKind;
use crate::Location;
use crate::words::{list, shortened};

/// Why a file does not conform to its format.
///
/// Rows are counted from 0, as in NumPy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file has none of the supported formats.
    #[error("{}: neither an .npy, .npz, .safetensors nor Parquet file", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// The file is a Python pickle. Pickles are not supported, because reading one can run any
    /// program.
    #[error("{}: {kind}, which is not supported", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
        /// The program that wrote it.
        kind: PickleKind,
    },
    /// The header of a NumPy array is invalid.
    #[error("{place}: {reason}")]
    NpyHeader {
        /// The array.
        place: Location,
        /// The problem.
        reason: &'static str,
    },
    /// The header of a NumPy array declares more bytes than the file holds.
    #[error(
        "{place}: the header declares {shape:?} numbers of {size} bytes, but only {found} bytes follow"
    )]
    Truncated {
        /// The array.
        place: Location,
        /// The declared shape.
        shape: Vec<usize>,
        /// Bytes per number.
        size: usize,
        /// The number of bytes after the header.
        found: u64,
    },
    /// A safetensors file is truncated or corrupt.
    #[error("{}: not a complete safetensors file: {source}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: SafeTensorError,
    },
    /// An .npz archive is truncated or corrupt.
    #[error("{}: not a complete .npz archive: {source}", path.display())]
    Zip {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: ZipError,
    },
    /// Two members of an archive have the same name.
    #[error("{}: two members of the archive have the same name", path.display())]
    DuplicateMembers {
        /// The file.
        path: PathBuf,
    },
    /// Two members of an archive share bytes, as in decompression bombs.
    #[error("{}: members of the archive overlap", path.display())]
    OverlappingMembers {
        /// The file.
        path: PathBuf,
    },
    /// The name of a member is a path outside the archive.
    #[error("{}: the member {name:?} is a path outside the archive", path.display())]
    MemberName {
        /// The file.
        path: PathBuf,
        /// The member's name.
        name: String,
    },
    /// A member is encrypted.
    #[error("{place}: encrypted")]
    Encrypted {
        /// The array.
        place: Location,
    },
    /// A member uses a compression method that NumPy does not use.
    #[error("{place}: the compression method {method} is not supported")]
    Compression {
        /// The array.
        place: Location,
        /// The method.
        method: String,
    },
    /// A member declares more bytes than its compressed bytes can expand to.
    #[error(
        "{place}: declares {declared} bytes, more than its {packed} bytes in the archive can expand to"
    )]
    MemberSize {
        /// The array.
        place: Location,
        /// The declared number of bytes.
        declared: u64,
        /// The number of bytes in the archive.
        packed: u64,
    },
    /// A member does not decompress to the declared content.
    #[error("{place}: cannot be decompressed: {source}")]
    MemberContent {
        /// The array.
        place: Location,
        /// The decoder's error.
        source: io::Error,
    },
    /// A Parquet file is truncated or corrupt.
    #[error("{}: not a complete Parquet file: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: ParquetError,
    },
    /// A row of a Parquet column is null, or an empty list.
    #[error("{place}: row {row} is null or empty")]
    Null {
        /// The column.
        place: Location,
        /// The row.
        row: usize,
    },
    /// An element of a list in a Parquet column is null.
    #[error("{place}: element {element} of row {row} is null")]
    NullElement {
        /// The column.
        place: Location,
        /// The row.
        row: usize,
        /// The index in the list.
        element: usize,
    },
    /// A row of a Parquet column differs in length from the first row.
    #[error("{place}: row {row} holds {found} numbers, but the first row holds {expected}")]
    RowWidth {
        /// The column.
        place: Location,
        /// The row.
        row: usize,
        /// The length of the first row.
        expected: usize,
        /// The length of this row.
        found: usize,
    },
    /// A Parquet column has another number of rows than the file declares.
    #[error("{place}: the file declares {declared} rows, but the column holds {found}")]
    Rows {
        /// The column.
        place: Location,
        /// The number of rows that the file declares.
        declared: i64,
        /// The number of rows of the column.
        found: usize,
    },
    /// The elements are not real numbers.
    #[error(
        "{place}: elements of type {}{} are not supported{}",
        shortened(found),
        in_words(found),
        numbers_in(numeric)
    )]
    ElementType {
        /// The tensor.
        place: Location,
        /// The type as named in the file.
        found: String,
        /// The tensors of the file that can be measured.
        numeric: Vec<String>,
    },
    /// A compressed tensor cannot be decompressed into a temporary file.
    #[error("{place}: cannot be decompressed into a temporary file: {source}")]
    Temporary {
        /// The tensor.
        place: Location,
        /// The system's error.
        source: io::Error,
    },
}

/// Kinds of elements that are not real numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementKind {
    /// Complex numbers.
    Complex,
    /// Text.
    Text,
    /// Python objects.
    Objects,
    /// Records of several fields.
    Records,
}

impl ElementKind {
    /// Classifies a type by its name in NumPy (`<c8`, `<U5`), safetensors (`C64`) or Parquet
    /// (`String`).
    pub fn from_name(name: &str) -> Option<Self> {
        match name.trim_start_matches(['<', '>', '|', '=']) {
            "c8" | "c16" | "c32" | "C64" => Some(Self::Complex),
            "O" => Some(Self::Objects),
            "String" | "lists of String" | "UTF8" | "lists of UTF8" => Some(Self::Text),
            record if record.starts_with('[') => Some(Self::Records),
            text if text.starts_with(['U', 'S'])
                && text[1..].bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                Some(Self::Text)
            }
            _ => None,
        }
    }
}

fn in_words(name: &str) -> &'static str {
    match ElementKind::from_name(name) {
        Some(ElementKind::Complex) => " (complex numbers)",
        Some(ElementKind::Text) => " (text)",
        Some(ElementKind::Objects) => " (Python objects)",
        Some(ElementKind::Records) => " (records)",
        None => "",
    }
}

fn numbers_in(numeric: &[String]) -> String {
    if numeric.is_empty() {
        String::new()
    } else {
        format!("; tensors of numbers: {}", list(numeric))
    }
}
