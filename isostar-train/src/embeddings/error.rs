//! What can go wrong between a file and its geometry, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::TensorReadError;
use thiserror::Error;

use super::file::{FormatError, Place};
use super::points::LARGEST;
use super::points::MAX_WIDTH;
use crate::data::DataError;

/// Embeddings that cannot be read, measured or written.
///
/// Rows, columns and tokens are counted from 0, as NumPy does; lines of text from 1. [`EmbeddingsError::remedy`] says what the user can do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmbeddingsError {
    /// Nothing exists at the path.
    #[error("{}: no such file", path.display())]
    NotFound {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The path leads to something that is not a file, or that the system refuses to read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not what its format asks for.
    #[error(transparent)]
    Format(Arc<FormatError>),
    /// The file holds nothing at all.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The array is neither `[points, d]` nor `[sequences, tokens, d]`.
    #[error("{place}: shape {shape:?} is neither [points, dimension] nor [sequences, tokens, dimension]")]
    Rank {
        /// The tensor.
        place: Place,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The column holds one number a row, as do others that are points together.
    #[error("{place}: one number a row is one dimension of the points")]
    OneDimension {
        /// The column.
        place: Place,
        /// How many dimensions the points have.
        columns: usize,
    },
    /// Points on a line have nothing to be isotropic in.
    #[error("{place}: points of width {width} have no isotropy: there must be at least two dimensions")]
    Narrow {
        /// The tensor.
        place: Place,
        /// The width d.
        width: usize,
    },
    /// A covariance of this width would not fit into memory.
    #[error("{place}: points of width {width} are too wide: a covariance may have at most {MAX_WIDTH} dimensions")]
    Wide {
        /// The tensor.
        place: Place,
        /// The width d.
        width: usize,
    },
    /// The file holds no tensor that could be points.
    #[error("{}: holds no floating-point tensor of two or three dimensions{}", path.display(), holding(few(tensors)))]
    NoPoints {
        /// The file.
        path: PathBuf,
        /// The tensors that it does hold, with their types and shapes.
        tensors: Vec<String>,
        /// The names of those that can be measured on request.
        numeric: Vec<String>,
    },
    /// A tensor that was asked for by name is not there.
    #[error("{}: there is no tensor {name:?}{}", path.display(), holding(list(names)))]
    NoSuchTensor {
        /// The file.
        path: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The tensors that there are.
        names: Vec<String>,
    },
    /// A name was given for the one array of an .npy file.
    #[error("{}: --tensor {name:?} names a tensor, and the array of an .npy file has no name and no others beside it", path.display())]
    Unnamed {
        /// The file.
        path: PathBuf,
        /// The name that was asked for.
        name: String,
    },
    /// The mask of an .npy file is to be another, and is none.
    #[error("{}: not an .npy file, as the mask of an .npy file must be", path.display())]
    NoMask {
        /// The file that was to be the mask.
        path: PathBuf,
    },
    /// The mask does not fit the points.
    #[error("{place}: the mask {mask:?} has shape {found:?}, but these points need {expected:?}")]
    MaskShape {
        /// The tensor.
        place: Place,
        /// The mask's name.
        mask: String,
        /// The tensor's shape without its last dimension.
        expected: Vec<usize>,
        /// The mask's shape.
        found: Vec<usize>,
    },
    /// The mask holds numbers that are neither true nor false.
    #[error("{place}: the mask {mask:?} holds {value:e}: a mask is 0 or false at padding, and positive or true elsewhere")]
    MaskValue {
        /// The tensor.
        place: Place,
        /// The mask's name.
        mask: String,
        /// A negative number or NaN.
        value: f64,
    },
    /// The mask leaves no point.
    #[error("{place}: the mask {mask:?} is false everywhere")]
    EmptyMask {
        /// The tensor.
        place: Place,
        /// The mask's name.
        mask: String,
    },
    /// A covariance needs two points.
    #[error("{place}: {points} {} no covariance: there must be at least two points", if *points == 1 { "point has" } else { "points have" })]
    FewPoints {
        /// The tensor.
        place: Place,
        /// How many points count.
        points: usize,
    },
    /// A point holds something that no sum survives.
    #[error("{place}: {value:e} at {}", position(at))]
    NotFinite {
        /// The tensor.
        place: Place,
        /// The index of the number in the tensor.
        at: Vec<usize>,
        /// NaN, an infinity, or a number beyond ±1e300.
        value: f64,
    },
    /// All points are the same.
    #[error("{place}: all points are equal, so that no direction has variance and no score exists")]
    NoVariance {
        /// The tensor.
        place: Place,
    },
    /// The reference belongs to points of another width.
    #[error("{reference}: a reference of width {found} for points of width {expected} in {place}")]
    ReferenceWidth {
        /// The points.
        place: Place,
        /// The reference.
        reference: Place,
        /// The points' width.
        expected: usize,
        /// The reference's width.
        found: usize,
    },
    /// The reference file holds several tensors, and none of the points' name.
    #[error("{}: cannot tell which tensor is the reference{}", path.display(), holding(list(names)))]
    UnclearReference {
        /// The reference file.
        path: PathBuf,
        /// The tensors that could be.
        names: Vec<String>,
    },
    /// The device failed at its work.
    #[error("the device failed: {source}")]
    Device {
        /// What Burn reports.
        #[from]
        source: TensorReadError,
    },
    /// A line is not a JSON array of whole numbers.
    #[error("{}, line {line}: not a JSON array of token ids (at column {column})", path.display())]
    NotIds {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// Where the parser stopped.
        column: usize,
    },
    /// A sequence of ids has none.
    #[error("{}, line {line}: a sequence without tokens", path.display())]
    NoTokens {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// The model has no embedding for an id.
    #[error("{}, line {line}: the id {id} is outside the model's vocabulary, 0 to {}", path.display(), vocabulary - 1)]
    UnknownId {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The id.
        id: i64,
        /// How many ids the model has.
        vocabulary: usize,
    },
    /// A sequence of ids is longer than the model's positions, or than was allowed.
    #[error("{}, line {line}: {tokens} tokens, where at most {limit} are possible", path.display())]
    LongSequence {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The sequence's length.
        tokens: usize,
        /// The longest sequence allowed.
        limit: usize,
    },
    /// Longer sequences were asked for than the model has positions.
    #[error("sequences of {max_length} tokens were asked for, and the model has {positions} positions")]
    MaxLength {
        /// The longest sequence asked for.
        max_length: usize,
        /// The model's positions.
        positions: usize,
    },
    /// Batches without rows.
    #[error("the batch size is 0")]
    BatchSize,
    /// The system refuses to write the states.
    #[error("{}: cannot be written: {source}", path.display())]
    Output {
        /// The file that was to be written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The texts cannot be tokenized.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl From<FormatError> for EmbeddingsError {
    fn from(error: FormatError) -> Self {
        Self::Format(Arc::new(error))
    }
}

impl EmbeddingsError {
    /// The error for what the system reports about reading the file `path`.
    pub(super) fn reading(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path: path.into() },
            _ => Self::Unreadable { path: path.into(), source },
        }
    }

    /// One line that tells the user what to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::NotFound { .. } => "check the path".into(),
            Self::Unreadable { .. } => "check that it is a file and that you may read it".into(),
            Self::Empty { .. } => "write the file again: what made it was probably interrupted".into(),
            Self::Rank { .. } => "reshape the array before saving, as in array.reshape(-1, dimension)".into(),
            Self::Narrow { .. } | Self::Wide { .. } => "check that points are rows and dimensions columns, not the other way round".into(),
            Self::OneDimension { columns, .. } => format!("leave out --tensor: the {columns} floating-point columns are points together"),
            Self::NoPoints { numeric, .. } if !numeric.is_empty() => format!("choose with --tensor: {}", list(numeric)),
            Self::NoPoints { .. } => {
                "save points as floats: an array [points, dimension]; in Parquet, a column of lists or a column for each dimension".into()
            }
            Self::NoSuchTensor { names, .. } if names.is_empty() => "choose another file".into(),
            Self::NoSuchTensor { names, .. } => format!("name one of {}", list(names)),
            Self::Unnamed { .. } => "leave out --tensor, or save the tensors with numpy.savez or safetensors".into(),
            Self::NoMask { .. } => "save the mask with numpy.save, or points and mask together with numpy.savez".into(),
            Self::MaskShape { .. } => {
                "name the mask of these points with --mask, name other points with --tensor, or save the points without the mask".into()
            }
            Self::MaskValue { .. } => "save true at the points that count: of a mask that is added to attention scores, mask == 0".into(),
            Self::EmptyMask { .. } => "check that the mask is true at tokens and false at padding".into(),
            Self::FewPoints { .. } => "save more points, one a row".into(),
            Self::NotFinite { value, .. } if value.is_finite() => {
                format!("divide the points by a constant: no score depends on it, and {LARGEST:e} is the limit")
            }
            Self::NotFinite { at, .. } if at.len() == 3 => {
                "leave padding out with --mask, or find out what made the number: a diverged model, or f16 beyond its range".into()
            }
            Self::NotFinite { .. } => "remove the point, or find out what made it: a diverged model, or f16 beyond its range".into(),
            Self::NoVariance { .. } => "check what made the points: a collapsed model gives the same vector for every input".into(),
            Self::ReferenceWidth { .. } => "choose a reference from the same model".into(),
            Self::UnclearReference { .. } => "save the reference alone in a file, or under the name of the points".into(),
            Self::Device { .. } => "try again with --device flex".into(),
            Self::NotIds { .. } => "write one JSON array of token ids a line, such as [101, 2023, 102]".into(),
            Self::NoTokens { .. } => "remove the line, or write at least one token id".into(),
            Self::UnknownId { .. } => "tokenize with the tokenizer of this model".into(),
            Self::LongSequence { limit, .. } => format!("cut the sequence to {limit} tokens"),
            Self::MaxLength { positions, .. } => format!("choose --max-length {positions} or less"),
            Self::BatchSize => "choose --batch-size 1 or more".into(),
            Self::Output { .. } => "check that the folder exists, that you may write to it, and that the disk has room".into(),
            Self::Format(error) => error.remedy(),
            Self::Data(error) => error.remedy(),
        }
    }
}

/// Where a number stands, in words.
fn position(at: &[usize]) -> String {
    match at {
        [row, column] => format!("row {row}, column {column}"),
        [sequence, token, column] => format!("sequence {sequence}, token {token}, column {column}"),
        _ => format!("{at:?}"),
    }
}

fn holding(tensors: String) -> String {
    if tensors.is_empty() { String::new() } else { format!("; it holds {tensors}") }
}

/// The first few names, quoted, and how many more there are.
pub(super) fn list(names: &[String]) -> String {
    few(&names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>())
}

/// The first few items, and how many more there are: a checkpoint holds hundreds of tensors.
pub(super) fn few(items: &[String]) -> String {
    const SHOWN: usize = 16;
    let shown = items[..items.len().min(SHOWN)].join(", ");
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
