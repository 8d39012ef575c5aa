//! The text of a file, whatever an editor put around it.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use isostar_models::is_git_lfs_pointer;

use super::{DataError, EncodingFault};

/// The extension of files that gzip has compressed, after that of what they hold: `rows.csv.gz`.
pub(super) const GZIP: &str = "gz";

/// What every gzip file begins with, and no text in UTF-8, nor in UTF-16 with a byte-order mark.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Reads a file of text, compressed by gzip or not: UTF-8, or UTF-16 with a byte-order mark. The mark is left in place as U+FEFF, so that
/// positions are those of the text.
///
/// # Errors
/// [`DataError::NotFound`], [`DataError::Unreadable`], [`DataError::GitLfsPointer`], [`DataError::NotGzip`], and [`DataError::Encoding`] with
/// the line.
pub(crate) fn read_text(path: &Path) -> Result<String, DataError> {
    decode(read_decompressed(path)?, path)
}

/// The text that the bytes of a file stand for; `path` is named in errors.
///
/// # Errors
/// [`DataError::Encoding`] with the line.
pub(super) fn decode(bytes: Vec<u8>, path: &Path) -> Result<String, DataError> {
    let refused = |line, fault| DataError::Encoding { path: path.into(), line, fault };
    match &bytes[..] {
        // UTF-32's marks begin or end as those of UTF-16, and no text begins with U+0000.
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err(refused(1, EncodingFault::Utf32)),
        [0xff, 0xfe, ..] => decode_utf16(&bytes, u16::from_le_bytes).map_err(|(line, fault)| refused(line, fault)),
        [0xfe, 0xff, ..] => decode_utf16(&bytes, u16::from_be_bytes).map_err(|(line, fault)| refused(line, fault)),
        [1..=0xff, 0, ..] => Err(refused(1, EncodingFault::UnmarkedUtf16 { little_endian: true })),
        [0, 1..=0xff, ..] => Err(refused(1, EncodingFault::UnmarkedUtf16 { little_endian: false })),
        _ => String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let is_whole = error.utf8_error().error_len().is_some();
            // Encodings of one byte a character have no longer characters, but by chance.
            let fault = match valid.strip_prefix("\u{feff}".as_bytes()).unwrap_or(valid).is_ascii() {
                true => EncodingFault::OneByte,
                false if is_whole => EncodingFault::BrokenUtf8,
                false => EncodingFault::CutShort,
            };
            refused(1 + line_breaks(valid), fault)
        }),
    }
}

/// The text, or the line of the fault and what it is.
fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, (usize, EncodingFault)> {
    let (units, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len() / 2);
    for character in char::decode_utf16(units.iter().map(|bytes| unit(*bytes))) {
        match character {
            Ok(character) => text.push(character),
            Err(_) => return Err((1 + line_breaks(text.as_bytes()), EncodingFault::LoneSurrogate)),
        }
    }
    if rest.is_empty() { Ok(text) } else { Err((1 + line_breaks(text.as_bytes()), EncodingFault::CutShort)) }
}

/// The bytes of a file. What gzip has compressed, by its name or by its first bytes, is decompressed: all members of the file, whole.
fn read_decompressed(path: &Path) -> Result<Vec<u8>, DataError> {
    let bytes = fs::read(path).map_err(|error| DataError::io(path, error))?;
    if is_git_lfs_pointer(&bytes) {
        return Err(DataError::GitLfsPointer { path: path.into() });
    }
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
    let content = without_mark(text);
    if content.trim().is_empty() { Err(DataError::EmptyFile { path: path.into() }) } else { Ok(content) }
}

/// The text without a byte-order mark, be it nothing.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The number of line breaks, LF or CR LF, in `bytes`.
pub(super) fn line_breaks(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "text,label\r\nfür 東京 😀,1\r\n";

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    fn decoded(bytes: impl Into<Vec<u8>>) -> Result<String, (usize, EncodingFault)> {
        decode(bytes.into(), Path::new("rows.csv")).map_err(|error| match error {
            DataError::Encoding { line, fault, .. } => (line, fault),
            error => panic!("{error}"),
        })
    }

    #[test]
    fn a_byte_order_mark_tells_the_encoding() {
        let marked = format!("\u{feff}{TEXT}");
        for bytes in [utf16(&marked, u16::to_le_bytes), utf16(&marked, u16::to_be_bytes), marked.clone().into_bytes()] {
            assert_eq!(decoded(bytes).unwrap(), marked);
        }
        assert_eq!(decoded(TEXT).unwrap(), TEXT);
        assert_eq!(decoded([]).unwrap(), "");
        assert_eq!(decoded([0xff, 0xfe]).unwrap(), "\u{feff}");
    }

    #[test]
    fn what_is_wrong_with_an_encoding_is_told_by_line() {
        let little = utf16(&format!("\u{feff}{TEXT}"), u16::to_le_bytes);
        let lone = |unit: u16| [&little[..], &unit.to_le_bytes(), &utf16("x,0\n", u16::to_le_bytes)].concat();
        let utf32 = |unit: fn(u32) -> [u8; 4]| "\u{feff}text".chars().flat_map(|character| unit(character as u32)).collect::<Vec<u8>>();
        for (bytes, line, fault) in [
            (lone(0xd83d), 3, EncodingFault::LoneSurrogate),
            (lone(0xde00), 3, EncodingFault::LoneSurrogate),
            (little[..little.len() - 1].to_vec(), 2, EncodingFault::CutShort),
            (utf16(TEXT, u16::to_le_bytes), 1, EncodingFault::UnmarkedUtf16 { little_endian: true }),
            (utf16(TEXT, u16::to_be_bytes), 1, EncodingFault::UnmarkedUtf16 { little_endian: false }),
            (utf32(u32::to_le_bytes), 1, EncodingFault::Utf32),
            (utf32(u32::to_be_bytes), 1, EncodingFault::Utf32),
            (b"text,label\ncaf\xe9,1\n".to_vec(), 2, EncodingFault::OneByte),
            (b"text,label\n\xe9t\xe9".to_vec(), 2, EncodingFault::OneByte),
            (["für,1\n".as_bytes(), b"f\xfcr,1\n"].concat(), 2, EncodingFault::BrokenUtf8),
            ("für\nfü".as_bytes()[..7].to_vec(), 2, EncodingFault::CutShort),
        ] {
            assert_eq!(decoded(bytes).unwrap_err(), (line, fault));
        }
    }
}
