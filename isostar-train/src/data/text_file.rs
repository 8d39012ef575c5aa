//! The text of a file, whatever an editor put around it.

use std::fs;
use std::path::Path;

use super::DataError;

/// Reads a file of UTF-8 text. A byte-order mark is left in place, so that positions are those of the file.
///
/// # Errors
/// [`DataError::NotFound`], [`DataError::Unreadable`], and [`DataError::NotUtf8`] with the line.
pub(super) fn read_text(path: &Path) -> Result<String, DataError> {
    let bytes = fs::read(path).map_err(|error| DataError::io(path, error))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        DataError::NotUtf8 { path: path.into(), line: 1 + line_breaks(&error.as_bytes()[..valid]) }
    })
}

/// The text without a byte-order mark.
///
/// # Errors
/// [`DataError::EmptyFile`] if nothing but white space is left.
pub(super) fn content<'a>(text: &'a str, path: &Path) -> Result<&'a str, DataError> {
    let content = text.strip_prefix('\u{feff}').unwrap_or(text);
    if content.trim().is_empty() { Err(DataError::EmptyFile { path: path.into() }) } else { Ok(content) }
}

/// The number of line breaks, LF or CR LF, in `bytes`.
pub(super) fn line_breaks(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}
