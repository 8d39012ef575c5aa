//! A file of embeddings and the tensors it holds.
//!
//! | format | tensors | their numbers |
//! |---|---|---|
//! | `.npy` | one array without a name | mapped where they are |
//! | `.npz` | a member each, under its name | mapped if stored; inflated into a temporary file if deflated |
//! | `.safetensors` | as many as it names | mapped where they are |
//! | Parquet | a column of lists each, under its name | decoded into a temporary file |

mod element;
mod error;
mod mapped;
mod npy;
mod npz;
mod parquet;
mod safetensors;
mod tensor;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) use element::Element;
pub use error::FormatError;
pub(super) use tensor::{Numbers, View};

use self::mapped::Mapped;
use self::npy::NpyArray;
use self::parquet::Column;
use self::tensor::{Storage, StoredTensor};
use super::EmbeddingsError;
use super::points::{Mask, Points};

/// The name under which `isostar embed` writes the mask, and which serves as one where no other is asked for.
pub const MASK: &str = "mask";

/// A tensor: the file that holds it, and its name there if it has one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The tensor's name in its file; `None` for the one array of an .npy file.
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
        let tensors = if bytes.starts_with(npy::MAGIC) {
            vec![npy_tensor(path, &file)?]
        } else if npz::MAGIC.iter().any(|magic| bytes.starts_with(magic)) || is_named("npz") {
            npz::tensors(path, &file)?
        } else if bytes.starts_with(parquet::MAGIC) {
            parquet::tensors(path, &file)?
        } else if is_named("safetensors") || bytes.get(8) == Some(&b'{') {
            safetensors::tensors(path, &file)?
        } else {
            return Err(FormatError::Unknown { path: path.into() }.into());
        };
        Ok(Self { path: path.into(), tensors })
    }

    /// The points in the tensor called `tensor`, or in every floating-point tensor of two or three dimensions.
    ///
    /// A tensor `[sequences, tokens, d]` holds as many points as its mask has true (nonzero) entries. The mask is the tensor called `mask`,
    /// which must have the shape of the points without the last dimension; where no name is given, [`MASK`] serves three-dimensional
    /// tensors if the file holds it. Beside the array of an .npy file there is no other: its mask is the array in the .npy file at the path
    /// `mask`.
    ///
    /// # Errors
    /// If there is no such tensor or mask, or what it holds are no points of at least two dimensions; see [`EmbeddingsError`].
    pub fn points(&self, tensor: Option<&str>, mask: Option<&str>) -> Result<Vec<Points>, EmbeddingsError> {
        let beside = match mask {
            Some(mask) if self.is_unnamed() => Some(Self::open(Path::new(mask))?),
            _ => None,
        };
        let named_mask = match (mask, &beside) {
            (Some(_), Some(file)) => Some((file, file.only_array()?)),
            (Some(name), None) => Some((self, self.named(name)?)),
            (None, _) => None,
        };
        let tensors = match tensor {
            Some(name) => vec![self.named(name)?],
            None => self.candidates(mask.unwrap_or(MASK))?,
        };
        let default_mask = self.tensors.iter().find(|tensor| tensor.name.as_deref() == Some(MASK));
        let points = tensors.into_iter().map(|tensor| {
            let default_mask = default_mask.filter(|_| tensor.shape.len() == 3);
            self.points_of(tensor, named_mask.or(default_mask.map(|mask| (self, mask))))
        });
        points.collect()
    }

    /// The points that stand for those called `name` in another file: the tensor of that name, or the only one.
    ///
    /// # Errors
    /// If there are several tensors and none of that name, and as [`points`](Self::points).
    pub fn counterpart(&self, name: Option<&str>) -> Result<Points, EmbeddingsError> {
        let candidates = self.candidates(MASK)?;
        let same_name = candidates.iter().find(|tensor| name.is_some() && tensor.name.as_deref() == name);
        let tensor = match (same_name, candidates.as_slice()) {
            (Some(tensor), _) | (None, [tensor]) => *tensor,
            _ => {
                let names = candidates.into_iter().filter_map(|tensor| tensor.name.clone()).collect();
                return Err(EmbeddingsError::UnclearReference { path: self.path.clone(), names });
            }
        };
        let mask = self.tensors.iter().find(|mask| mask.name.as_deref() == Some(MASK) && tensor.shape.len() == 3);
        self.points_of(tensor, mask.map(|mask| (self, mask)))
    }

    /// The tensors that can be points, where none is asked for by name. The array of an .npy file always is one, so that its faults are
    /// reported.
    fn candidates(&self, mask: &str) -> Result<Vec<&StoredTensor>, EmbeddingsError> {
        let candidate = |tensor: &&StoredTensor| {
            let float = tensor.element.is_some_and(Element::is_float);
            let is_mask = tensor.name.as_deref() == Some(mask);
            tensor.name.is_none() || (float && matches!(tensor.shape.len(), 2 | 3) && !is_mask)
        };
        let candidates: Vec<&StoredTensor> = self.tensors.iter().filter(candidate).collect();
        match candidates.is_empty() {
            true => Err(EmbeddingsError::NoPoints { path: self.path.clone(), names: self.names() }),
            false => Ok(candidates),
        }
    }

    fn is_unnamed(&self) -> bool {
        self.tensors.iter().any(|tensor| tensor.name.is_none())
    }

    fn only_array(&self) -> Result<&StoredTensor, EmbeddingsError> {
        let only = self.tensors.first().filter(|tensor| tensor.name.is_none());
        only.ok_or_else(|| EmbeddingsError::NoMask { path: self.path.clone() })
    }

    fn named(&self, name: &str) -> Result<&StoredTensor, EmbeddingsError> {
        if self.is_unnamed() {
            return Err(EmbeddingsError::Unnamed { path: self.path.clone(), name: name.into() });
        }
        let found = self.tensors.iter().find(|tensor| tensor.name.as_deref() == Some(name));
        found.ok_or_else(|| EmbeddingsError::NoSuchTensor { path: self.path.clone(), name: name.into(), names: self.names() })
    }

    /// The points in a tensor of this file under a mask in this or another one.
    fn points_of(&self, tensor: &StoredTensor, mask: Option<(&Self, &StoredTensor)>) -> Result<Points, EmbeddingsError> {
        let place = self.place(tensor);
        if let Storage::Column(Column { width: 0, .. }) = tensor.storage
            && let [rows, 0] = tensor.shape[..]
            && rows > 0
        {
            return Err(FormatError::Null { place, row: 0 }.into());
        }
        let mask = match mask {
            None => None,
            Some((file, mask)) => Some(Mask {
                name: mask.name.clone().unwrap_or_else(|| file.path.display().to_string()),
                shape: mask.shape.clone(),
                fortran_order: mask.fortran_order,
                element: file.element(mask)?,
                numbers: file.numbers(mask),
            }),
        };
        Points::new(place, self.element(tensor)?, tensor.shape.clone(), tensor.fortran_order, self.numbers(tensor), mask)
    }

    fn place(&self, tensor: &StoredTensor) -> Place {
        Place { path: self.path.clone(), tensor: tensor.name.clone() }
    }

    fn numbers(&self, tensor: &StoredTensor) -> Numbers {
        Numbers::new(self.place(tensor), tensor.storage.clone())
    }

    fn element(&self, tensor: &StoredTensor) -> Result<Element, EmbeddingsError> {
        let refused = || FormatError::ElementType { place: self.place(tensor), found: tensor.element_name.clone() };
        Ok(tensor.element.ok_or_else(refused)?)
    }

    fn names(&self) -> Vec<String> {
        self.tensors.iter().filter_map(|tensor| tensor.name.clone()).collect()
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
