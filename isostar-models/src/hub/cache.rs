//! The cache in the layout of huggingface_hub: `models--org--name/{blobs, refs, snapshots}`, the
//! same for datasets, and a folder of locks.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::error::HubError;
use super::files;
use super::id::is_commit;
use super::repository::Repository;

/// The folder of one repository in the cache.
pub(super) struct Cache<'a> {
    repository: Repository<'a>,
    folder: PathBuf,
    locks: PathBuf,
}

/// A partially downloaded file.
pub(super) struct Partial {
    pub(super) path: PathBuf,
    /// Excludes other processes until it is dropped. `None` if the file system does not support
    /// locks.
    lock: Option<File>,
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.lock.is_none() {
            // No other process resumes this file. After a successful download it has become a blob.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl<'a> Cache<'a> {
    pub(super) fn new(cache: &Path, repository: Repository<'a>) -> Self {
        let name = format!(
            "{}--{}",
            repository.group(),
            repository.id.name.replace('/', "--")
        );
        Self {
            repository,
            folder: cache.join(&name),
            locks: cache.join(".locks").join(&name),
        }
    }

    /// The snapshot folder of a revision, if it is complete.
    pub(super) fn find(&self, revision: &str) -> Option<PathBuf> {
        let commit = match is_commit(revision) {
            true => revision.to_string(),
            false => fs::read_to_string(self.reference(revision))
                .ok()?
                .trim()
                .to_string(),
        };
        let folder = self.snapshot(&commit);
        (is_commit(&commit) && files::is_complete(self.repository, &folder)).then_some(folder)
    }

    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    fn reference(&self, revision: &str) -> PathBuf {
        self.folder.join("refs").join(revision)
    }

    /// Locks the partial file of a blob. Calls `wait` if another process holds the lock.
    ///
    /// The name does not end in `.incomplete`, because huggingface_hub may write such files in
    /// another order, and the file found here is resumed.
    pub(super) fn partial(&self, etag: &str, wait: impl FnOnce()) -> Result<Partial, HubError> {
        let lock_path = self.locks.join(format!("{etag}.lock"));
        create_folder_of(&lock_path)?;
        let blob = self.blob(etag);
        create_folder_of(&blob)?;
        let failed = || HubError::io("lock", &lock_path);
        let lock = File::create(&lock_path).map_err(failed())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                wait();
                lock.lock().map_err(failed())?;
            }
            // Some network file systems do not support locks. A unique file is safe without a lock,
            // but is never resumed.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                let path = blob.with_added_extension(format!("{}.partial", std::process::id()));
                return Ok(Partial { path, lock: None });
            }
            Err(TryLockError::Error(error)) => return Err(failed()(error)),
        }
        Ok(Partial {
            path: blob.with_added_extension("partial"),
            lock: Some(lock),
        })
    }

    /// Links the blob at `path` as the file `name` of a snapshot.
    pub(super) fn link(&self, commit: &str, name: &str, path: &Path) -> Result<(), HubError> {
        let pointer = self.snapshot(commit).join(name);
        if is_same(&pointer, path) {
            return Ok(());
        }
        let up = "../".repeat(2 + name.matches('/').count());
        let blob = Path::new(&up)
            .join("blobs")
            .join(path.file_name().unwrap_or_default());
        place(&pointer, |new| {
            symlink(&blob, new)
                .or_else(|_| fs::hard_link(path, new))
                .or_else(|_| fs::copy(path, new).map(drop))
        })
    }

    /// Records the commit of a branch or tag.
    pub(super) fn set_commit(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if revision == commit {
            return Ok(());
        }
        place(&self.reference(revision), |new| fs::write(new, commit))
    }
}

fn create_folder_of(path: &Path) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(HubError::io("create", folder))
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Creates a file under a temporary name and renames it, so that other processes see either the old
/// file or the new one.
fn place(path: &Path, make: impl FnMut(&Path) -> io::Result<()>) -> Result<(), HubError> {
    create_folder_of(path)?;
    let new = tempfile::Builder::new().make_in(path.parent().unwrap_or(path), make);
    let placed = new.and_then(|new| {
        new.into_temp_path()
            .persist(path)
            .map_err(|error| error.error)
    });
    placed.map_err(HubError::io("write", path))
}

#[cfg(unix)]
use std::os::unix::fs::symlink;
#[cfg(windows)]
use std::os::windows::fs::symlink_file as symlink;
#[cfg(not(any(unix, windows)))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}
