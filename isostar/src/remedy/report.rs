//! Remedies for reports.

use isostar_report::ReportError;

use super::{Remedy, UNKNOWN};

impl Remedy for ReportError {
    fn remedy(&self) -> String {
        let remedy = match self {
            Self::NotFound { .. } => "name the folder of a run, of several runs, or of an analysis",
            Self::NothingHere { .. } => {
                "make a run with `isostar train --out DIR`, or an analysis with `isostar analyze MODEL --out DIR`"
            }
            Self::Missing { .. } => "restore the file, or make the run again",
            Self::Unreadable { .. } => "check that the path may be read",
            Self::Malformed { .. } | Self::Width { .. } => {
                "make the file again with `isostar train` or `isostar analyze`, or leave its folder out"
            }
            Self::Unwritable { .. } => {
                "name a file with --out whose folder exists, may be written to, and has room"
            }
            _ => UNKNOWN,
        };
        remedy.into()
    }
}
