//! A file mapped into memory, which lets go of the pages behind the reader.

use std::fs::File;
use std::io;
#[cfg(target_os = "linux")]
use std::io::IoSliceMut;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::Mmap;
#[cfg(target_os = "linux")]
use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// How many bytes may have been read before their pages are let go: pages of a map count as the process's memory while they are mapped.
const RELEASE: usize = 128 << 20;

/// What a read of a single byte may map: Linux maps the pages around it that it holds already, and as much at once as a huge page.
const AROUND: usize = 2 << 20;

/// The bytes of a file.
#[derive(Debug)]
pub(super) struct Mapped {
    map: Mmap,
    #[cfg(target_os = "linux")]
    file: File,
    /// An upper bound on the bytes mapped since pages were last let go.
    touched: AtomicUsize,
    /// The number of the huge page that was read last.
    last: AtomicUsize,
}

impl Mapped {
    /// Maps a whole file, which must not be empty.
    pub fn of(file: File) -> io::Result<Self> {
        // SAFETY: the map is only read, as plain bytes, and every value of a byte is valid. A program that shortens the file meanwhile ends
        // this one with a signal; no way of reading files larger than memory is without that or a torn read.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Self {
            map,
            #[cfg(target_os = "linux")]
            file,
            touched: AtomicUsize::new(0),
            last: AtomicUsize::new(usize::MAX),
        })
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

    /// Copies the bytes in a range, for those who read everything once.
    ///
    /// Where the system can (Linux 6.14), it lets go of what it did not hold before, instead of filling its memory with it.
    pub fn copy_once(&self, range: Range<usize>, copy: &mut Vec<u8>) {
        // Longer only where it was shorter, so that memory is not filled in vain.
        copy.resize(range.len(), 0);
        if !self.read_uncached(range.start, copy) {
            copy.copy_from_slice(self.read(range));
        }
    }

    /// Whether the bytes from `at` could be read that way.
    #[cfg(target_os = "linux")]
    fn read_uncached(&self, at: usize, mut bytes: &mut [u8]) -> bool {
        /// RWF_DONTCACHE of preadv2(2).
        const DONT_CACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);
        let mut at = at as u64;
        while !bytes.is_empty() {
            match preadv2(&self.file, &mut [IoSliceMut::new(bytes)], at, DONT_CACHE) {
                Ok(0) => return false,
                Ok(count) => {
                    bytes = &mut bytes[count..];
                    at += count as u64;
                }
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }

    #[cfg(not(target_os = "linux"))]
    fn read_uncached(&self, _at: usize, _bytes: &mut [u8]) -> bool {
        false
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
    use std::io::Write;

    use super::*;

    #[test]
    fn a_copy_holds_what_the_file_does_whatever_its_memory_held() {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..3 * 8192 + 17).map(|at| (at % 251) as u8).collect();
        file.write_all(&content).unwrap();
        let mapped = Mapped::of(file).unwrap();
        let mut copy = Vec::new();
        for range in [5..20_000, 0..content.len(), content.len() - 9..content.len(), 4096..8192] {
            mapped.copy_once(range.clone(), &mut copy);
            assert_eq!(copy, content[range]);
        }
    }

    #[test]
    fn what_a_read_may_map_is_counted_and_let_go() {
        let file = tempfile::tempfile().unwrap();
        // Without a byte on the disk.
        file.set_len(2 * RELEASE as u64).unwrap();
        let mapped = Mapped::of(file).unwrap();
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
