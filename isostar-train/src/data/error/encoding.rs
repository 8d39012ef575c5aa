//! Faults in the encoding of a text file.

use std::fmt;

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
            Self::LoneSurrogate => {
                "invalid UTF-16 (the encoding of the byte-order mark): unpaired surrogate"
            }
            Self::Utf32 => "UTF-32 text, but only UTF-8 and UTF-16 are supported",
        })
    }
}
