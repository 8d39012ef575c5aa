//! What can be wrong with the bytes of a file of embeddings.

use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;
use safetensors::SafeTensorError;
use thiserror::Error;
use zip::result::ZipError;

use super::Place;
use super::pickle::PickleKind;
use super::tensor::shortened;
use crate::embeddings::error::list;

/// A file that is not what its format asks for.
///
/// Rows are counted from 0, as NumPy does. [`FormatError::remedy`] says what the user can do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file is of none of the formats that are read.
    #[error("{}: neither an .npy, .npz, .safetensors nor Parquet file", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// The file stands for one that Git LFS has not fetched.
    #[error("{}: a Git LFS pointer, a few lines of text in place of the file itself", path.display())]
    GitLfsPointer {
        /// The file.
        path: PathBuf,
    },
    /// The file is a pickle of Python, which reading would run as a program.
    #[error("{}: {kind}, which is not read", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
        /// What wrote it.
        kind: PickleKind,
    },
    /// The header of an array of NumPy makes no sense.
    #[error("{place}: {reason}")]
    NpyHeader {
        /// The array.
        place: Place,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The header of an array of NumPy declares more than there is.
    #[error("{place}: the header declares {shape:?} numbers of {size} bytes, but only {found} bytes follow")]
    Truncated {
        /// The array.
        place: Place,
        /// The declared shape.
        shape: Vec<usize>,
        /// Bytes a number.
        size: usize,
        /// The bytes behind the header.
        found: u64,
    },
    /// A safetensors file is cut short or corrupt.
    #[error("{}: not a complete safetensors file: {source}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What the parser met.
        source: SafeTensorError,
    },
    /// An .npz archive is cut short or corrupt.
    #[error("{}: not a complete .npz archive: {source}", path.display())]
    Zip {
        /// The file.
        path: PathBuf,
        /// What the parser met.
        source: ZipError,
    },
    /// Two members of an archive share one name.
    #[error("{}: two members of the archive have the same name", path.display())]
    DuplicateMembers {
        /// The file.
        path: PathBuf,
    },
    /// Two members of an archive share bytes, as in archives made to inflate without end.
    #[error("{}: members of the archive overlap", path.display())]
    OverlappingMembers {
        /// The file.
        path: PathBuf,
    },
    /// A member's name is a path that leads out of the archive.
    #[error("{}: the member {name:?} leads out of the archive", path.display())]
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
        place: Place,
    },
    /// A member is compressed in a way that NumPy does not use.
    #[error("{place}: compressed by {method}, which is not read")]
    Compression {
        /// The array.
        place: Place,
        /// The method.
        method: String,
    },
    /// A member declares more bytes than its own can stand for.
    #[error("{place}: declares {declared} bytes, which its {packed} in the archive cannot hold")]
    MemberSize {
        /// The array.
        place: Place,
        /// The bytes that it declares.
        declared: u64,
        /// The bytes that it takes.
        packed: u64,
    },
    /// A member cannot be inflated to what it declares.
    #[error("{place}: cannot be inflated: {source}")]
    MemberContent {
        /// The array.
        place: Place,
        /// What the decoder met.
        source: io::Error,
    },
    /// A Parquet file is cut short or corrupt.
    #[error("{}: not a complete Parquet file: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the parser met.
        source: ParquetError,
    },
    /// A row of a Parquet column is null, or an empty list.
    #[error("{place}: row {row} is null or empty")]
    Null {
        /// The column.
        place: Place,
        /// The row.
        row: usize,
    },
    /// An element of a list in a Parquet column is null.
    #[error("{place}: element {element} of row {row} is null")]
    NullElement {
        /// The column.
        place: Place,
        /// The row.
        row: usize,
        /// The place in the list.
        element: usize,
    },
    /// A row of a Parquet column is longer or shorter than the first.
    #[error("{place}: row {row} holds {found} numbers, and the first row {expected}")]
    RowWidth {
        /// The column.
        place: Place,
        /// The row.
        row: usize,
        /// The numbers of the first row.
        expected: usize,
        /// The numbers of this one.
        found: usize,
    },
    /// A Parquet column holds more or fewer rows than the file declares.
    #[error("{place}: the file declares {declared} rows, and the column holds {found}")]
    Rows {
        /// The column.
        place: Place,
        /// The rows that the file declares.
        declared: i64,
        /// The rows of the column.
        found: usize,
    },
    /// The numbers are complex, or no numbers at all.
    #[error("{place}: elements of type {}{} are not read{}", shortened(found), in_words(found), numbers_in(numeric))]
    ElementType {
        /// The tensor.
        place: Place,
        /// The type, as the file names it.
        found: String,
        /// The tensors of the file that can be measured.
        numeric: Vec<String>,
    },
    /// What is compressed cannot be laid out in a temporary file.
    #[error("{place}: cannot be unpacked into a temporary file: {source}")]
    Temporary {
        /// The tensor.
        place: Place,
        /// The system's reason.
        source: io::Error,
    },
}

impl FormatError {
    /// One line that tells the user what to do.
    pub fn remedy(&self) -> String {
        let remedy = match self {
            Self::Unknown { .. } => "save an array with numpy.save, or tensors with numpy.savez or safetensors",
            Self::GitLfsPointer { .. } => "run `git lfs pull` in the repository's folder, which fetches the file",
            Self::Pickle { path, kind } => return kind.remedy(path),
            Self::NpyHeader { .. } => "save the array again with numpy.save",
            Self::Truncated { .. } | Self::Safetensors { .. } | Self::Zip { .. } | Self::Parquet { .. } | Self::Rows { .. } => {
                "copy or save the file again: it was probably cut short"
            }
            Self::DuplicateMembers { .. } | Self::OverlappingMembers { .. } | Self::MemberSize { .. } | Self::MemberContent { .. } => {
                "save the arrays again with numpy.savez: the archive is damaged, or made to do damage"
            }
            Self::MemberName { .. } => "save the arrays again with numpy.savez, under plain names",
            Self::Encrypted { .. } | Self::Compression { .. } => "save the arrays again with numpy.savez or numpy.savez_compressed",
            Self::Null { .. } => "drop the rows that are null or empty; table.drop_null() of PyArrow drops the null ones",
            Self::NullElement { .. } => "drop the row, or write a number in place of the null",
            Self::RowWidth { .. } => "keep the rows of one width, or pad them: points are vectors of one space",
            Self::ElementType { numeric, .. } if !numeric.is_empty() => return format!("name one of {}", list(numeric)),
            Self::ElementType { found, .. } => match Other::of(found) {
                Some(Other::Complex) => "save real and imaginary parts, as in numpy.concatenate([array.real, array.imag], axis=-1)",
                Some(Other::Objects) => "save numbers, as in numpy.array(array.tolist(), dtype='float32')",
                Some(Other::Records) => "save the fields as columns, as in numpy.lib.recfunctions.structured_to_unstructured(array)",
                Some(Other::Text) => "name numbers: texts are measured once a model has embedded them, as with `isostar embed`",
                None => "convert to float32 before saving, as in numpy.save(path, array.astype('float32'))",
            },
            Self::Temporary { .. } => "make room on the disk, or let TMPDIR name a folder with more of it",
        };
        remedy.into()
    }
}

/// What elements can be that are no real numbers.
enum Other {
    Complex,
    Text,
    Objects,
    Records,
}

impl Other {
    /// What a type is, as NumPy (`<c8`, `<U5`), safetensors (`C64`) or Parquet (`String`) names it.
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
    if numeric.is_empty() { String::new() } else { format!("; there are numbers in {}", list(numeric)) }
}
