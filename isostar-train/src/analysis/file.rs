//! analysis.json, which is there as a whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Analysis, AnalysisError};
use crate::whole_file::beside;

/// The file's name in its folder.
const NAME: &str = "analysis.json";

/// A place for an analysis: made before the work, so that a folder that cannot be written to is known of in time.
#[derive(Debug)]
pub struct AnalysisFile {
    path: PathBuf,
    temporary: Option<NamedTempFile>,
    /// A folder made for the file, to be removed without it.
    made: Option<PathBuf>,
}

impl AnalysisFile {
    /// Makes the folder if need be, and a file in it that vanishes unless it is written.
    ///
    /// # Errors
    /// [`AnalysisError::Output`] if the system refuses.
    pub fn create(folder: &Path) -> Result<Self, AnalysisError> {
        let path = folder.join(NAME);
        let made = (!folder.exists()).then(|| folder.to_path_buf());
        let temporary = fs::create_dir_all(folder).and_then(|()| beside(&path));
        let temporary = temporary.map_err(|source| AnalysisError::Output { path: path.clone(), source })?;
        Ok(Self { path, temporary: Some(temporary), made })
    }

    /// Writes the analysis, in place of an earlier one, and gives back where.
    ///
    /// # Errors
    /// [`AnalysisError::Output`] if the system refuses.
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
            Err(source) => Err(AnalysisError::Output { path: self.path.clone(), source }),
        }
    }
}

impl Drop for AnalysisFile {
    /// Leaves nothing behind where nothing was written.
    fn drop(&mut self) {
        self.temporary = None;
        if let Some(folder) = &self.made {
            // Whoever put something there meanwhile keeps it: only an empty folder is removed.
            let _ = fs::remove_dir(folder);
        }
    }
}
