//! A file of embeddings, mapped into memory, and the tensors it holds.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::SafeTensors;

use super::EmbeddingsError;
use super::element::Element;
use super::npy::{self, NpyArray};
use super::points::{Mask, Points};

/// The name under which `isostar embed` writes the mask, and which serves as one where no other is asked for.
pub const MASK: &str = "mask";

/// A tensor: the file that holds it, and its name there if it has one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The tensor's name in a .safetensors file; `None` for the one array of an .npy file.
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

/// An .npy or .safetensors file.
#[derive(Debug)]
pub struct EmbeddingsFile {
    path: PathBuf,
    bytes: Mmap,
    /// In the order of the file; a single one without a name in an .npy file.
    tensors: Vec<StoredTensor>,
}

#[derive(Debug)]
struct StoredTensor {
    name: Option<String>,
    /// `None` for a type that is no real number.
    element: Option<Element>,
    /// The type as the file names it.
    element_name: String,
    shape: Vec<usize>,
    fortran_order: bool,
    bytes: Range<usize>,
}

impl EmbeddingsFile {
    /// Opens a file and reads its header. What it holds is told by its content, not by its name.
    ///
    /// # Errors
    /// If there is no such file, or it is neither a whole .npy nor a whole .safetensors file.
    pub fn open(path: &Path) -> Result<Self, EmbeddingsError> {
        let bytes = map(path)?;
        let tensors = if bytes.starts_with(npy::MAGIC) {
            vec![npy_tensor(path, &bytes)?]
        } else if path.extension().is_some_and(|extension| extension == "safetensors") || bytes.get(8) == Some(&b'{') {
            safetensors(path, &bytes)?
        } else {
            return Err(EmbeddingsError::UnknownFormat { path: path.into() });
        };
        Ok(Self { path: path.into(), bytes, tensors })
    }

    /// The points in the tensor called `tensor`, or in every floating-point tensor of two or three dimensions.
    ///
    /// A tensor `[sequences, tokens, d]` holds as many points as its mask has true (nonzero) entries. The mask is the tensor called `mask`, which must have the
    /// shape of the points without the last dimension; where no name is given, [`MASK`] serves three-dimensional tensors if the file holds it.
    ///
    /// # Errors
    /// If there is no such tensor or mask, or what it holds are no points of at least two dimensions; see [`EmbeddingsError`].
    pub fn points(&self, tensor: Option<&str>, mask: Option<&str>) -> Result<Vec<Points<'_>>, EmbeddingsError> {
        let named_mask = mask.map(|name| self.named("--mask", name)).transpose()?;
        let tensors = match tensor {
            Some(name) => vec![self.named("--tensor", name)?],
            None => self.candidates(mask.unwrap_or(MASK))?,
        };
        let default_mask = self.tensors.iter().find(|tensor| tensor.name.as_deref() == Some(MASK));
        let points = tensors.into_iter().map(|tensor| {
            let mask = named_mask.or(default_mask.filter(|_| tensor.shape.len() == 3));
            self.points_of(tensor, mask)
        });
        points.collect()
    }

    /// The points that stand for those called `name` in another file: the tensor of that name, or the only one.
    ///
    /// # Errors
    /// If there are several tensors and none of that name, and as [`points`](Self::points).
    pub fn counterpart(&self, name: Option<&str>) -> Result<Points<'_>, EmbeddingsError> {
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
        self.points_of(tensor, mask)
    }

    /// The tensors that can be points, where none is asked for by name. The array of an .npy file always is one, so that its faults are reported.
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

    fn named(&self, option: &'static str, name: &str) -> Result<&StoredTensor, EmbeddingsError> {
        if self.tensors.iter().any(|tensor| tensor.name.is_none()) {
            return Err(EmbeddingsError::Unnamed { path: self.path.clone(), option, name: name.into() });
        }
        let found = self.tensors.iter().find(|tensor| tensor.name.as_deref() == Some(name));
        found.ok_or_else(|| EmbeddingsError::NoSuchTensor { path: self.path.clone(), name: name.into(), names: self.names() })
    }

    fn points_of<'a>(&'a self, tensor: &'a StoredTensor, mask: Option<&'a StoredTensor>) -> Result<Points<'a>, EmbeddingsError> {
        let place = Place { path: self.path.clone(), tensor: tensor.name.clone() };
        let element = self.element(tensor)?;
        let mask = match mask {
            Some(mask) => Some(Mask {
                name: mask.name.as_deref().unwrap_or_default(),
                shape: &mask.shape,
                element: self.element(mask)?,
                bytes: &self.bytes[mask.bytes.clone()],
            }),
            None => None,
        };
        Points::new(place, element, &tensor.shape, tensor.fortran_order, &self.bytes[tensor.bytes.clone()], mask)
    }

    fn element(&self, tensor: &StoredTensor) -> Result<Element, EmbeddingsError> {
        tensor.element.ok_or_else(|| EmbeddingsError::ElementType {
            place: Place { path: self.path.clone(), tensor: tensor.name.clone() },
            found: tensor.element_name.clone(),
        })
    }

    fn names(&self) -> Vec<String> {
        self.tensors.iter().filter_map(|tensor| tensor.name.clone()).collect()
    }
}

fn map(path: &Path) -> Result<Mmap, EmbeddingsError> {
    let file = File::open(path).map_err(|error| EmbeddingsError::reading(path, error))?;
    let metadata = file.metadata().map_err(|error| EmbeddingsError::reading(path, error))?;
    if !metadata.is_file() {
        let source = std::io::Error::other("not a file");
        return Err(EmbeddingsError::Unreadable { path: path.into(), source });
    }
    if metadata.len() == 0 {
        return Err(EmbeddingsError::Empty { path: path.into() });
    }
    // SAFETY: the map is only read, as plain bytes, and every value of a byte is valid. A program that shortens the file meanwhile ends this
    // one with a signal; no way of reading files larger than memory is without that or a torn read.
    unsafe { Mmap::map(&file) }.map_err(|error| EmbeddingsError::reading(path, error))
}

fn npy_tensor(path: &Path, bytes: &[u8]) -> Result<StoredTensor, EmbeddingsError> {
    let NpyArray { element, fortran_order, shape, bytes } = NpyArray::find(path, bytes)?;
    Ok(StoredTensor { name: None, element: Some(element), element_name: String::new(), shape, fortran_order, bytes })
}

fn safetensors(path: &Path, bytes: &[u8]) -> Result<Vec<StoredTensor>, EmbeddingsError> {
    let (header, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|source| EmbeddingsError::Safetensors { path: path.into(), source })?;
    // The header follows the eight bytes of its length.
    let start = 8 + header;
    let tensor = |name: String| {
        let info = metadata.info(&name)?;
        Some(StoredTensor {
            element: Element::of_safetensors(info.dtype),
            element_name: info.dtype.to_string(),
            shape: info.shape.clone(),
            fortran_order: false,
            bytes: start + info.data_offsets.0..start + info.data_offsets.1,
            name: Some(name),
        })
    };
    Ok(metadata.offset_keys().into_iter().filter_map(tensor).collect())
}
