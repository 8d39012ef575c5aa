//! Errors in reading and measuring embeddings.

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::TensorReadError;
use thiserror::Error;

use crate::file::FormatError;
use crate::limits::MAX_WIDTH;
use crate::words::{few, list};
use crate::{FileError, Location, Source};

/// Why embeddings cannot be read or measured.
///
/// Rows, columns and tokens are counted from 0, as in NumPy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmbeddingsError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file does not conform to its format.
    #[error(transparent)]
    Format(Arc<FormatError>),
    /// The array is neither `[points, d]` nor `[sequences, tokens, d]`.
    #[error(
        "{place}: shape {shape:?} is neither [points, dimension] nor [sequences, tokens, dimension]"
    )]
    Rank {
        /// The tensor.
        place: Location,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The column holds one number per row; it is one dimension of points whose other dimensions
    /// are other columns.
    #[error("{place}: the column holds one number per row, which is one dimension of the points")]
    OneDimension {
        /// The column.
        place: Location,
        /// The number of dimensions of the points.
        columns: usize,
    },
    /// Points of one dimension have no isotropy.
    #[error(
        "{place}: points of width {width} have no isotropy: there must be at least two dimensions"
    )]
    Narrow {
        /// The tensor.
        place: Source,
        /// The width d.
        width: usize,
    },
    /// The covariance of points of this width would not fit into memory.
    #[error(
        "{place}: points of width {width} are too wide: a covariance may have at most {MAX_WIDTH} dimensions"
    )]
    Wide {
        /// The tensor.
        place: Source,
        /// The width d.
        width: usize,
    },
    /// The file has no tensor that can be points.
    #[error("{}: holds no floating-point tensor of two or three dimensions{}", path.display(), holding(few(tensors)))]
    NoPoints {
        /// The file.
        path: PathBuf,
        /// The tensors of the file, with their types and shapes.
        tensors: Vec<String>,
        /// The names of the tensors that can be measured if named.
        numeric: Vec<String>,
    },
    /// The file has no tensor of this name.
    #[error("{}: there is no tensor {name:?}{}", path.display(), holding(list(names)))]
    NoSuchTensor {
        /// The file.
        path: PathBuf,
        /// The name passed.
        name: String,
        /// The tensors of the file.
        names: Vec<String>,
    },
    /// A tensor name was passed for an .npy file, whose array has no name.
    #[error("{}: there is no tensor {name:?}: the array of an .npy file has no name", path.display())]
    Unnamed {
        /// The file.
        path: PathBuf,
        /// The name passed.
        name: String,
    },
    /// The mask of an .npy file must be an .npy file.
    #[error("{}: not an .npy file; the mask of an .npy file must be one", path.display())]
    NoMask {
        /// The file passed as the mask.
        path: PathBuf,
    },
    /// The shape of the mask does not match the points.
    #[error("{place}: the mask {mask:?} has shape {found:?}, but these points need {expected:?}")]
    MaskShape {
        /// The tensor.
        place: Location,
        /// The mask's name.
        mask: String,
        /// The tensor's shape without its last dimension.
        expected: Vec<usize>,
        /// The mask's shape.
        found: Vec<usize>,
    },
    /// The mask holds a negative number or NaN.
    #[error(
        "{place}: the mask {mask:?} holds {value:e}: a mask is 0 or false at padding, and positive or true elsewhere"
    )]
    MaskValue {
        /// The tensor.
        place: Location,
        /// The mask's name.
        mask: String,
        /// A negative number or NaN.
        value: f64,
    },
    /// The mask excludes every point.
    #[error("{place}: the mask {mask:?} is false everywhere")]
    EmptyMask {
        /// The tensor.
        place: Location,
        /// The mask's name.
        mask: String,
    },
    /// There are fewer than two points.
    #[error("{place}: {points} {} no covariance: there must be at least two points", if *points == 1 { "point has" } else { "points have" })]
    FewPoints {
        /// The tensor.
        place: Source,
        /// The number of points.
        points: usize,
    },
    /// A point holds a number that is not finite or too large.
    #[error("{place}: {value:e} at {}", position(at))]
    NotFinite {
        /// The tensor.
        place: Source,
        /// The index of the number in the tensor.
        at: Vec<usize>,
        /// NaN, an infinity, or a number beyond ±1e300.
        value: f64,
    },
    /// All points are equal.
    #[error("{place}: all points are equal: no direction has variance, so no score is defined")]
    NoVariance {
        /// The tensor.
        place: Source,
    },
    /// The reference and the points differ in width.
    #[error(
        "{reference}: the reference has width {found}, but the points in {place} have width {expected}"
    )]
    ReferenceWidth {
        /// The points.
        place: Source,
        /// The reference.
        reference: Source,
        /// The points' width.
        expected: usize,
        /// The reference's width.
        found: usize,
    },
    /// The reference file has several tensors, none with the name of the points.
    #[error("{}: cannot tell which tensor is the reference{}", path.display(), holding(list(names)))]
    UnclearReference {
        /// The reference file.
        path: PathBuf,
        /// The candidate tensors.
        names: Vec<String>,
    },
    /// The device failed.
    #[error("the device failed: {source}")]
    Device {
        /// What Burn reports.
        #[from]
        source: TensorReadError,
    },
}

impl From<FormatError> for EmbeddingsError {
    fn from(error: FormatError) -> Self {
        Self::Format(Arc::new(error))
    }
}

/// Formats the index of a number.
fn position(at: &[usize]) -> String {
    match at {
        [row, column] => format!("row {row}, column {column}"),
        [sequence, token, column] => format!("sequence {sequence}, token {token}, column {column}"),
        _ => format!("{at:?}"),
    }
}

fn holding(tensors: String) -> String {
    if tensors.is_empty() {
        String::new()
    } else {
        format!("; it holds {tensors}")
    }
}
