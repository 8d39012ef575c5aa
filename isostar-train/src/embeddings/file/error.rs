//! What can be wrong with the bytes of a file of embeddings.

use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;
use safetensors::SafeTensorError;
use thiserror::Error;
use zip::result::ZipError;

use super::Place;

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
    /// A row of a Parquet column is null, empty, or holds a null.
    #[error("{place}: row {row} is null or empty, or holds a null")]
    Null {
        /// The column.
        place: Place,
        /// The row.
        row: usize,
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
    #[error("{place}: elements of type {found} are not read")]
    ElementType {
        /// The tensor.
        place: Place,
        /// The type, as the file names it.
        found: String,
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
            Self::NpyHeader { .. } => "save the array again with numpy.save",
            Self::Truncated { .. } | Self::Safetensors { .. } | Self::Zip { .. } | Self::Parquet { .. } | Self::Rows { .. } => {
                "copy or save the file again: it was probably cut short"
            }
            Self::DuplicateMembers { .. } | Self::OverlappingMembers { .. } | Self::MemberSize { .. } | Self::MemberContent { .. } => {
                "save the arrays again with numpy.savez: the archive is damaged, or made to do damage"
            }
            Self::MemberName { .. } => "save the arrays again with numpy.savez, under plain names",
            Self::Encrypted { .. } | Self::Compression { .. } => "save the arrays again with numpy.savez or numpy.savez_compressed",
            Self::Null { .. } => "drop the rows that are null, as in table.drop_null()",
            Self::RowWidth { .. } => "keep the rows of one width, or pad them: points are vectors of one space",
            Self::ElementType { .. } => "convert to float32 before saving, as in numpy.save(path, array.astype('float32'))",
            Self::Temporary { .. } => "make room on the disk, or let TMPDIR name a folder with more of it",
        };
        remedy.into()
    }
}
