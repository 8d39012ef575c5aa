//! A file mapped into memory, which lets go of the pages behind the reader.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::Mmap;

/// How many bytes may have been read before their pages are let go: pages of a map count as the process's memory while they are mapped.
const RELEASE: usize = 128 << 20;

/// What a read of a single byte may map: Linux maps the pages around it that it holds already.
const AROUND: usize = 64 << 10;

/// The bytes of a file.
#[derive(Debug)]
pub(super) struct Mapped {
    map: Mmap,
    /// An upper bound on the bytes mapped since pages were last let go.
    touched: AtomicUsize,
}

impl Mapped {
    /// Maps a whole file, which must not be empty.
    pub fn of(file: &File) -> io::Result<Self> {
        // SAFETY: the map is only read, as plain bytes, and every value of a byte is valid. A program that shortens the file meanwhile ends
        // this one with a signal; no way of reading files larger than memory is without that or a torn read.
        let map = unsafe { Mmap::map(file) }?;
        Ok(Self { map, touched: AtomicUsize::new(0) })
    }

    /// All bytes, for those who look at few of them.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The bytes in a range, for those who read many ranges one after the other.
    pub fn read(&self, range: Range<usize>) -> &[u8] {
        let bytes = range.len() + AROUND;
        if self.touched.fetch_add(bytes, Ordering::Relaxed) + bytes > RELEASE {
            self.touched.store(0, Ordering::Relaxed);
            self.release();
        }
        &self.map[range]
    }

    /// Unmaps all pages; the system still holds them, and maps them again for whoever reads them.
    pub fn release(&self) {
        // SAFETY: the map is shared with the file and never written, so that a page that is mapped again holds what it held before.
        #[cfg(unix)]
        let _advice_only = unsafe { self.map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    }
}
