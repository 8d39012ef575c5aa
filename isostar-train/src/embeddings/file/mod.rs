//! A file of embeddings and the tensors it holds.
//!
//! | format | tensors | their numbers |
//! |---|---|---|
//! | `.npy` | one array without a name | mapped where they are |
//! | `.npz` | a member each, under its name | mapped if stored; inflated into a temporary file if deflated |
//! | `.safetensors` | as many as it names | mapped where they are |
//! | Parquet | a column of lists each, under its name; else the floating-point columns together | decoded into a temporary file |

mod batch;
mod element;
mod error;
mod mapped;
mod masks;
mod npy;
mod npz;
mod parquet;
mod pickle;
mod safetensors;
mod selection;
mod tensor;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use isostar_models::is_git_lfs_pointer;

pub(super) use element::Element;
pub use error::FormatError;
pub use masks::MASK;
pub use pickle::PickleKind;
pub(super) use tensor::{Numbers, View};

use self::mapped::Mapped;
use self::npy::NpyArray;
use self::tensor::{Storage, StoredTensor};
use super::EmbeddingsError;

/// A tensor: the file that holds it, and its name there if it has one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The tensor's name in its file; `None` for the one array of an .npy file, and for the columns of a Parquet file together.
    pub tensor: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tensor {
            Some(name) => write!(f, "{}, tensor {name:?}", self.path.display()),
            None => write!(f, "{}", self.path.display()),
        }
    }
}

/// A file of embeddings.
#[derive(Debug)]
pub struct EmbeddingsFile {
    path: PathBuf,
    /// In the order of the file; a single one without a name in an .npy file.
    tensors: Vec<StoredTensor>,
    /// The names of those that cannot be read, and what is wrong with each.
    damaged: Vec<(String, Arc<FormatError>)>,
}

impl EmbeddingsFile {
    /// Opens a file and reads its headers. What it holds is told by its content, not by its name.
    ///
    /// # Errors
    /// If there is no such file, or it is none that is whole and of a known format; see [`FormatError`].
    pub fn open(path: &Path) -> Result<Self, EmbeddingsError> {
        let file = Arc::new(map(path)?);
        let bytes = file.bytes();
        let is_named = |extension: &str| path.extension().is_some_and(|found| found == extension);
        let is_safetensors = bytes.get(8) == Some(&b'{');
        let mut damaged = Vec::new();
        let tensors = if is_git_lfs_pointer(bytes) {
            return Err(FormatError::GitLfsPointer { path: path.into() }.into());
        } else if bytes.starts_with(npy::MAGIC) {
            vec![npy_tensor(path, &file)?]
        } else if let Some(kind) = PickleKind::of_bytes(bytes).filter(|_| !is_safetensors) {
            // A safetensors file begins as a pickle does where its header has a certain length.
            return Err(FormatError::Pickle { path: path.into(), kind }.into());
        } else if npz::MAGIC.iter().any(|magic| bytes.starts_with(magic)) || is_named("npz") {
            let members = npz::members(path, &file)?;
            damaged.extend(members.damaged.into_iter().map(|(name, fault)| (name, Arc::new(fault))));
            members.tensors
        } else if bytes.starts_with(parquet::MAGIC) {
            parquet::tensors(path, &file)?
        } else if is_named("safetensors") || is_safetensors {
            safetensors::tensors(path, &file)?
        } else {
            return Err(FormatError::Unknown { path: path.into() }.into());
        };
        Ok(Self { path: path.into(), tensors, damaged })
    }
}

/// Maps a file that is not empty.
fn map(path: &Path) -> Result<Mapped, EmbeddingsError> {
    let file = File::open(path).map_err(|error| EmbeddingsError::reading(path, error))?;
    let metadata = file.metadata().map_err(|error| EmbeddingsError::reading(path, error))?;
    if !metadata.is_file() {
        let source = std::io::Error::other("not a file");
        return Err(EmbeddingsError::Unreadable { path: path.into(), source });
    }
    if metadata.len() == 0 {
        return Err(EmbeddingsError::Empty { path: path.into() });
    }
    Mapped::of(file).map_err(|error| EmbeddingsError::reading(path, error))
}

/// The one array of an .npy file.
fn npy_tensor(path: &Path, file: &Arc<Mapped>) -> Result<StoredTensor, FormatError> {
    let place = Place { path: path.into(), tensor: None };
    let array = NpyArray::find(&place, file.bytes(), file.bytes().len() as u64)?;
    let range = array.bytes.start as usize..array.bytes.end as usize;
    Ok(array.stored(None, Storage::Plain { file: file.clone(), range }))
}
