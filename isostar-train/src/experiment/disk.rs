//! Writing files so that they survive a crash, and the space that they need.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::ExperimentError;
use crate::whole_file::write_whole;

/// Writes a new file and waits until it is on the disk.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Waits until the names in a folder are on the disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    // Other systems have no such call.
    if cfg!(unix) {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

/// Replaces a file of a run: written beside, synced and renamed.
///
/// # Errors
/// If the system fails to write it; an existing file is kept.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), ExperimentError> {
    write_whole(path, bytes).map_err(write_error(path, bytes.len() as u64))
}

/// Returns a function that adds to a failed write what it needs and what is free.
pub(super) fn write_error(
    path: &Path,
    need: u64,
) -> impl FnOnce(io::Error) -> ExperimentError + use<> {
    let path = path.to_path_buf();
    move |source| ExperimentError::Write {
        free: free_bytes(&path),
        path,
        need,
        source,
    }
}

/// Free bytes of the file system that holds a path, or will hold it; `None` if the system does not
/// say.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let path = std::path::absolute(path).ok()?;
        let existing = path.ancestors().find(|folder| folder.exists())?;
        let found = rustix::fs::statvfs(existing).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Checks that a run finds the space that it needs.
///
/// # Errors
/// If less than `need` bytes are free.
pub(super) fn check_space(path: &Path, need: u64) -> Result<(), ExperimentError> {
    match free_bytes(path) {
        Some(free) if free < need => Err(ExperimentError::NoSpace {
            path: path.into(),
            need,
            free,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_space_of_a_folder_that_does_not_exist_yet_is_that_of_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let free = free_bytes(&folder.path().join("not/yet")).unwrap();
        assert!(free > 0);
        assert!(check_space(folder.path(), 0).is_ok());
        let error = check_space(folder.path(), u64::MAX).unwrap_err();
        assert!(
            matches!(error, ExperimentError::NoSpace { need: u64::MAX, .. }),
            "{error}"
        );
    }
}
