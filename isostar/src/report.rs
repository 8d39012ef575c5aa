//! `isostar report`.

use std::path::{Path, PathBuf};

use clap::Args;
use isostar_report::Report;

use crate::failure::Failure;
use crate::measure::print;
use crate::stderr::stderr_line;

/// Write one self-contained page about runs and analyses
#[derive(Args)]
pub struct ReportArgs {
    /// Folders of runs or analyses, or folders that hold several of them
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Page to write (default: report.html in the folder, or in the current folder if there are several)
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Also write each figure to an SVG file in this folder
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
}

/// Reads the folders and writes the page.
pub fn run(arguments: ReportArgs) -> Result<(), Failure> {
    let ReportArgs {
        folders,
        out,
        figures,
    } = arguments;
    let out = out.unwrap_or_else(|| match folders.as_slice() {
        [folder] => folder.join("report.html"),
        _ => Path::new("report.html").into(),
    });
    let report = Report::read(&folders)?;
    report.write_html(&out)?;
    if let Some(folder) = figures {
        let written = report.write_figures(&folder)?;
        stderr_line(format_args!(
            "{} figures in {}",
            written.len(),
            folder.display()
        ));
    }
    print(&format!("{}\n", out.display()))
}
