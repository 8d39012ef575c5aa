//! A row of labelled text.

/// Labelled text or pair of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRow {
    /// Text, exactly as in the file.
    pub text: String,
    /// Second text of a pair.
    pub pair: Option<String>,
    /// Label in [canonical form](super::canonical_label), without surrounding white space: `1` for
    /// `1.0`.
    pub label: String,
    /// Line of the file on which the row begins, or the row's number in a Parquet file; counted
    /// from 1.
    pub line: usize,
}
