//! The inputs of a report: files of runs and analyses, read and checked.

mod analysis;
mod read;
mod run;
mod steps;

use std::fs;
use std::path::{Path, PathBuf};

use crate::ReportError;
pub use analysis::{Analysis, Geometry, Layer, OutlierDimension, Share};
pub use run::{EpochLine, Outcome, Run};
pub use steps::{ControlLine, GeometryLine, HeldScore};

/// The runs and analyses of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources {
    /// The runs, in the order of the folders given; within a folder, by name.
    pub runs: Vec<Run>,
    /// The analyses, with the names of their folders.
    pub analyses: Vec<(String, Analysis)>,
}

impl Sources {
    /// Reads folders of runs and analyses, and folders that contain such folders.
    ///
    /// # Errors
    /// Returns an error if a folder does not exist or holds no run and no analysis, or if a file in
    /// it is missing, unreadable or malformed.
    pub fn read(folders: &[PathBuf]) -> Result<Self, ReportError> {
        let mut sources = Self::default();
        for folder in folders {
            for found in expand(folder)? {
                // The same folder may be given twice, or may lie inside another one that is given.
                let name = name_of(&found);
                if Run::is_in(&found) && !sources.runs.iter().any(|run| run.folder == found) {
                    sources.runs.push(Run::read(&found, name.clone())?);
                }
                let file = found.join(ANALYSIS);
                if file.is_file()
                    && !sources
                        .analyses
                        .iter()
                        .any(|(_, analysis)| analysis.file == file)
                {
                    sources.analyses.push((name, Analysis::read(&file)?));
                }
            }
        }
        Ok(sources)
    }
}

/// The file name of an analysis.
const ANALYSIS: &str = "analysis.json";

/// Returns the folder itself if it holds a run or an analysis, otherwise the folders in it that do.
fn expand(folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let holds_something = |path: &Path| Run::is_in(path) || path.join(ANALYSIS).is_file();
    if !folder.is_dir() {
        return Err(ReportError::NotFound {
            path: folder.into(),
        });
    }
    if holds_something(folder) {
        return Ok(vec![folder.into()]);
    }
    let unreadable = |source| ReportError::Unreadable {
        path: folder.into(),
        source,
    };
    let mut inside = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() && holds_something(&path) {
            inside.push(path);
        }
    }
    inside.sort_by_key(|path| natural(&name_of(path)));
    if inside.is_empty() {
        Err(ReportError::NothingHere {
            path: folder.into(),
        })
    } else {
        Ok(inside)
    }
}

/// Sort key of a name in natural order, in which run-10 follows run-9.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts = vec![(String::new(), 0u64)];
    let mut in_number = false;
    for letter in name.chars() {
        match letter.to_digit(10) {
            Some(digit) => {
                let (_, number) = parts.last_mut().expect("there is always a part");
                *number = number.saturating_mul(10).saturating_add(digit.into());
                in_number = true;
            }
            None => {
                if in_number {
                    parts.push((String::new(), 0));
                    in_number = false;
                }
                parts
                    .last_mut()
                    .expect("there is always a part")
                    .0
                    .push(letter);
            }
        }
    }
    parts
}

/// Returns the last component of a path; for `.`, the name of the current folder.
fn name_of(folder: &Path) -> String {
    let own = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    own(folder)
        .or_else(|| own(&folder.canonicalize().ok()?))
        .unwrap_or_else(|| folder.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_ordered_as_numbers() {
        let mut names = ["run-10", "run-9", "run-1-b", "run-1-a", "a"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["a", "run-1-a", "run-1-b", "run-9", "run-10"]);
    }
}
