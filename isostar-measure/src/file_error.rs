//! Why a file cannot be read, whatever its format.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The first bytes of every Git LFS pointer: a short text that takes the place of a file until
/// `git lfs pull` downloads it. <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>
const GIT_LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Why a file cannot be read, whatever its format.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The path does not exist.
    #[error("{}: no such file or folder", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// The path is not a file, or the file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file is empty.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is a Git LFS pointer: its content has not been downloaded.
    #[error("{}: a Git LFS pointer, not the file itself", path.display())]
    GitLfsPointer {
        /// The file.
        path: PathBuf,
    },
}

impl FileError {
    /// Converts a system error on reading `path`.
    pub fn reading(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path: path.into() },
            _ => Self::Unreadable {
                path: path.into(),
                source,
            },
        }
    }

    /// Checks that a file that begins with `bytes` is not a Git LFS pointer.
    ///
    /// # Errors
    /// [`FileError::GitLfsPointer`] if it is.
    pub fn refuse_pointer(path: &Path, bytes: &[u8]) -> Result<(), Self> {
        if bytes.starts_with(GIT_LFS_POINTER) {
            Err(Self::GitLfsPointer { path: path.into() })
        } else {
            Ok(())
        }
    }
}
