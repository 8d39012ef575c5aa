//! Reading of files with errors that name them, and atomic writing of a model folder.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::{ModelError, is_git_lfs_pointer};

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ModelError {
    let path = path.to_path_buf();
    move |source| ModelError::Io {
        action,
        path,
        source,
    }
}

/// Reads a file that a model folder must have.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, ModelError> {
    match fs::read(path) {
        Ok(content) if is_git_lfs_pointer(&content) => Err(ModelError::GitLfsPointer {
            path: path.to_path_buf(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ModelError::NoFile {
            path: path.to_path_buf(),
        }),
        content => content.map_err(failed("read", path)),
    }
}

pub(super) fn parse_json<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, ModelError> {
    serde_json::from_slice(bytes).map_err(|source| ModelError::Json {
        path: path.to_path_buf(),
        source,
    })
}

pub(super) fn to_json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, ModelError> {
    serde_json::to_vec_pretty(value).map_err(|source| ModelError::Json {
        path: path.to_path_buf(),
        source,
    })
}

/// A temporary folder that is filled with files, which are then moved to their destination.
pub(super) struct Staging {
    temporary: TempDir,
    target: PathBuf,
    files: Vec<&'static str>,
}

impl Staging {
    /// Creates the temporary folder next to `target`, or inside it if it exists, so that renaming
    /// does not copy data.
    pub(super) fn new(target: &Path) -> Result<Self, ModelError> {
        let parent = match target.parent() {
            _ if target.is_dir() => target,
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(failed("create", parent))?;
        let temporary = builder()
            .tempdir_in(parent)
            .map_err(failed("write in", parent))?;
        Ok(Self {
            temporary,
            target: target.to_path_buf(),
            files: Vec::new(),
        })
    }

    /// Writes one file and synchronizes it to the disk.
    pub(super) fn write(&mut self, name: &'static str, bytes: &[u8]) -> Result<(), ModelError> {
        self.write_with(name, |file| file.write_all(bytes))
    }

    /// Writes one file with the content that `content` writes.
    pub(super) fn write_with(
        &mut self,
        name: &'static str,
        content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), ModelError> {
        let path = self.temporary.path().join(name);
        let write = || {
            let mut file = BufWriter::new(File::create(&path)?);
            content(&mut file)?;
            file.into_inner()?.sync_all()
        };
        write().map_err(failed("write", &path))?;
        self.files.push(name);
        Ok(())
    }

    /// Moves the files to their destination: as a whole folder, or file by file if the folder
    /// exists, so that its other files are kept.
    pub(super) fn finish(self) -> Result<(), ModelError> {
        if !self.target.is_dir() {
            fs::rename(self.temporary.path(), &self.target)
                .map_err(failed("rename a folder to", &self.target))?;
            // The temporary folder was renamed, so there is nothing to remove.
            let _ = self.temporary.keep();
            return Ok(());
        }
        for name in &self.files {
            let place = self.target.join(name);
            fs::rename(self.temporary.path().join(name), &place)
                .map_err(failed("rename a file to", &place))?;
        }
        Ok(())
    }
}

/// Temporary folders are private by default. This one becomes the model folder, so it gets the
/// usual permissions.
#[cfg(unix)]
fn builder() -> tempfile::Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(".writing-")
        .permissions(fs::Permissions::from_mode(0o755));
    builder
}

#[cfg(not(unix))]
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    builder
}
