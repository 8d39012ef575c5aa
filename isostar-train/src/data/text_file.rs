//! The text of a file, whatever an editor put around it.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::DataError;

/// The extension of files that gzip has compressed, after that of what they hold: `rows.csv.gz`.
pub(super) const GZIP: &str = "gz";

/// What every gzip file begins with, and no text: the second byte begins no character of UTF-8.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Reads a file of UTF-8 text, compressed by gzip or not. A byte-order mark is left in place, so that positions are those of the text.
///
/// # Errors
/// [`DataError::NotFound`], [`DataError::Unreadable`], [`DataError::NotGzip`], and [`DataError::NotUtf8`] with the line.
pub(super) fn read_text(path: &Path) -> Result<String, DataError> {
    let bytes = read_decompressed(path)?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        DataError::NotUtf8 { path: path.into(), line: 1 + line_breaks(&error.as_bytes()[..valid]) }
    })
}

/// The bytes of a file. What gzip has compressed, by its name or by its first bytes, is decompressed: all members of the file, whole.
fn read_decompressed(path: &Path) -> Result<Vec<u8>, DataError> {
    let bytes = fs::read(path).map_err(|error| DataError::io(path, error))?;
    if !is_gzip(path) && !bytes.starts_with(GZIP_MAGIC) {
        return Ok(bytes);
    }
    let mut decompressed = Vec::new();
    match MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut decompressed) {
        Ok(_) => Ok(decompressed),
        Err(error) => Err(DataError::NotGzip { path: path.into(), reason: error.to_string() }),
    }
}

/// The name of a file without its folder and without `.gz`: `rows.csv` of `data/rows.csv.gz`. Its extension is that of what the file holds.
pub(crate) fn plain_name(path: &Path) -> &Path {
    let name = if is_gzip(path) { path.file_stem() } else { path.file_name() };
    Path::new(name.unwrap_or(path.as_os_str()))
}

/// Whether the name says that the file is compressed by gzip.
pub(super) fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(GZIP))
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
