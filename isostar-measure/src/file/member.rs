//! A deflated array in an .npz file.

use std::fs::File;
use std::io::{self, BufWriter, Cursor, Read, Write};
use std::sync::Arc;

use zip::ZipArchive;

use super::error::FormatError;
use super::mapped::Mapped;
use crate::Location;

/// The number of bytes inflated between two progress reports.
const CHUNK: u64 = 1 << 20;

/// A deflated array.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub file: Arc<Mapped>,
    /// The index in the central directory.
    pub index: usize,
    /// The offset of the numbers in the inflated member.
    pub start: u64,
    /// The number of bytes of the numbers.
    pub length: u64,
    /// The number of bytes after the numbers; the checksum covers them.
    pub rest: u64,
}

impl Member {
    /// Writes the numbers, at most as many as declared. `progress` receives the number of bytes
    /// done.
    ///
    /// # Errors
    /// If the member holds fewer or more bytes than declared, its checksum differs, or the file
    /// cannot be written.
    pub fn unpack(
        &self,
        place: &Location,
        to: &mut File,
        progress: &dyn Fn(usize),
    ) -> Result<(), FormatError> {
        let temporary = |source| FormatError::Temporary {
            place: place.clone(),
            source,
        };
        let refused = |source| FormatError::Zip {
            path: place.path.clone(),
            source,
        };
        let mut archive = ZipArchive::new(Cursor::new(self.file.bytes())).map_err(refused)?;
        let mut inflated = archive.by_index(self.index).map_err(refused)?;
        skip(place, &mut inflated, self.start)?;

        let mut to = BufWriter::new(to);
        let mut chunk = Vec::new();
        let mut left = self.length;
        while left > 0 {
            chunk.clear();
            inflated
                .by_ref()
                .take(left.min(CHUNK))
                .read_to_end(&mut chunk)
                .map_err(|source| content(place, source))?;
            if chunk.is_empty() {
                return Err(content(
                    place,
                    io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "it ends before its last number",
                    ),
                ));
            }
            to.write_all(&chunk).map_err(temporary)?;
            left -= chunk.len() as u64;
            progress(chunk.len());
            self.file.release();
        }
        // Read to the end, where the checksum is verified.
        if skip(place, &mut inflated, self.rest.saturating_add(1))? > self.rest {
            return Err(content(
                place,
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    "it holds more bytes than it declares",
                ),
            ));
        }
        to.flush().map_err(temporary)
    }
}

/// Skips at most `bytes` bytes and returns how many there were.
fn skip(place: &Location, from: &mut impl Read, bytes: u64) -> Result<u64, FormatError> {
    io::copy(&mut from.take(bytes), &mut io::sink()).map_err(|source| content(place, source))
}

pub(super) fn content(place: &Location, source: io::Error) -> FormatError {
    FormatError::MemberContent {
        place: place.clone(),
        source,
    }
}
