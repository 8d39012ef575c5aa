//! A file mapped into memory, which lets go of the pages behind the reader.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::Mmap;

/// How many bytes may have been read before their pages are let go: pages of a map count as the process's memory while they are mapped.
const RELEASE: usize = 128 << 20;

/// What a read of a single byte may map: Linux maps the pages around it that it holds already, and as much at once as a huge page.
const AROUND: usize = 2 << 20;

/// The bytes of a file.
#[derive(Debug)]
pub(super) struct Mapped {
    map: Mmap,
    /// An upper bound on the bytes mapped since pages were last let go.
    touched: AtomicUsize,
    /// The number of the huge page that was read last.
    last: AtomicUsize,
}

impl Mapped {
    /// Maps a whole file, which must not be empty.
    pub fn of(file: &File) -> io::Result<Self> {
        // SAFETY: the map is only read, as plain bytes, and every value of a byte is valid. A program that shortens the file meanwhile ends
        // this one with a signal; no way of reading files larger than memory is without that or a torn read.
        let map = unsafe { Mmap::map(file) }?;
        Ok(Self { map, touched: AtomicUsize::new(0), last: AtomicUsize::new(usize::MAX) })
    }

    /// All bytes, for those who look at few of them.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The bytes in a range, for those who read many ranges one after the other.
    pub fn read(&self, range: Range<usize>) -> &[u8] {
        let (first, end) = (range.start / AROUND, range.end.div_ceil(AROUND));
        // One read after another of the same huge page maps it once.
        let seen = self.last.swap(end.saturating_sub(1), Ordering::Relaxed) == first;
        let bytes = (end - first).saturating_sub(seen.into()) * AROUND;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_read_may_map_is_counted_and_let_go() {
        let file = tempfile::tempfile().unwrap();
        // Without a byte on the disk.
        file.set_len(2 * RELEASE as u64).unwrap();
        let mapped = Mapped::of(&file).unwrap();
        let touched = || mapped.touched.load(Ordering::Relaxed);
        for start in (0..AROUND).step_by(AROUND / 8) {
            assert!(mapped.read(start..start + AROUND / 8).iter().all(|byte| *byte == 0));
        }
        assert_eq!(touched(), AROUND, "one huge page, however often it is read");
        for page in 1..RELEASE / AROUND {
            mapped.read(page * AROUND..page * AROUND + 1);
        }
        assert_eq!(touched(), RELEASE, "a byte of each");
        mapped.read(RELEASE..RELEASE + 1);
        assert_eq!(touched(), 0, "all of them let go");
        mapped.read(RELEASE + AROUND - 1..RELEASE + 2 * AROUND + 1);
        assert_eq!(touched(), 2 * AROUND, "two more than the last");
    }
}
