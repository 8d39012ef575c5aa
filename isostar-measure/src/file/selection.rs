//! Selecting the tensors to measure: those named, or those that can be points.

use std::path::Path;
use std::sync::Arc;

use super::error::FormatError;
use super::masks::is_called_mask;
use super::numbers::{Numbers, Storage};
use super::rows::{FileRows, Mask};
use super::tensor::StoredTensor;
use super::{EmbeddingsFile, parquet};
use crate::element::Element;
use crate::{EmbeddingsError, Location, Note, Points};

/// The prefix of pandas' index columns.
const PANDAS_INDEX: &str = "__index_level_";

impl EmbeddingsFile {
    /// Returns the points in the tensor called `tensor`, or in every floating-point tensor of two
    /// or three dimensions.
    ///
    /// Integers are measured only if named, and booleans as 0 and 1. If a Parquet file has no lists
    /// of numbers, its floating-point columns are combined into points, with one dimension per
    /// column.
    ///
    /// A tensor `[sequences, tokens, d]` has one point per true (nonzero) entry of its mask. The
    /// mask is the tensor called `mask`, with the shape of the points without the last dimension.
    /// If no name is given, [`MASK`](super::MASK) or `attention_mask` is used for three-dimensional
    /// tensors, if the file has it. For an .npy file, `mask` is the path of another .npy file.
    /// [`Points::notes`] lists the assumptions made.
    ///
    /// # Errors
    /// If the tensor or the mask does not exist, or the tensor does not hold points of at least two
    /// dimensions; see [`EmbeddingsError`].
    pub fn points(
        &self,
        tensor: Option<&str>,
        mask: Option<&str>,
    ) -> Result<Vec<Points>, EmbeddingsError> {
        let beside = match mask {
            Some(mask) if self.is_unnamed() => Some(Self::open(Path::new(mask))?),
            _ => None,
        };
        let named_mask = match (mask, &beside) {
            (Some(_), Some(file)) => Some((file, file.only_array()?)),
            (Some(name), None) => Some((self, self.named(name)?)),
            (None, _) => None,
        };
        let matrix = self.matrix(mask);
        let tensors = match tensor {
            Some(name) => vec![self.named(name)?],
            None => self.candidates(mask, matrix.as_ref())?,
        };
        let points = tensors.into_iter().map(|tensor| match named_mask {
            Some(mask) => self.points_of(tensor, Some(mask), None),
            None => self.points_by_default(tensor),
        });
        points.collect()
    }

    /// Returns the counterpart of the points called `name` in another file: the tensor of that
    /// name, or the only one of this file.
    ///
    /// # Errors
    /// If there are several tensors and none of that name; otherwise as [`points`](Self::points).
    pub fn counterpart(&self, name: Option<&str>) -> Result<Points, EmbeddingsError> {
        let same_name = name
            .and_then(|name| self.find(name))
            .filter(|tensor| self.is_candidate(tensor, None));
        if let Some(tensor) = same_name {
            return self.points_by_default(tensor);
        }
        let matrix = self.matrix(None);
        match self.candidates(None, matrix.as_ref())?.as_slice() {
            [tensor] => self.points_by_default(tensor),
            several => {
                let names = several
                    .iter()
                    .filter_map(|tensor| tensor.name.clone())
                    .collect();
                Err(EmbeddingsError::UnclearReference {
                    path: self.path.clone(),
                    names,
                })
            }
        }
    }

