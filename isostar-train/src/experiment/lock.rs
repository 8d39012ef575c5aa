//! The lock of a run folder: one process at a time works on a run.
//!
//! It is the kernel's advisory lock of the file `lock`, which ends with its process, however that
//! ends, and which the servers of network file systems keep for all their machines. The file is never
//! removed: a lock of a removed file would exclude nobody. It names its last holder, for messages, and
//! how far the holder has come.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::disk::write_error;
use super::folder::LOCK;
use super::holder::now;
use super::{ExperimentError, Holder, Observer, RunFolder};

/// Tries to take a lock. Whoever looks whether it is held, holds it for an instant.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Time between two reports of how far a run has come.
const BEAT: Duration = Duration::from_secs(2);

/// The right to work on a run folder, until the last copy is dropped.
#[derive(Clone, Debug)]
pub struct RunLock {
    folder: RunFolder,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug)]
struct Held {
    file: File,
    holder: Holder,
    /// Step and time of the first report of steps.
    first: Option<(usize, Instant)>,
    /// When the file was last written.
    written: Instant,
}

impl RunFolder {
    /// Takes the lock of the run, creates its folder if necessary, and removes what interrupted
    /// processes have left there. The lock of a process that has ended is free.
    ///
    /// On a file system without locks, the observer is told so, and nobody is excluded.
    ///
    /// # Errors
    /// If another process works on the run, the folder holds something else than a run, or the
    /// system fails to create the folder or its lock.
    pub fn lock(&self, observer: &dyn Observer) -> Result<RunLock, ExperimentError> {
        if self.is_taken() && !self.is_run() {
            return Err(ExperimentError::NothingToResume {
                path: self.path().into(),
                reason: "there is no config.toml",
            });
        }
        fs::create_dir_all(self.path()).map_err(ExperimentError::io(self.path()))?;
        let path = self.path().join(LOCK);
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut file = open.map_err(write_error(&path, 0))?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ExperimentError::Locked {
                    path: self.path().into(),
                    holder: Box::new(read(&mut file).unwrap_or_default()),
                });
            }
            Err(TryLockError::Error(error)) => {
                observer.note(&format!(
                    "{}: {error}; nothing keeps a second process from working on this run",
                    path.display()
                ));
            }
        }
        let mut held = Held {
            file,
            holder: Holder::this_process(),
            first: None,
            written: Instant::now(),
        };
        held.write();
        self.sweep()?;
        Ok(RunLock {
            folder: self.clone(),
            held: Arc::new(Mutex::new(held)),
        })
    }

    /// Chooses the folder of a new run, see [`choose`](Self::choose), and takes its lock.
    ///
    /// # Errors
    /// If `named` is not empty, or another process works on it.
    pub fn lock_new(
        named: Option<&Path>,
        name: &str,
        observer: &dyn Observer,
    ) -> Result<RunLock, ExperimentError> {
        loop {
            if let Some(holder) = named.and_then(|path| Self::at(path).holder()) {
                return Err(ExperimentError::Locked {
                    path: named.unwrap_or(Path::new("")).into(),
                    holder: Box::new(holder),
                });
            }
            let folder = Self::choose(named, name)?;
            let lock = folder.lock(observer);
            // Another process may have chosen the same folder, and may even have ended there.
            match lock {
                Err(ExperimentError::Locked { .. }) if named.is_none() => {}
                Ok(_) if folder.is_taken() => {}
                lock => return lock,
            }
        }
    }

    /// Returns the process that worked on the run last, if the lock names it.
    pub(super) fn last_holder(&self) -> Option<Holder> {
        read(&mut File::open(self.path().join(LOCK)).ok()?)
    }

    /// Returns the process that works on the run, on whatever machine; `None` if there is none.
    pub fn holder(&self) -> Option<Holder> {
        let mut file = OpenOptions::new()
            .read(true)
            .open(self.path().join(LOCK))
            .ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(read(&mut file).unwrap_or_default()),
            _ => None,
        }
    }
}

