//! The formats of files.

/// File format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Header, then one row per line, with tab-separated columns. There is no quoting: quotation
    /// marks are part of the text, as in GLUE's files.
    Tsv,
    /// Header, then rows of comma-separated columns, with RFC 4180 quoting: a quoted text may
    /// contain commas and line breaks.
    Csv,
    /// One JSON object per line; numbers and booleans are read as text.
    JsonLines,
    /// Columns of strings; labels may also be numbers or booleans, which are read as text.
    Parquet,
}

impl Format {
    /// File extensions and their formats, in order of preference.
    pub(super) const EXTENSIONS: [(&str, Self); 5] = [
        ("tsv", Self::Tsv),
        ("csv", Self::Csv),
        ("jsonl", Self::JsonLines),
        ("ndjson", Self::JsonLines),
        (Self::PARQUET, Self::Parquet),
    ];

    /// Extension of Parquet files.
    pub(crate) const PARQUET: &str = "parquet";

    /// Extensions of JSON lines, in order of preference.
    pub(crate) const JSON_LINES: [&str; 2] = ["jsonl", "ndjson"];
}
