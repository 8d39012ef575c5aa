//! One self-contained page about runs and analyses: what was run, what came out, how sure that is, figures, settings.
//!
//! ```text
//! folders ──▶ Sources (runs, analyses) ──▶ groups of seeds, models ──▶ Figures ──▶ page (HTML) or files (SVG)
//! ```
//!
//! ```no_run
//! use isostar_train::report::Report;
//!
//! let report = Report::read(&["runs".into()])?;
//! report.write_html("report.html".as_ref())?;
//! report.write_figures("figures".as_ref())?;
//! # Ok::<(), isostar_train::report::ReportError>(())
//! ```
//!
//! | a folder holds | it is |
//! |---|---|
//! | config.toml, metrics.jsonl, and result.json once it is over | a run |
//! | analysis.json | an analysis; a run's folder may hold one too |
//! | folders of these | a sweep |
//!
//! The page has no script and asks nobody for anything: a content security policy in its head forbids both. Text from files is escaped
//! where it is written. The same files give the same bytes.

mod error;
pub mod figure;
mod figures;
mod group;
mod page;
mod source;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use error::ReportError;
pub use figures::{Figures, Missing};
pub use group::{Spread, binomial_error};
pub use source::{Analysis, EpochLine, Geometry, Layer, Outcome, OutlierDimension, Run, Share, Sources};

use crate::whole_file::write_whole;

/// A report on runs and analyses.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    sources: Sources,
}

impl Report {
    /// Reads the folders of runs and analyses, and folders of such folders.
    ///
    /// # Errors
    /// If a folder does not exist or holds nothing, or a file in it is missing, cannot be read, or is malformed.
    pub fn read(folders: &[PathBuf]) -> Result<Self, ReportError> {
        Ok(Self { sources: Sources::read(folders)? })
    }

    /// What was read.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The figures that there is data for, and what is missing for the others.
    pub fn figures(&self) -> Figures {
        Figures::of(&group::groups(&self.sources.runs), &figures::models(&self.sources))
    }

    /// The page.
    pub fn html(&self) -> String {
        printable(&page::page(&self.sources).into_string())
    }

    /// Writes the page; what appears under the name is whole.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write_html(&self, path: &Path) -> Result<(), ReportError> {
        write_whole(path, self.html().as_bytes()).map_err(unwritable(path))
    }

    /// Writes each figure to a file of its own in a folder, which is made if need be. Returns the files.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write_figures(&self, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
        fs::create_dir_all(folder).map_err(unwritable(folder))?;
        let mut written = Vec::new();
        for figure in self.figures().shown {
            if let Some(svg) = figure.file() {
                let path = folder.join(format!("{}.svg", figure.id));
                write_whole(&path, svg.as_bytes()).map_err(unwritable(&path))?;
                written.push(path);
            }
        }
        Ok(written)
    }
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> ReportError {
    let path = path.into();
    move |source| ReportError::Unwritable { path, source }
}

/// Text in which XML allows every character: a name may hold control characters, and escaping does not make them legal.
fn printable(text: &str) -> String {
    text.replace(|letter: char| (letter.is_control() && letter != '\n') || matches!(letter, '\u{FFFE}' | '\u{FFFF}'), "\u{FFFD}")
}
