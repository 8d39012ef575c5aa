//! A tensor in a file and the storage of its numbers.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::element::Element;
use super::mapped::Mapped;
use super::npz::Member;
use super::parquet::Columns;
use super::{FormatError, Location};

/// A tensor as declared by its file.
#[derive(Debug)]
pub(super) struct StoredTensor {
    /// The name; `None` for the array of an .npy file.
    pub name: Option<String>,
    /// The element type; `None` if it is not a real number.
    pub element: Option<Element>,
    /// The type as named in the file.
    pub element_name: String,
    pub shape: Vec<usize>,
    pub fortran_order: bool,
    pub storage: Storage,
}

impl StoredTensor {
    /// Whether the tensor is measured if no tensor is named.
    pub fn is_float_matrix(&self) -> bool {
        self.element.is_some_and(Element::is_float) && matches!(self.shape.len(), 2 | 3)
    }

    /// Formats name, type and shape.
    pub fn description(&self) -> String {
        format!("{:?} ({} {:?})", self.name.as_deref().unwrap_or(""), shortened(&self.element_name), self.shape)
    }
}

/// Shortens the name of a type: the fields of a record may take thousands of characters.
pub(super) fn shortened(element_name: &str) -> String {
    const LONGEST: usize = 64;
    match element_name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &element_name[..end]),
        None => element_name.into(),
    }
}

/// The storage of a tensor's numbers.
#[derive(Clone, Debug)]
pub(super) enum Storage {
    /// Contiguous in the file.
    Plain {
        file: Arc<Mapped>,
        range: Range<usize>,
    },
    Member(Member),
    Columns(Columns),
}

/// The numbers of a tensor, mapped into memory.
///
/// Compressed numbers are first decompressed into a temporary file in the folder `TMPDIR`, which
/// takes as much disk space as the numbers. It is deleted with the last clone of this value.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    place: Location,
    storage: Storage,
    unpacked: Arc<Mutex<Option<Arc<Mapped>>>>,
}

impl Numbers {
    pub(super) fn new(place: Location, storage: Storage) -> Self {
        Self { place, storage, unpacked: Arc::default() }
    }

    /// Whether the numbers are compressed and not yet decompressed into a temporary file.
    pub fn are_packed(&self) -> bool {
        let laid_out = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        !laid_out && !matches!(self.storage, Storage::Plain { .. })
    }

    /// Decompresses the numbers, unless that is done already. `progress` receives the number of
    /// bytes done.
    ///
    /// # Errors
    /// If the numbers differ from what the file declares, or the temporary file cannot be written.
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

/// Contiguous numbers in a mapped file.
#[derive(Clone, Debug)]
pub(crate) struct View {
    file: Arc<Mapped>,
    range: Range<usize>,
}

impl View {
    /// Returns the bytes in a range of the numbers.
    pub fn read(&self, range: Range<usize>) -> &[u8] {
        self.file.read(self.within(range))
    }

    /// Copies the bytes in a range of the numbers, for reading each number once.
    pub fn copy_once(&self, range: Range<usize>, copy: &mut Vec<u8>) {
        self.file.copy_once(self.within(range), copy);
    }

    fn within(&self, range: Range<usize>) -> Range<usize> {
        self.range.start + range.start..self.range.start + range.end
    }
}
