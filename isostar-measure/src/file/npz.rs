//! The arrays in NumPy's .npz files, which are zip archives of .npy files.
//!
//! Members stored by `numpy.savez` are mapped in place; members deflated by
//! `numpy.savez_compressed` are inflated one by one. The name of a tensor is that of its member
//! without `.npy`; it is never used as a path on this machine.

use std::io::{Cursor, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use zip::{CompressionMethod, ZipArchive};

use super::error::FormatError;
use super::mapped::Mapped;
use super::member::{Member, content};
use super::npy::{LARGEST_HEAD, NpyArray};
use super::numbers::Storage;
use super::pickle::PickleKind;
use super::tensor::StoredTensor;
use crate::Location;

/// The first bytes of an archive with members, and of an empty archive.
pub(super) const MAGIC: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// The maximum number of bytes that one deflated byte can expand to.
const LARGEST_RATIO: u64 = 1032;

/// The arrays of an archive.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// The tensors with valid headers, in the order of the archive.
    pub tensors: Vec<StoredTensor>,
    /// The names of the other members, with their errors. They are reported only if requested.
    pub damaged: Vec<(String, FormatError)>,
}

/// Returns the arrays of an archive. Members without the extension `.npy` are ignored.
///
/// # Errors
/// If the archive is invalid as a whole, or was written by PyTorch.
pub(super) fn members(path: &Path, file: &Arc<Mapped>) -> Result<Members, FormatError> {
    let refused = |source| FormatError::Zip {
        path: path.into(),
        source,
    };
    let mut archive = ZipArchive::new(Cursor::new(file.bytes())).map_err(refused)?;
    if let Some(kind) = PickleKind::from_members(archive.file_names_raw()) {
        return Err(FormatError::Pickle {
            path: path.into(),
            kind,
        });
    }
    if archive.has_duplicate_names() {
        return Err(FormatError::DuplicateMembers { path: path.into() });
    }
    if archive.has_overlapping_files().map_err(refused)? {
        return Err(FormatError::OverlappingMembers { path: path.into() });
    }
    let mut members = Members::default();
    for index in 0..archive.len() {
        let member = archive
            .by_index_raw(index)
            .and_then(|entry| Ok(entry.name()?.into_owned()))
            .map_err(refused)?;
        if leads_elsewhere(&member) {
            return Err(FormatError::MemberName {
                path: path.into(),
                name: member,
            });
        }
        let Some(name) = member.strip_suffix(".npy") else {
            continue;
        };
        match tensor(
            Location {
                path: path.into(),
                tensor: Some(name.into()),
            },
            file,
            &mut archive,
            index,
        ) {
            Ok(tensor) => members.tensors.push(tensor),
            Err(fault) => members.damaged.push((name.into(), fault)),
        }
    }
    Ok(members)
}

fn tensor(
    place: Location,
    file: &Arc<Mapped>,
    archive: &mut Archive,
    index: usize,
) -> Result<StoredTensor, FormatError> {
    let refused = |source| FormatError::Zip {
        path: place.path.clone(),
        source,
    };
    let entry = archive.by_index_raw(index).map_err(refused)?;
    if entry.encrypted() {
        return Err(FormatError::Encrypted { place });
    }
    let (declared, packed, compression) =
        (entry.size(), entry.compressed_size(), entry.compression());
    let start = entry.data_start().unwrap_or(u64::MAX);
    drop(entry);

    let (array, storage) = match compression {
        CompressionMethod::Stored => {
            let range = within(file.bytes(), start, declared).filter(|_| declared == packed);
            let range = range.ok_or_else(|| FormatError::MemberSize {
                place: place.clone(),
                declared,
                packed,
            })?;
            let array = NpyArray::find(&place, &file.bytes()[range.clone()], range.len() as u64)?;
            let range =
                range.start + array.bytes.start as usize..range.start + array.bytes.end as usize;
            (
                array,
                Storage::Plain {
                    file: file.clone(),
                    range,
                },
            )
        }
        CompressionMethod::Deflated => {
            if declared > packed.saturating_mul(LARGEST_RATIO) {
                return Err(FormatError::MemberSize {
                    place,
                    declared,
                    packed,
                });
            }
            let mut head = Vec::new();
            let inflated = archive.by_index(index).map_err(refused)?;
            inflated
                .take(LARGEST_HEAD.min(declared))
                .read_to_end(&mut head)
                .map_err(|source| content(&place, source))?;
            let array = NpyArray::find(&place, &head, declared)?;
            let (start, end) = (array.bytes.start, array.bytes.end);
            let member = Member {
                file: file.clone(),
                index,
                start,
                length: end - start,
                rest: declared - end,
            };
            (array, Storage::Member(member))
        }
        other => {
            return Err(FormatError::Compression {
                place,
                method: other.to_string(),
            });
        }
    };
    Ok(array.stored(place.tensor, storage))
}

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// The range of `length` bytes from `start`, if it is within the file.
fn within(file: &[u8], start: u64, length: u64) -> Option<Range<usize>> {
    let end = start
        .checked_add(length)
        .filter(|end| *end <= file.len() as u64)?;
    Some(start as usize..end as usize)
}

/// Whether a name would be extracted outside the folder of the archive.
fn leads_elsewhere(name: &str) -> bool {
    let drive = name.as_bytes().get(1) == Some(&b':');
    drive
        || name.contains('\0')
        || name.starts_with(['/', '\\'])
        || name.split(['/', '\\']).any(|part| part == "..")
}