impl RunLock {
    /// The folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Notes how far the run has come.
    pub(super) fn beat(&self, step: usize, steps: usize) {
        let mut held = self.held();
        let now = Instant::now();
        let (first, began) = *held.first.get_or_insert((step, now));
        let left = (now - began).as_secs_f64() / step.saturating_sub(first) as f64
            * steps.saturating_sub(step) as f64;
        let seconds_left = Some(left).filter(|left| left.is_finite());
        // The number of steps is reported as soon as it is known.
        let is_due = held.is_due() || held.holder.steps == 0;
        let holder = &mut held.holder;
        (holder.step, holder.steps, holder.seconds_left) = (step, steps, seconds_left);
        if is_due {
            held.write();
        }
    }

    /// Notes that the process progresses.
    pub(super) fn pulse(&self) {
        let mut held = self.held();
        if held.is_due() {
            held.write();
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Whether the next report is due.
    fn is_due(&self) -> bool {
        self.written.elapsed() >= BEAT
    }

    /// Writes the holder. Without it, the lock still holds: a full disk is no reason to fail.
    fn write(&mut self) {
        (self.holder.heartbeat, self.written) = (now(), Instant::now());
        let text = serde_json::to_string(&self.holder).expect("a holder is plain values") + "\n";
        let mut write = || -> io::Result<()> {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(text.as_bytes())?;
            self.file.set_len(text.len() as u64)
        };
        let _ = write();
    }
}

fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            ended => return ended,
        }
    }
    file.try_lock()
}

/// Reads the holder in a lock; `None` if it is being written.
fn read(file: &mut File) -> Option<Holder> {
    for _ in 0..3 {
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).ok()?;
        file.read_to_string(&mut text).ok()?;
        // What follows the first line is left of a longer one.
        if let Some(holder) = text
            .lines()
            .next()
            .and_then(|line| serde_json::from_str(line).ok())
        {
            return Some(holder);
        }
        std::thread::sleep(PAUSE / 10);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn a_lock_excludes_others_and_names_its_holder_until_it_is_dropped() {
        let parent = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(parent.path().join("not/yet"));
        assert_eq!(folder.holder(), None);
        let lock = folder.lock(&Silent).unwrap();
        lock.beat(3, 24);
        let Err(ExperimentError::Locked { path, holder }) = folder.lock(&Silent) else {
            panic!("two locks")
        };
        assert_eq!(
            (path.as_path(), holder.process, holder.step, holder.steps),
            (folder.path(), std::process::id(), 3, 24)
        );
        assert!(
            !holder.host.is_empty() && holder.since > 1_700_000_000,
            "{holder:?}"
        );
        assert_eq!(folder.holder().as_ref(), Some(&*holder));
        let copy = lock.clone();
        drop(lock);
        assert!(folder.holder().is_some());
        drop(copy);
        assert_eq!(folder.holder(), None);
        assert!(!folder.is_taken());
        folder.lock(&Silent).unwrap();
    }

    #[test]
    fn what_a_killed_process_has_left_is_removed_only_under_the_lock() {
        let parent = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(parent.path());
        let lock = folder.lock(&Silent).unwrap();
        let half = parent.path().join(".writing-config.toml");
        fs::write(&half, "half").unwrap();
        folder.lock(&Silent).unwrap_err();
        assert!(half.exists());
        drop(lock);
        folder.lock(&Silent).unwrap();
        assert!(!half.exists());
    }

    #[test]
    fn a_new_run_does_not_take_the_folder_of_another() {
        let parent = tempfile::tempdir().unwrap();
        let named = parent.path().join("run");
        let lock = RunFolder::lock_new(Some(&named), "t", &Silent).unwrap();
        assert!(matches!(
            RunFolder::lock_new(Some(&named), "t", &Silent),
            Err(ExperimentError::Locked { .. })
        ));
        fs::write(lock.folder().config(), "").unwrap();
        drop(lock);
        assert!(matches!(
            RunFolder::lock_new(Some(&named), "t", &Silent),
            Err(ExperimentError::FolderTaken { .. })
        ));
    }
}
