#![doc = include_str!("../README.md")]
//!
//! # How a report is made
//!
//! The page shows what was run, the results, their uncertainty, the figures and all settings.
//!
//! ```text
//! folders ──▶ Sources (runs, analyses) ──▶ groups of seeds, models ──▶ Figures ──▶ page (HTML) or files (SVG)
//! ```
//!
//! ```no_run
//! use isostar_report::Report;
//!
//! let report = Report::read(&["runs".into()])?;
//! report.write_html("report.html".as_ref())?;
//! report.write_figures("figures".as_ref())?;
//! # Ok::<(), isostar_report::ReportError>(())
//! ```
//!
//! | a folder holds | it is |
//! |---|---|
//! | `config.toml`, `metrics.jsonl`, and `result.json` once the run has finished | a run |
//! | `analysis.json` | an analysis; the folder of a run may also hold one |
//! | folders of these | a sweep |
//!
//! The page contains no scripts and makes no requests; a content security policy in its head
//! forbids both. Text from files is escaped when it is written. The same files always give the same
//! bytes.

mod error;
pub mod figure;
mod figures;
mod group;
mod page;
mod source;
mod whole_file;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use error::ReportError;
pub use figures::{Figures, Missing};
pub use group::{Spread, binomial_error};
pub use source::{
    Analysis, ControlLine, EpochLine, Geometry, GeometryLine, HeldScore, Layer, Outcome,
    OutlierDimension, Run, Share, Sources,
};

use whole_file::write_whole;

/// A report on runs and analyses.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    sources: Sources,
}

impl Report {
    /// Reads folders of runs and analyses, and folders that contain such folders.
    ///
    /// # Errors
    /// Returns an error if a folder does not exist or holds no run and no analysis, or if a file in
    /// it is missing, unreadable or malformed.
    pub fn read(folders: &[PathBuf]) -> Result<Self, ReportError> {
        Ok(Self {
            sources: Sources::read(folders)?,
        })
    }

    /// The runs and analyses that were read.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Returns the figures that have data, and a list of those that do not.
    pub fn figures(&self) -> Figures {
        Figures::of(
            &group::groups(&self.sources.runs),
            &figures::models(&self.sources),
        )
    }

    /// Returns the page as HTML.
    pub fn html(&self) -> String {
        figure::printable(&page::page(&self.sources).into_string())
    }

    /// Writes the page atomically: a partly written file never appears under `path`.
    ///
    /// # Errors
    /// Returns an error if a file or folder cannot be written.
    pub fn write_html(&self, path: &Path) -> Result<(), ReportError> {
        write_whole(path, self.html().as_bytes()).map_err(unwritable(path))
    }

    /// Writes one SVG file per figure to a folder, which is created if necessary. Returns the
    /// paths.
    ///
    /// # Errors
    /// Returns an error if a file or folder cannot be written.
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
