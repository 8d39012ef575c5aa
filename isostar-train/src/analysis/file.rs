//! Writes `analysis.json` atomically.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Analysis, AnalysisError};
use crate::whole_file::beside;

/// The name of the file.
const NAME: &str = "analysis.json";

/// The output file of an analysis.
///
/// It is created before the analysis starts, so that a folder that is not writable is reported
/// early.
#[derive(Debug)]
pub struct AnalysisFile {
    path: PathBuf,
    temporary: Option<NamedTempFile>,
    /// The folder created for the file, removed if the file is not written.
    made: Option<PathBuf>,
}

impl AnalysisFile {
    /// Creates the folder if necessary, and a temporary file in it that is removed unless `write`
    /// succeeds.
    ///
    /// # Errors
    /// Returns [`AnalysisError::Output`] if a file or folder cannot be written.
    pub fn create(folder: &Path) -> Result<Self, AnalysisError> {
        let path = folder.join(NAME);
        let made = (!folder.exists()).then(|| folder.to_path_buf());
        let temporary = fs::create_dir_all(folder).and_then(|()| beside(&path));
        let temporary = temporary.map_err(|source| AnalysisError::Output {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            path,
            temporary: Some(temporary),
            made,
        })
    }

    /// Writes the analysis, replacing an earlier one, and returns the path.
    ///
    /// # Errors
    /// Returns [`AnalysisError::Output`] if a file or folder cannot be written.
    pub fn write(mut self, analysis: &Analysis) -> Result<PathBuf, AnalysisError> {
        let write = |mut temporary: NamedTempFile| -> io::Result<()> {
            serde_json::to_writer(&mut temporary, analysis)?;
            temporary.write_all(b"\n")?;
            temporary.persist(&self.path)?;
            Ok(())
        };
        match self.temporary.take().map_or(Ok(()), write) {
            Ok(()) => {
                self.made = None;
                Ok(self.path.clone())
            }
            Err(source) => Err(AnalysisError::Output {
                path: self.path.clone(),
                source,
            }),
        }
    }
}

impl Drop for AnalysisFile {
    /// Removes the temporary file and the created folder if nothing was written.
    fn drop(&mut self) {
        self.temporary = None;
        if let Some(folder) = &self.made {
            // `remove_dir` removes only an empty folder, so files added in the meantime are kept.
            let _ = fs::remove_dir(folder);
        }
    }
}
