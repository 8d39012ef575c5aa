//! The storage of a tensor's numbers.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::columns::Columns;
use super::error::FormatError;
use super::mapped::Mapped;
use super::member::Member;
use crate::Location;

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
        Self {
            place,
            storage,
            unpacked: Arc::default(),
        }
    }

    /// Whether the numbers are compressed and not yet decompressed into a temporary file.
    pub fn are_packed(&self) -> bool {
        let laid_out = self
            .unpacked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        !laid_out && !matches!(self.storage, Storage::Plain { .. })
    }

    /// Decompresses the numbers, unless that is done already. `progress` receives the number of
    /// bytes done.
    ///
    /// # Errors
    /// If the numbers differ from what the file declares, or the temporary file cannot be written.
    pub fn unpack(&self, progress: &dyn Fn(usize)) -> Result<View, FormatError> {
        if let Storage::Plain { file, range } = &self.storage {
            return Ok(View {
                file: file.clone(),
                range: range.clone(),
            });
        }
        let mut unpacked = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &*unpacked {
            Some(file) => file.clone(),
            None => {
                let temporary = |source| FormatError::Temporary {
                    place: self.place.clone(),
                    source,
                };
                let mut file = tempfile::tempfile().map_err(temporary)?;
                match &self.storage {
                    Storage::Member(member) => member.unpack(&self.place, &mut file, progress)?,
                    Storage::Columns(columns) => {
                        columns.unpack(&self.place, &mut file, progress)?
                    }
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
