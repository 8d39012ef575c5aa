//! Memory-mapped files that release the pages already read.

use std::fs::File;
use std::io;
#[cfg(target_os = "linux")]
use std::io::IoSliceMut;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::Mmap;
#[cfg(target_os = "linux")]
use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// The number of bytes read before their pages are released: mapped pages count towards the memory
/// of the process.
const RELEASE: usize = 128 << 20;

/// The size mapped by reading a single byte: Linux also maps the cached pages around it, up to a
/// huge page.
const AROUND: usize = 2 << 20;

/// A memory-mapped file.
#[derive(Debug)]
pub(super) struct Mapped {
    map: Mmap,
    #[cfg(target_os = "linux")]
    file: File,
    /// An upper bound on the bytes mapped since pages were last released.
    touched: AtomicUsize,
    /// The index of the last huge page read.
    last: AtomicUsize,
}

impl Mapped {
    /// Maps a whole file, which must not be empty.
    pub fn of(file: File) -> io::Result<Self> {
        // SAFETY: the map is only read, as plain bytes, and every byte value is valid. If another
        // program truncates the file meanwhile, a signal ends this one; reading files larger than
        // memory without this risk or that of a torn read is impossible.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Self {
            map,
            #[cfg(target_os = "linux")]
            file,
            touched: AtomicUsize::new(0),
            last: AtomicUsize::new(usize::MAX),
        })
    }

    /// All bytes, for reading few of them.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Returns the bytes in a range, for reading many ranges in sequence.
    pub fn read(&self, range: Range<usize>) -> &[u8] {
        let (first, end) = (range.start / AROUND, range.end.div_ceil(AROUND));
        // Consecutive reads of the same huge page map it once.
        let seen = self.last.swap(end.saturating_sub(1), Ordering::Relaxed) == first;
        let bytes = (end - first).saturating_sub(seen.into()) * AROUND;
        if self.touched.fetch_add(bytes, Ordering::Relaxed) + bytes > RELEASE {
            self.touched.store(0, Ordering::Relaxed);
            self.release();
        }
        &self.map[range]
    }

    /// Copies the bytes in a range, for reading each byte once.
    ///
    /// If the system supports it (Linux 6.14), the bytes are not kept in the page cache unless they
    /// were there before.
    pub fn copy_once(&self, range: Range<usize>, copy: &mut Vec<u8>) {
        // Zeroes only the bytes beyond the previous length.
        copy.resize(range.len(), 0);
        if !self.read_uncached(range.start, copy) {
            copy.copy_from_slice(self.read(range));
        }
    }

    /// Reads bytes from `at` past the page cache; returns whether that succeeded.
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

    /// Unmaps all pages. They stay in the page cache and are mapped again when read.
    pub fn release(&self) {
        // SAFETY: the map is shared with the file and never written, so a page mapped again has the
        // same content.
        #[cfg(unix)]
        let _advice_only = unsafe {
            self.map
                .unchecked_advise(memmap2::UncheckedAdvice::DontNeed)
        };
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_copy_equals_the_file_regardless_of_the_previous_buffer() {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..3 * 8192 + 17).map(|at| (at % 251) as u8).collect();
        file.write_all(&content).unwrap();
        let mapped = Mapped::of(file).unwrap();
        let mut copy = Vec::new();
        for range in [
            5..20_000,
            0..content.len(),
            content.len() - 9..content.len(),
            4096..8192,
        ] {
            mapped.copy_once(range.clone(), &mut copy);
            assert_eq!(copy, content[range]);
        }
    }

    #[test]
    fn mapped_bytes_are_counted_and_released() {
        let file = tempfile::tempfile().unwrap();
        // A sparse file: no byte is stored on the disk.
        file.set_len(2 * RELEASE as u64).unwrap();
        let mapped = Mapped::of(file).unwrap();
        let touched = || mapped.touched.load(Ordering::Relaxed);
        for start in (0..AROUND).step_by(AROUND / 8) {
            assert!(
                mapped
                    .read(start..start + AROUND / 8)
                    .iter()
                    .all(|byte| *byte == 0)
            );
        }
        assert_eq!(
            touched(),
            AROUND,
            "repeated reads of one huge page count once"
        );
        for page in 1..RELEASE / AROUND {
            mapped.read(page * AROUND..page * AROUND + 1);
        }
        assert_eq!(
            touched(),
            RELEASE,
            "one byte of each huge page counts the whole page"
        );
        mapped.read(RELEASE..RELEASE + 1);
        assert_eq!(touched(), 0, "all pages are released");
        mapped.read(RELEASE + AROUND - 1..RELEASE + 2 * AROUND + 1);
        assert_eq!(touched(), 2 * AROUND, "two further huge pages");
    }
}
