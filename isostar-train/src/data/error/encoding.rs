//! Faults in the encoding of a text file.

use std::fmt;
use std::path::Path;

use super::words::renamed;

/// Reason why the bytes of a file cannot be decoded as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodingFault {
    /// The first non-ASCII bytes are not UTF-8: most likely a single-byte encoding.
    OneByte,
    /// Invalid bytes after valid multi-byte UTF-8.
    BrokenUtf8,
    /// The file ends in the middle of a character.
    CutShort,
    /// UTF-16 without a byte-order mark.
    UnmarkedUtf16 {
        /// Whether the byte order is little-endian.
        little_endian: bool,
    },
    /// Unpaired surrogate in UTF-16.
    LoneSurrogate,
    /// UTF-32.
    Utf32,
}

impl fmt::Display for EncodingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneByte => "not UTF-8 text",
            Self::BrokenUtf8 => "invalid UTF-8 in a file that is valid UTF-8 up to here",
            Self::CutShort => "the file ends in the middle of a character",
            Self::UnmarkedUtf16 { .. } => "UTF-16 text without a byte-order mark",
            Self::LoneSurrogate => "invalid UTF-16 (the encoding of the byte-order mark): unpaired surrogate",
            Self::Utf32 => "UTF-32 text, but only UTF-8 and UTF-16 are supported",
        })
    }
}

impl EncodingFault {
    /// Remedy for the file `path`, in one line.
    pub(super) fn remedy(self, path: &Path) -> String {
        let convert = |options: &str| {
            let extension = path.extension().unwrap_or_default().to_string_lossy();
            let target = renamed(path, &format!("utf8.{extension}"));
            format!("`iconv {options} -t utf-8 '{}' > '{target}'`", path.display())
        };
        match self {
            Self::OneByte => {
                format!("save the file as UTF-8; if it is Western European text, {} converts it", convert("-f windows-1252"))
            }
            Self::BrokenUtf8 => format!("correct the line, or drop the invalid bytes with {}", convert("-c -f utf-8")),
            Self::CutShort => "download or write the file again: it is truncated, or text in another encoding was appended to it".into(),
            Self::UnmarkedUtf16 { little_endian } => {
                format!("convert the file to UTF-8 with {}", convert(if little_endian { "-f utf-16le" } else { "-f utf-16be" }))
            }
            Self::LoneSurrogate => format!("correct the line, or drop the invalid characters with {}", convert("-c -f utf-16")),
            Self::Utf32 => format!("convert the file to UTF-8 with {}", convert("-f utf-32")),
        }
    }
}
