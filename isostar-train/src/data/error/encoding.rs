//! What can be wrong with the encoding of a file of text.

use std::fmt;
use std::path::Path;

use super::remedy::renamed;

/// Why the bytes of a file are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodingFault {
    /// Bytes that are not UTF-8, behind nothing but ASCII: an encoding of one byte a character, most likely.
    OneByte,
    /// Bytes that are not UTF-8 in a file that is UTF-8 before them.
    BrokenUtf8,
    /// The file ends within a character.
    CutShort,
    /// UTF-16 without a byte-order mark.
    UnmarkedUtf16 {
        /// Whether the first byte of a unit is the lower one.
        little_endian: bool,
    },
    /// Half a surrogate pair in UTF-16.
    LoneSurrogate,
    /// UTF-32.
    Utf32,
}

impl fmt::Display for EncodingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneByte => "not UTF-8 text",
            Self::BrokenUtf8 => "invalid UTF-8, in a file that is UTF-8 up to here",
            Self::CutShort => "the file ends within a character",
            Self::UnmarkedUtf16 { .. } => "UTF-16 text without a byte-order mark",
            Self::LoneSurrogate => "invalid UTF-16, which the file's byte-order mark declares: a surrogate without its other half",
            Self::Utf32 => "UTF-32 text, where UTF-8 or UTF-16 is read",
        })
    }
}

impl EncodingFault {
    /// One line that tells what to do about the file `path`.
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
            Self::CutShort => "download or write the file again: it is cut short, or text in another encoding was appended to it".into(),
            Self::UnmarkedUtf16 { little_endian } => {
                format!("convert the file to UTF-8 with {}", convert(if little_endian { "-f utf-16le" } else { "-f utf-16be" }))
            }
            Self::LoneSurrogate => format!("correct the line, or drop what is invalid with {}", convert("-c -f utf-16")),
            Self::Utf32 => format!("convert the file to UTF-8 with {}", convert("-f utf-32")),
        }
    }
}