    /// The tensors that can be points if none is named, or else the combined columns of a table.
    /// The array of an .npy file is always included, so that its errors are reported.
    fn candidates<'a>(
        &'a self,
        mask: Option<&str>,
        matrix: Option<&'a StoredTensor>,
    ) -> Result<Vec<&'a StoredTensor>, EmbeddingsError> {
        if let Some((_, fault)) = self.damaged.first() {
            return Err(EmbeddingsError::Format(fault.clone()));
        }
        let mut candidates: Vec<&StoredTensor> = self
            .tensors
            .iter()
            .filter(|tensor| self.is_candidate(tensor, mask))
            .collect();
        if candidates.is_empty() {
            candidates.extend(matrix);
        }
        if candidates.is_empty() {
            let tensors = self.tensors.iter().map(StoredTensor::description).collect();
            return Err(EmbeddingsError::NoPoints {
                path: self.path.clone(),
                tensors,
                numeric: self.numeric(),
            });
        }
        Ok(candidates)
    }

    fn is_candidate(&self, tensor: &StoredTensor, mask: Option<&str>) -> bool {
        let is_named_mask = mask.is_some() && tensor.name.as_deref() == mask;
        tensor.name.is_none()
            || (tensor.is_float_matrix() && !is_named_mask && !self.is_mask(tensor))
    }

    /// Combines the floating-point columns of a table of single numbers, if there are two or more,
    /// without the mask and index columns.
    fn matrix(&self, mask: Option<&str>) -> Option<StoredTensor> {
        let is_dimension = |tensor: &&StoredTensor| {
            let name = tensor.name.as_deref();
            tensor.element.is_some_and(Element::is_float)
                && !is_called_mask(tensor)
                && name != mask
                && name.is_some_and(|name| !name.starts_with(PANDAS_INDEX))
        };
        let is_list = |tensor: &StoredTensor| tensor.element.is_some() && tensor.shape.len() != 1;
        if !self
            .tensors
            .iter()
            .all(|tensor| matches!(tensor.storage, Storage::Columns(_)) && !is_list(tensor))
        {
            return None;
        }
        let dimensions: Vec<&StoredTensor> = self.tensors.iter().filter(is_dimension).collect();
        if dimensions.len() < 2 {
            None
        } else {
            parquet::matrix(&dimensions)
        }
    }

    fn is_unnamed(&self) -> bool {
        self.tensors.iter().any(|tensor| tensor.name.is_none())
    }

    fn only_array(&self) -> Result<&StoredTensor, EmbeddingsError> {
        let only = self.tensors.first().filter(|tensor| tensor.name.is_none());
        only.ok_or_else(|| EmbeddingsError::NoMask {
            path: self.path.clone(),
        })
    }

    /// Finds the tensor called `name`.
    pub(super) fn find(&self, name: &str) -> Option<&StoredTensor> {
        self.tensors
            .iter()
            .find(|tensor| tensor.name.as_deref() == Some(name))
    }

    fn named(&self, name: &str) -> Result<&StoredTensor, EmbeddingsError> {
        if self.is_unnamed() {
            return Err(EmbeddingsError::Unnamed {
                path: self.path.clone(),
                name: name.into(),
            });
        }
        if let Some((_, fault)) = self.damaged.iter().find(|(damaged, _)| damaged == name) {
            return Err(EmbeddingsError::Format(fault.clone()));
        }
        let missing = || {
            let whole = self.tensors.iter().filter_map(|tensor| tensor.name.clone());
            let names = whole
                .chain(self.damaged.iter().map(|(name, _)| name.clone()))
                .collect();
            EmbeddingsError::NoSuchTensor {
                path: self.path.clone(),
                name: name.into(),
                names,
            }
        };
        self.find(name).ok_or_else(missing)
    }

    /// Returns the points in a tensor of this file under the default mask.
    fn points_by_default(&self, tensor: &StoredTensor) -> Result<Points, EmbeddingsError> {
        let (mask, note) = self.default_mask(tensor)?;
        self.points_of(tensor, mask.map(|mask| (self, mask)), note)
    }

    /// Returns the points in a tensor of this file under a mask of this or another file.
    fn points_of(
        &self,
        tensor: &StoredTensor,
        mask: Option<(&Self, &StoredTensor)>,
        note: Option<Note>,
    ) -> Result<Points, EmbeddingsError> {
        let place = self.place(tensor);
        let element = self.element(tensor)?;
        let is_column = matches!(tensor.storage, Storage::Columns(_));
        if let [rows, 0] = tensor.shape[..]
            && is_column
            && rows > 0
        {
            return Err(FormatError::Null { place, row: 0 }.into());
        }
        if let [_] = tensor.shape[..]
            && let Some(matrix) = self.matrix(None)
        {
            return Err(EmbeddingsError::OneDimension {
                place,
                columns: matrix.shape[1],
            });
        }
        let mask = match mask {
            None => None,
            Some((file, mask)) => Some(Mask {
                name: mask
                    .name
                    .clone()
                    .unwrap_or_else(|| file.path.display().to_string()),
                shape: mask.shape.clone(),
                fortran_order: mask.fortran_order,
                element: file.element(mask)?,
                numbers: file.numbers(mask),
            }),
        };
        let columns = (is_column && tensor.name.is_none()).then(|| self.columns_note(tensor));
        let (rows, count) = FileRows::new(
            &place,
            element,
            tensor.shape.clone(),
            tensor.fortran_order,
            self.numbers(tensor),
            mask,
        )?;
        Ok(Points::new(place.into(), Arc::new(rows), count)?
            .with_notes(columns.into_iter().chain(note).collect()))
    }

    /// Returns a note that columns are combined into points.
    fn columns_note(&self, matrix: &StoredTensor) -> Note {
        let left_out = self
            .tensors
            .iter()
            .filter(|tensor| !parquet::is_part(tensor, matrix))
            .map(StoredTensor::description)
            .collect();
        Note::Columns {
            count: matrix.shape[1],
            left_out,
        }
    }

    fn place(&self, tensor: &StoredTensor) -> Location {
        Location {
            path: self.path.clone(),
            tensor: tensor.name.clone(),
        }
    }

    fn numbers(&self, tensor: &StoredTensor) -> Numbers {
        Numbers::new(self.place(tensor), tensor.storage.clone())
    }

    fn element(&self, tensor: &StoredTensor) -> Result<Element, EmbeddingsError> {
        let (place, found) = (self.place(tensor), tensor.element_name.clone());
        Ok(tensor.element.ok_or_else(|| FormatError::ElementType {
            place,
            found,
            numeric: self.numeric(),
        })?)
    }

    /// The names of the tensors that can be measured, including those measured only if named.
    fn numeric(&self) -> Vec<String> {
        let numeric = self
            .tensors
            .iter()
            .filter(|tensor| tensor.element.is_some() && matches!(tensor.shape.len(), 2 | 3));
        numeric.filter_map(|tensor| tensor.name.clone()).collect()
    }
}
