//! Shared parts of the fuzz targets: a limit on allocations, temporary folders, and the invariants
//! of results.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Device;
use isostar_measure::{EmbeddingsError, EmbeddingsFile, Measures, measure};
use isostar_models::ModelError;
use isostar_train::data::{DataError, Questions, TextRow};

/// The folder of the tiny checkpoints in the repository.
pub const FIXTURES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../isostar-models/tests/fixtures"
);

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

static LARGEST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// The system allocator, which aborts the program at an allocation above the limit.
struct Bounded;

impl Bounded {
    fn check(size: usize) {
        if size > LARGEST.load(Ordering::Relaxed) {
            // The limit is removed because the report may allocate.
            LARGEST.store(usize::MAX, Ordering::Relaxed);
            eprintln!(
                "an allocation of {size} bytes\n{}",
                Backtrace::force_capture()
            );
            process::abort();
        }
    }
}

// SAFETY: every call is forwarded unchanged to the system allocator.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::check(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::check(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::check(size);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Runs `read` on an input of this length, with the limit on allocations that the length permits.
pub fn bounded<T>(length: usize, read: impl FnOnce() -> T) -> T {
    bounded_by((64 << 20) + 16 * length, read)
}

/// Runs `read` with the limit for Parquet: before it decompresses a page, the parquet crate
/// allocates the size that the header declares, at most 2 GiB.
pub fn bounded_page<T>(read: impl FnOnce() -> T) -> T {
    bounded_by((64 << 20) + i32::MAX as usize, read)
}

fn bounded_by<T>(largest: usize, read: impl FnOnce() -> T) -> T {
    LARGEST.store(largest, Ordering::Relaxed);
    let answer = read();
    LARGEST.store(usize::MAX, Ordering::Relaxed);
    answer
}

/// Replaces libFuzzer's panic hook, which aborts at every panic, so that the code under test can
/// catch panics. An uncaught panic still ends the program.
pub fn let_caught_panics_pass() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| panic::set_hook(Box::new(|panic| eprintln!("{panic}"))));
}

/// Checks the invariants of an error.
pub fn check_error(error: &ModelError) {
    assert!(!error.to_string().is_empty());
}

/// The maximum width and number of points that are measured. The memory of a covariance can exceed
/// the size of the file.
const MEASURED: (usize, usize) = (32, 256);

/// Reads embeddings from a file with this content, and measures them if they are small.
pub fn check_embeddings(folder: &Folder, name: &str, content: &[u8]) {
    folder.write(name, content);
    let path = folder.path().join(name);
    let refused = |error: EmbeddingsError| {
        assert!(!error.to_string().is_empty());
    };
    let opened = bounded(content.len(), || {
        let file = EmbeddingsFile::open(&path)?;
        file.points(None, None)
    });
    match opened {
        Err(error) => refused(error),
        Ok(tensors) => {
            for points in tensors {
                assert!(points.count() >= 2 && points.width() >= 2);
                if points.width() <= MEASURED.0 && points.count() <= MEASURED.1 {
                    // The measures of moments read the file in a single pass, with different code.
                    for measures in [Measures::default(), Measures::OfMoments] {
                        let measured = measure(&points, None, measures, &Device::flex(), &|_| ());
                        measured.map_or_else(refused, |geometry| {
                            assert_eq!(geometry.points, points.count())
                        });
                    }
                }
            }
        }
    }
}

/// Checks the invariants of rows: there is at least one, and they are in the order of their lines;
/// or there is an error.
pub fn check_rows(read: Result<Vec<TextRow>, DataError>, check: impl Fn(&TextRow)) {
    match read {
        Ok(rows) => {
            assert!(!rows.is_empty());
            assert!(rows.iter().all(|row| row.line > 0) && rows.is_sorted_by_key(|row| row.line));
            rows.iter().for_each(check);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Checks the invariants of questions: they are rows without a label, and every answer is at its
/// stated position.
pub fn check_questions(read: Result<Questions, DataError>) {
    if let Ok(read) = &read {
        assert_eq!(read.rows.len(), read.questions.len());
        for (row, question) in read.rows.iter().zip(&read.questions) {
            let paragraph = row.pair.as_deref().expect("a question has a paragraph");
            for answer in &question.answers {
                let found: String = paragraph
                    .chars()
                    .skip(answer.start)
                    .take(answer.text.chars().count())
                    .collect();
                assert_eq!(found, answer.text);
            }
            question.majority();
        }
    }
    check_rows(read.map(|read| read.rows), |row| {
        assert!(row.label.is_empty())
    });
}

/// A temporary folder of this process.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir()
            .join(format!("isostar-fuzz-{}", process::id()))
            .join(name);
        fs::create_dir_all(&path).expect("temporary files can be written");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.0.join(name), content).expect("temporary files can be written");
    }

    /// Copies a file of a fixture.
    pub fn copy(&self, fixture: &str, name: &str) {
        fs::copy(
            Path::new(FIXTURES).join(fixture).join(name),
            self.0.join(name),
        )
        .expect("the fixture is in the repository");
    }
}
