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
/// Rows are counted from 0, as in NumPy. [`FormatError::remedy`] says how to fix the error.
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
    #[error("{place}: the header declares {shape:?} numbers of {size} bytes, but only {found} bytes follow")]
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
    #[error("{place}: declares {declared} bytes, more than its {packed} bytes in the archive can expand to")]
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
    #[error("{place}: elements of type {}{} are not supported{}", shortened(found), in_words(found), numbers_in(numeric))]
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

impl FormatError {
    /// Returns one line that says how to fix the error.
    pub fn remedy(&self) -> String {
        let remedy = match self {
            Self::Unknown { .. } => "save an array with numpy.save, or tensors with numpy.savez or safetensors",
            Self::Pickle { path, kind } => return kind.remedy(path),
            Self::NpyHeader { .. } => "save the array again with numpy.save",
            Self::Truncated { .. } | Self::Safetensors { .. } | Self::Zip { .. } | Self::Parquet { .. } | Self::Rows { .. } => {
                "copy or save the file again: it was probably truncated"
            }
            Self::DuplicateMembers { .. } | Self::OverlappingMembers { .. } | Self::MemberSize { .. } | Self::MemberContent { .. } => {
                "save the arrays again with numpy.savez: the archive is damaged or malicious"
            }
            Self::MemberName { .. } => "save the arrays again with numpy.savez, under plain names",
            Self::Encrypted { .. } | Self::Compression { .. } => "save the arrays again with numpy.savez or numpy.savez_compressed",
            Self::Null { .. } => "drop the rows that are null or empty; PyArrow's table.drop_null() drops the null ones",
            Self::NullElement { .. } => "drop the row, or replace the null by a number",
            Self::RowWidth { .. } => "keep only rows of the same length, or pad them: all points must have the same dimension",
            Self::ElementType { numeric, .. } if !numeric.is_empty() => return format!("name one of {}", list(numeric)),
            Self::ElementType { found, .. } => match Other::of(found) {
                Some(Other::Complex) => "save real and imaginary parts, as in numpy.concatenate([array.real, array.imag], axis=-1)",
                Some(Other::Objects) => "save numbers, as in numpy.array(array.tolist(), dtype='float32')",
                Some(Other::Records) => "save the fields as columns, as in numpy.lib.recfunctions.structured_to_unstructured(array)",
                Some(Other::Text) => "choose a column of numbers; to measure texts, embed them first with `isostar embed`",
                None => "convert to float32 before saving, as in numpy.save(path, array.astype('float32'))",
            },
            Self::Temporary { .. } => "free disk space, or set TMPDIR to a folder with more of it",
        };
        remedy.into()
    }
}

/// Kinds of elements that are not real numbers.
enum Other {
    Complex,
    Text,
    Objects,
    Records,
}

impl Other {
    /// Classifies a type by its name in NumPy (`<c8`, `<U5`), safetensors (`C64`) or Parquet
    /// (`String`).
    fn of(name: &str) -> Option<Self> {
        match name.trim_start_matches(['<', '>', '|', '=']) {
            "c8" | "c16" | "c32" | "C64" => Some(Self::Complex),
            "O" => Some(Self::Objects),
            "String" | "lists of String" | "UTF8" | "lists of UTF8" => Some(Self::Text),
            record if record.starts_with('[') => Some(Self::Records),
            text if text.starts_with(['U', 'S']) && text[1..].bytes().all(|byte| byte.is_ascii_digit()) => Some(Self::Text),
            _ => None,
        }
    }
}

fn in_words(name: &str) -> &'static str {
    match Other::of(name) {
        Some(Other::Complex) => " (complex numbers)",
        Some(Other::Text) => " (text)",
        Some(Other::Objects) => " (Python objects)",
        Some(Other::Records) => " (records)",
        None => "",
    }
}

fn numbers_in(numeric: &[String]) -> String {
    if numeric.is_empty() { String::new() } else { format!("; tensors of numbers: {}", list(numeric)) }
}
