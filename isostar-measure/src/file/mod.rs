//! Embeddings files and their tensors.
//!
//! | format | tensors | storage of the numbers |
//! |---|---|---|
//! | `.npy` | one array without a name | mapped in place |
//! | `.npz` | one per member, named after it | mapped in place if stored; inflated into a temporary file if deflated |
//! | `.safetensors` | all tensors of the file | mapped in place |
//! | Parquet | one per column of lists, or all floating-point columns together | decoded into a temporary file |

mod batch;
mod columns;
mod error;
mod mapped;
mod masks;
mod member;
mod npy;
mod npz;
mod numbers;
mod parquet;
mod pickle;
mod rows;
mod safetensors;
mod selection;
mod tensor;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::{ElementKind, FormatError};
pub use masks::MASK;
pub use pickle::PickleKind;

use self::mapped::Mapped;
use self::npy::NpyArray;
use self::numbers::Storage;
use self::tensor::StoredTensor;
use crate::{EmbeddingsError, FileError, Location};

/// An embeddings file.
#[derive(Debug)]
pub struct EmbeddingsFile {
    path: PathBuf,
    /// The tensors in the order of the file; a single one without a name for an .npy file.
    tensors: Vec<StoredTensor>,
    /// The names of the unreadable tensors, with their errors.
    damaged: Vec<(String, Arc<FormatError>)>,
}

impl EmbeddingsFile {
    /// Opens a file and reads its headers. The format is detected from the content, not from the
    /// name.
    ///
    /// # Errors
    /// If the file does not exist, is incomplete or has an unknown format; see [`FormatError`].
    pub fn open(path: &Path) -> Result<Self, EmbeddingsError> {
        let file = Arc::new(map(path)?);
        let bytes = file.bytes();
        let is_named = |extension: &str| path.extension().is_some_and(|found| found == extension);
        let is_safetensors = bytes.get(8) == Some(&b'{');
        let mut damaged = Vec::new();
        FileError::refuse_pointer(path, bytes)?;
        let tensors = if bytes.starts_with(npy::MAGIC) {
            vec![npy_tensor(path, &file)?]
        } else if let Some(kind) = PickleKind::from_bytes(bytes).filter(|_| !is_safetensors) {
            // The header length of a safetensors file can look like the first bytes of a pickle.
            return Err(FormatError::Pickle {
                path: path.into(),
                kind,
            }
            .into());
        } else if npz::MAGIC.iter().any(|magic| bytes.starts_with(magic)) || is_named("npz") {
            let members = npz::members(path, &file)?;
            damaged.extend(
                members
                    .damaged
                    .into_iter()
                    .map(|(name, fault)| (name, Arc::new(fault))),
            );
            members.tensors
        } else if bytes.starts_with(parquet::MAGIC) {
            parquet::tensors(path, &file)?
        } else if is_named("safetensors") || is_safetensors {
            safetensors::tensors(path, &file)?
        } else {
            return Err(FormatError::Unknown { path: path.into() }.into());
        };
        Ok(Self {
            path: path.into(),
            tensors,
            damaged,
        })
    }
}

/// Maps a file, which must not be empty.
fn map(path: &Path) -> Result<Mapped, FileError> {
    let file = File::open(path).map_err(|error| FileError::reading(path, error))?;
    let metadata = file
        .metadata()
        .map_err(|error| FileError::reading(path, error))?;
    if !metadata.is_file() {
        let source = std::io::Error::other("not a file");
        return Err(FileError::Unreadable {
            path: path.into(),
            source,
        });
    }
    if metadata.len() == 0 {
        return Err(FileError::Empty { path: path.into() });
    }
    Mapped::of(file).map_err(|error| FileError::reading(path, error))
}

/// Returns the array of an .npy file.
fn npy_tensor(path: &Path, file: &Arc<Mapped>) -> Result<StoredTensor, FormatError> {
    let place = Location {
        path: path.into(),
        tensor: None,
    };
    let array = NpyArray::find(&place, file.bytes(), file.bytes().len() as u64)?;
    let range = array.bytes.start as usize..array.bytes.end as usize;
    Ok(array.stored(
        None,
        Storage::Plain {
            file: file.clone(),
            range,
        },
    ))
}
