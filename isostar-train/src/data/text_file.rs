//! Reading text files: encodings, byte-order marks and gzip compression.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use isostar_measure::FileError;

use super::{DataError, EncodingFault};

/// Extension of gzip-compressed files, which follows the extension of the content: `rows.csv.gz`.
pub(super) const GZIP: &str = "gz";

/// First bytes of every gzip file. No text in UTF-8, or in UTF-16 with a byte-order mark, begins
/// with them.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Reads a text file, plain or gzip-compressed, in UTF-8 or in UTF-16 with a byte-order mark.
///
/// The byte-order mark is kept as U+FEFF, so that positions in the returned text match the file.
///
/// # Errors
/// [`DataError::File`], [`DataError::NotGzip`], and [`DataError::Encoding`] with the line.
pub(crate) fn read_text(path: &Path) -> Result<String, DataError> {
    decode(read_decompressed(path)?, path)
}

/// Decodes the bytes of a file as text; errors name `path`.
///
/// # Errors
/// [`DataError::Encoding`] with the line.
pub(super) fn decode(bytes: Vec<u8>, path: &Path) -> Result<String, DataError> {
    let refused = |line, fault| DataError::Encoding {
        path: path.into(),
        line,
        fault,
    };
    match &bytes[..] {
        // UTF-32 byte-order marks contain those of UTF-16, and no text begins with U+0000.
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err(refused(1, EncodingFault::Utf32)),
        [0xff, 0xfe, ..] => {
            decode_utf16(&bytes, u16::from_le_bytes).map_err(|(line, fault)| refused(line, fault))
        }
        [0xfe, 0xff, ..] => {
            decode_utf16(&bytes, u16::from_be_bytes).map_err(|(line, fault)| refused(line, fault))
        }
        [1..=0xff, 0, ..] => Err(refused(
            1,
            EncodingFault::UnmarkedUtf16 {
                little_endian: true,
            },
        )),
        [0, 1..=0xff, ..] => Err(refused(
            1,
            EncodingFault::UnmarkedUtf16 {
                little_endian: false,
            },
        )),
        _ => String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let is_whole = error.utf8_error().error_len().is_some();
            // Text in a single-byte encoding has valid multi-byte UTF-8 characters only by
            // coincidence.
            let fault = match valid
                .strip_prefix("\u{feff}".as_bytes())
                .unwrap_or(valid)
                .is_ascii()
            {
                true => EncodingFault::OneByte,
                false if is_whole => EncodingFault::BrokenUtf8,
                false => EncodingFault::CutShort,
            };
            refused(1 + line_breaks(valid), fault)
        }),
    }
}

/// Decodes UTF-16; on failure, returns the line and the fault.
fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, (usize, EncodingFault)> {
    let (units, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len() / 2);
    for character in char::decode_utf16(units.iter().map(|bytes| unit(*bytes))) {
        match character {
            Ok(character) => text.push(character),
            Err(_) => {
                return Err((
                    1 + line_breaks(text.as_bytes()),
                    EncodingFault::LoneSurrogate,
                ));
            }
        }
    }
    if rest.is_empty() {
        Ok(text)
    } else {
        Err((1 + line_breaks(text.as_bytes()), EncodingFault::CutShort))
    }
}

/// Reads a file and decompresses it if its name or its first bytes indicate gzip; all gzip members
/// are read.
fn read_decompressed(path: &Path) -> Result<Vec<u8>, DataError> {
    let bytes = fs::read(path).map_err(|error| FileError::reading(path, error))?;
    FileError::refuse_pointer(path, &bytes)?;
    if !is_gzip(path) && !bytes.starts_with(GZIP_MAGIC) {
        return Ok(bytes);
    }
    let mut decompressed = Vec::new();
    match MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut decompressed) {
        Ok(_) => Ok(decompressed),
        Err(error) => Err(DataError::NotGzip {
            path: path.into(),
            reason: error.to_string(),
        }),
    }
}

/// File name without its folder and without `.gz`: `rows.csv` for `data/rows.csv.gz`.
///
/// Its extension is that of the content.
pub(crate) fn plain_name(path: &Path) -> &Path {
    let name = if is_gzip(path) {
        path.file_stem()
    } else {
        path.file_name()
    };
    Path::new(name.unwrap_or(path.as_os_str()))
}

/// Whether the file has the extension `.gz`.
pub(super) fn is_gzip(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case(GZIP))
}

/// Text without its byte-order mark.
///
/// # Errors
/// [`DataError::EmptyFile`] if only white space remains.
pub(super) fn content<'a>(text: &'a str, path: &Path) -> Result<&'a str, DataError> {
    let content = without_mark(text);
    if content.trim().is_empty() {
        Err(DataError::EmptyFile { path: path.into() })
    } else {
        Ok(content)
    }
}

/// Text without its byte-order mark; may be empty.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Number of line breaks, LF or CR LF, in `bytes`.
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
    fn a_byte_order_mark_selects_the_encoding() {
        let marked = format!("\u{feff}{TEXT}");
        for bytes in [
            utf16(&marked, u16::to_le_bytes),
            utf16(&marked, u16::to_be_bytes),
            marked.clone().into_bytes(),
        ] {
            assert_eq!(decoded(bytes).unwrap(), marked);
        }
        assert_eq!(decoded(TEXT).unwrap(), TEXT);
        assert_eq!(decoded([]).unwrap(), "");
        assert_eq!(decoded([0xff, 0xfe]).unwrap(), "\u{feff}");
    }

    #[test]
    fn encoding_faults_are_reported_with_their_line() {
        let little = utf16(&format!("\u{feff}{TEXT}"), u16::to_le_bytes);
        let lone = |unit: u16| {
            [
                &little[..],
                &unit.to_le_bytes(),
                &utf16("x,0\n", u16::to_le_bytes),
            ]
            .concat()
        };
        let utf32 = |unit: fn(u32) -> [u8; 4]| {
            "\u{feff}text"
                .chars()
                .flat_map(|character| unit(character as u32))
                .collect::<Vec<u8>>()
        };
        for (bytes, line, fault) in [
            (lone(0xd83d), 3, EncodingFault::LoneSurrogate),
            (lone(0xde00), 3, EncodingFault::LoneSurrogate),
            (
                little[..little.len() - 1].to_vec(),
                2,
                EncodingFault::CutShort,
            ),
            (
                utf16(TEXT, u16::to_le_bytes),
                1,
                EncodingFault::UnmarkedUtf16 {
                    little_endian: true,
                },
            ),
            (
                utf16(TEXT, u16::to_be_bytes),
                1,
                EncodingFault::UnmarkedUtf16 {
                    little_endian: false,
                },
            ),
            (utf32(u32::to_le_bytes), 1, EncodingFault::Utf32),
            (utf32(u32::to_be_bytes), 1, EncodingFault::Utf32),
            (
                b"text,label\ncaf\xe9,1\n".to_vec(),
                2,
                EncodingFault::OneByte,
            ),
            (b"text,label\n\xe9t\xe9".to_vec(), 2, EncodingFault::OneByte),
            (
                ["für,1\n".as_bytes(), b"f\xfcr,1\n"].concat(),
                2,
                EncodingFault::BrokenUtf8,
            ),
            (
                "für\nfü".as_bytes()[..7].to_vec(),
                2,
                EncodingFault::CutShort,
            ),
        ] {
            assert_eq!(decoded(bytes).unwrap_err(), (line, fault));
        }
    }
}
