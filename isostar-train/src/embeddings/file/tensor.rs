//! A tensor in a file, wherever its numbers lie.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::element::Element;
use super::mapped::Mapped;
use super::npz::Member;
use super::parquet::Columns;
use super::{FormatError, Place};

/// A tensor as its file declares it.
#[derive(Debug)]
pub(super) struct StoredTensor {
    /// `None` for the one array of an .npy file.
    pub name: Option<String>,
    /// `None` for a type that is no real number.
    pub element: Option<Element>,
    /// The type as the file names it.
    pub element_name: String,
    pub shape: Vec<usize>,
    pub fortran_order: bool,
    pub storage: Storage,
}

impl StoredTensor {
    /// Whether it is measured where no tensor is asked for by name.
    pub fn is_float_matrix(&self) -> bool {
        self.element.is_some_and(Element::is_float) && matches!(self.shape.len(), 2 | 3)
    }

    /// The name, the type and the shape.
    pub fn description(&self) -> String {
        format!("{:?} ({} {:?})", self.name.as_deref().unwrap_or(""), shortened(&self.element_name), self.shape)
    }
}

/// A type's name, of which the fields of a record may take thousands of characters.
pub(super) fn shortened(element_name: &str) -> String {
    const LONGEST: usize = 64;
    match element_name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &element_name[..end]),
        None => element_name.into(),
    }
}

/// Where the numbers of a tensor lie.
#[derive(Clone, Debug)]
pub(super) enum Storage {
    /// In the file, one after the other.
    Plain {
        file: Arc<Mapped>,
        range: Range<usize>,
    },
    Member(Member),
    Columns(Columns),
}

/// The numbers of a tensor, mapped into memory.
///
/// What is compressed in its file is first laid out in a temporary one, which takes as much room on the disk as the numbers need, in the
/// folder that `TMPDIR` names, and is gone with the last clone of this.
#[derive(Clone, Debug)]
pub(in crate::embeddings) struct Numbers {
    place: Place,
    storage: Storage,
    unpacked: Arc<Mutex<Option<Arc<Mapped>>>>,
}

impl Numbers {
    pub(super) fn new(place: Place, storage: Storage) -> Self {
        Self { place, storage, unpacked: Arc::default() }
    }

    /// Whether they are yet to be laid out in a temporary file.
    pub fn are_packed(&self) -> bool {
        let laid_out = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        !laid_out && !matches!(self.storage, Storage::Plain { .. })
    }

    /// Lays out what is compressed, unless that is done already. `progress` is told of bytes done.
    ///
    /// # Errors
    /// If the numbers are not what the file declares, or the temporary file cannot be written.
    pub fn unpack(&self, progress: &dyn Fn(usize)) -> Result<View, FormatError> {
        if let Storage::Plain { file, range } = &self.storage {
            return Ok(View { file: file.clone(), range: range.clone() });
        }
        let mut unpacked = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &*unpacked {
            Some(file) => file.clone(),
            None => {
                let temporary = |source| FormatError::Temporary { place: self.place.clone(), source };
                let mut file = tempfile::tempfile().map_err(temporary)?;
                match &self.storage {
                    Storage::Member(member) => member.unpack(&self.place, &mut file, progress)?,
                    Storage::Columns(columns) => columns.unpack(&self.place, &mut file, progress)?,
                    Storage::Plain { .. } => {}
                }
                let file = Arc::new(Mapped::of(file).map_err(temporary)?);
                unpacked.insert(file).clone()
            }
        };
        let range = 0..file.bytes().len();
        Ok(View { file, range })
    }
}

/// Numbers one after the other in a mapped file.
#[derive(Clone, Debug)]
pub(in crate::embeddings) struct View {
    file: Arc<Mapped>,
    range: Range<usize>,
}

impl View {
    /// The bytes in a range of the numbers.
    pub fn read(&self, range: Range<usize>) -> &[u8] {
        self.file.read(self.within(range))
    }

    /// Copies the bytes in a range of the numbers, for those who read all of them once.
    pub fn copy_once(&self, range: Range<usize>, copy: &mut Vec<u8>) {
        self.file.copy_once(self.within(range), copy);
    }

    fn within(&self, range: Range<usize>) -> Range<usize> {
        self.range.start + range.start..self.range.start + range.end
    }
}
