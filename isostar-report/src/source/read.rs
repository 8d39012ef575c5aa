//! Reading of files with errors that name them.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::ReportError;

pub(super) fn read_text(path: &Path) -> Result<String, ReportError> {
    fs::read_to_string(path).map_err(|source| ReportError::Unreadable {
        path: path.into(),
        source,
    })
}

pub(super) fn parse_json<T: DeserializeOwned>(
    text: &str,
    path: &Path,
    first_line: usize,
) -> Result<T, ReportError> {
    serde_json::from_str(text).map_err(|error| {
        let whole = error.to_string();
        let message = whole
            .rsplit_once(" at line ")
            .map_or(whole.as_str(), |(message, _)| message)
            .to_string();
        ReportError::Malformed {
            path: path.into(),
            line: first_line + error.line().max(1) - 1,
            message,
        }
    })
}
