//! The arrays in NumPy's .npz files: zip archives of .npy files.
//!
//! What `numpy.savez` stores is mapped in place; what `numpy.savez_compressed` deflates is inflated member by member. A member's name
//! becomes the tensor's, without `.npy`, and is never a path on this machine.

use std::fs::File;
use std::io::{self, BufWriter, Cursor, Read, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use zip::{CompressionMethod, ZipArchive};

use super::mapped::Mapped;
use super::npy::{LARGEST_HEAD, NpyArray};
use super::pickle::PickleKind;
use super::tensor::{Storage, StoredTensor};
use super::{FormatError, Place};

/// What every archive with members begins with, and one without.
pub(super) const MAGIC: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// How many bytes one deflated byte can stand for at most.
const LARGEST_RATIO: u64 = 1032;

/// Bytes inflated between two reports of progress.
const CHUNK: u64 = 1 << 20;

/// A deflated array.
#[derive(Clone, Debug)]
pub(super) struct Member {
    file: Arc<Mapped>,
    /// Its place in the central directory.
    index: usize,
    /// Where the numbers begin in the inflated member.
    start: u64,
    /// Bytes of all numbers.
    length: u64,
    /// The bytes behind the numbers, to which the checksum extends.
    rest: u64,
}

/// The arrays of an archive.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// Those whose headers are sound, in the order of the archive.
    pub tensors: Vec<StoredTensor>,
    /// The names of the others, and what is wrong with each: no matter to those who ask for another array.
    pub damaged: Vec<(String, FormatError)>,
}

/// The arrays in an archive. Members that do not end in `.npy` are none.
///
/// # Errors
/// If the archive is no sound one as a whole, or one that PyTorch wrote.
pub(super) fn members(path: &Path, file: &Arc<Mapped>) -> Result<Members, FormatError> {
    let refused = |source| FormatError::Zip { path: path.into(), source };
    let mut archive = ZipArchive::new(Cursor::new(file.bytes())).map_err(refused)?;
    if let Some(kind) = PickleKind::of_members(archive.file_names_raw()) {
        return Err(FormatError::Pickle { path: path.into(), kind });
    }
    if archive.has_duplicate_names() {
        return Err(FormatError::DuplicateMembers { path: path.into() });
    }
    if archive.has_overlapping_files().map_err(refused)? {
        return Err(FormatError::OverlappingMembers { path: path.into() });
    }
    let mut members = Members::default();
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).and_then(|entry| Ok(entry.name()?.into_owned())).map_err(refused)?;
        if leads_elsewhere(&member) {
            return Err(FormatError::MemberName { path: path.into(), name: member });
        }
        let Some(name) = member.strip_suffix(".npy") else { continue };
        match tensor(Place { path: path.into(), tensor: Some(name.into()) }, file, &mut archive, index) {
            Ok(tensor) => members.tensors.push(tensor),
            Err(fault) => members.damaged.push((name.into(), fault)),
        }
    }
    Ok(members)
}

fn tensor(place: Place, file: &Arc<Mapped>, archive: &mut Archive, index: usize) -> Result<StoredTensor, FormatError> {
    let refused = |source| FormatError::Zip { path: place.path.clone(), source };
    let entry = archive.by_index_raw(index).map_err(refused)?;
    if entry.encrypted() {
        return Err(FormatError::Encrypted { place });
    }
    let (declared, packed, compression) = (entry.size(), entry.compressed_size(), entry.compression());
    let start = entry.data_start().unwrap_or(u64::MAX);
    drop(entry);

    let (array, storage) = match compression {
        CompressionMethod::Stored => {
            let range = within(file.bytes(), start, declared).filter(|_| declared == packed);
            let range = range.ok_or_else(|| FormatError::MemberSize { place: place.clone(), declared, packed })?;
            let array = NpyArray::find(&place, &file.bytes()[range.clone()], range.len() as u64)?;
            let range = range.start + array.bytes.start as usize..range.start + array.bytes.end as usize;
            (array, Storage::Plain { file: file.clone(), range })
        }
        CompressionMethod::Deflated => {
            if declared > packed.saturating_mul(LARGEST_RATIO) {
                return Err(FormatError::MemberSize { place, declared, packed });
            }
            let mut head = Vec::new();
            let inflated = archive.by_index(index).map_err(refused)?;
            inflated.take(LARGEST_HEAD.min(declared)).read_to_end(&mut head).map_err(|source| content(&place, source))?;
            let array = NpyArray::find(&place, &head, declared)?;
            let (start, end) = (array.bytes.start, array.bytes.end);
            let member = Member { file: file.clone(), index, start, length: end - start, rest: declared - end };
            (array, Storage::Member(member))
        }
        other => return Err(FormatError::Compression { place, method: other.to_string() }),
    };
    Ok(array.stored(place.tensor, storage))
}

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

impl Member {
    /// Writes the numbers, no more of them than declared; `progress` is told of bytes done.
    ///
    /// # Errors
    /// If the member holds less or more than it declares, its checksum is another, or the file cannot be written.
    pub fn unpack(&self, place: &Place, to: &mut File, progress: &dyn Fn(usize)) -> Result<(), FormatError> {
        let temporary = |source| FormatError::Temporary { place: place.clone(), source };
        let refused = |source| FormatError::Zip { path: place.path.clone(), source };
        let mut archive = ZipArchive::new(Cursor::new(self.file.bytes())).map_err(refused)?;
        let mut inflated = archive.by_index(self.index).map_err(refused)?;
        skip(place, &mut inflated, self.start)?;

        let mut to = BufWriter::new(to);
        let mut chunk = Vec::new();
        let mut left = self.length;
        while left > 0 {
            chunk.clear();
            inflated.by_ref().take(left.min(CHUNK)).read_to_end(&mut chunk).map_err(|source| content(place, source))?;
            if chunk.is_empty() {
                return Err(content(place, io::Error::new(io::ErrorKind::UnexpectedEof, "it ends before its numbers do")));
            }
            to.write_all(&chunk).map_err(temporary)?;
            left -= chunk.len() as u64;
            progress(chunk.len());
            self.file.release();
        }
        // To the end, where the checksum is compared.
        if skip(place, &mut inflated, self.rest.saturating_add(1))? > self.rest {
            return Err(content(place, io::Error::new(io::ErrorKind::InvalidData, "it holds more than it declares")));
        }
        to.flush().map_err(temporary)
    }
}

/// Reads at most so many bytes and gives back how many there were.
fn skip(place: &Place, from: &mut impl Read, bytes: u64) -> Result<u64, FormatError> {
    io::copy(&mut from.take(bytes), &mut io::sink()).map_err(|source| content(place, source))
}

fn content(place: &Place, source: io::Error) -> FormatError {
    FormatError::MemberContent { place: place.clone(), source }
}

/// The range of `length` bytes from `start`, if the file holds it.
fn within(file: &[u8], start: u64, length: u64) -> Option<Range<usize>> {
    let end = start.checked_add(length).filter(|end| *end <= file.len() as u64)?;
    Some(start as usize..end as usize)
}

/// Whether a name would be another place than one below the archive, were it unpacked.
fn leads_elsewhere(name: &str) -> bool {
    let drive = name.as_bytes().get(1) == Some(&b':');
    drive || name.contains('\0') || name.starts_with(['/', '\\']) || name.split(['/', '\\']).any(|part| part == "..")
}
