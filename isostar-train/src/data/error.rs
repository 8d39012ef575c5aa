//! Errors of reading, encoding and batching data.

mod encoding;
mod words;

use std::path::PathBuf;

use isostar_measure::FileError;
use thiserror::Error;

use super::Format;

pub use encoding::EncodingFault;
use words::{at, list, separator};

/// Error in reading or encoding labelled text.
///
/// Line numbers are 1-based and count the header.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file name has no known extension.
    #[error("{}: unknown file format", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The folder has no file for the split.
    #[error("{}: there is no {split} split", folder.display())]
    MissingSplit {
        /// The folder.
        folder: PathBuf,
        /// Name of the split, such as `train`, `dev` or `dev_matched`.
        split: &'static str,
        /// Accepted file names, without the optional `.gz`.
        names: Vec<String>,
    },
    /// One shard of a split is missing.
    #[error("{}: {shard} is missing", folder.display())]
    MissingShard {
        /// The folder.
        folder: PathBuf,
        /// File name of the shard.
        shard: String,
    },
    /// The file is not a Parquet file, or is incomplete.
    #[error("{}: not a complete Parquet file: {reason}", path.display())]
    NotParquet {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        reason: String,
    },
    /// A page of a Parquet file is corrupt.
    #[error("{}: column {column:?} cannot be decoded from here on: {reason}", at(path, *line))]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// The first row that cannot be decoded, from 1.
        line: usize,
        /// The column.
        column: String,
        /// The decoder's error.
        reason: String,
    },
    /// A column of a Parquet file has the wrong type.
    #[error("{}: column {column:?} holds {found}, expected {expected}", path.display())]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The expected type.
        expected: &'static str,
        /// The type in the file.
        found: String,
    },
    /// A gzip file cannot be decompressed completely.
    #[error("{}: not a complete gzip file: {reason}", path.display())]
    NotGzip {
        /// The file.
        path: PathBuf,
        /// The decompressor's error.
        reason: String,
    },
    /// The file is neither UTF-8 nor UTF-16 with a byte-order mark.
    #[error("{}: {fault}", at(path, *line))]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The first line that cannot be decoded.
        line: usize,
        /// The fault.
        fault: EncodingFault,
    },
    /// The file is empty or contains only white space.
    #[error("{}: the file is empty", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// The file has no rows, such as a header only.
    #[error("{}: the file has no rows", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// A named column does not exist.
    #[error("{}: there is no column {name:?}; the columns are {}", path.display(), list(columns))]
    NoSuchColumn {
        /// The file.
        path: PathBuf,
        /// The requested name.
        name: String,
        /// The columns of the file.
        columns: Vec<String>,
    },
    /// Columns are named of a file that has fixed ones or none: the embedded rows, questions, trees.
    #[error("{}: its columns cannot be named", path.display())]
    FixedColumns {
        /// The file.
        path: PathBuf,
    },
    /// A header is given for a file that names its columns itself: JSON lines or Parquet.
    #[error("{}: a header is given, but the file names its columns itself", path.display())]
    HasHeader {
        /// The file.
        path: PathBuf,
    },
    /// No column was named, and none has a customary name.
    #[error("{}: cannot tell which column holds the {role}; the columns are {}", path.display(), list(columns))]
    UnclearColumn {
        /// The file.
        path: PathBuf,
        /// The role of the column, `text` or `label`.
        role: &'static str,
        /// The columns of the file.
        columns: Vec<String>,
    },
    /// The column separator does not match the file extension.
    #[error(
        "{}: the columns are separated by {}, not by {} as in other .{} files",
        path.display(),
        separator(*found),
        separator(if *format == Format::Tsv { '\t' } else { ',' }),
        if *format == Format::Tsv { "tsv" } else { "csv" }
    )]
    Separator {
        /// The file.
        path: PathBuf,
        /// The separator in the file.
        found: char,
        /// The format that the extension indicates.
        format: Format,
    },
    /// A quoted value is never closed.
    #[error("{}: the quotation mark that opens a value here is never closed", at(path, *line))]
    UnclosedQuote {
        /// The file.
        path: PathBuf,
        /// The line of the opening quotation mark.
        line: usize,
    },
    /// Text follows the closing quotation mark of a value.
    #[error(
        "{}: the quoted value that begins here ends {}, but more text follows its closing quotation mark",
        at(path, *line),
        if line == end { "on the same line".into() } else { format!("on line {end}") }
    )]
    TextAfterQuote {
        /// The file.
        path: PathBuf,
        /// The line of the opening quotation mark.
        line: usize,
        /// The line of the closing quotation mark.
        end: usize,
    },
    /// A row has a different number of columns than the header.
    #[error(
        "{}: {found} {}, expected {}: {}",
        at(path, *line),
        if *found == 1 { "column" } else { "columns" },
        expected.len(),
        list(expected)
    )]
    ColumnCount {
        /// The file.
        path: PathBuf,
        /// The row's first line.
        line: usize,
        /// The columns of the header.
        expected: Vec<String>,
        /// The number of columns of the row.
        found: usize,
    },
    /// A line of a JSON-lines file is not a JSON object.
    #[error("{}: not a JSON object: {reason}", at(path, *line))]
    NotJson {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The parser's error.
        reason: String,
    },
    /// A row has no usable value in a column.
    #[error("{}: column {column:?} is {found}", at(path, *line))]
    BadValue {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column.
        column: String,
        /// What was found, such as `empty`, `missing`, `null` or `an array`.
        found: &'static str,
    },
    /// A line is not a labelled tree.
    #[error("{}: not a tree such as (3 (2 a) (4 film)): {reason}", at(path, *line))]
    BadTree {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// Why it is not a tree.
        reason: &'static str,
    },
    /// A file or line is not in SQuAD format.
    #[error("{}: not in SQuAD format: {reason}", at(path, *line))]
    NotSquad {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The parser's error.
        reason: String,
    },
    /// A question is invalid.
    #[error("{}: question {id:?} {reason}", at(path, *line))]
    BadQuestion {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The question's id.
        id: String,
        /// The rest of the sentence "question ID …", such as `appears twice`.
        reason: String,
    },
    /// A question has no answer, but the task requires one.
    #[error("{}: question {id:?} has no answer, which only SQuAD v2.0 allows", at(path, *line))]
    NoAnswer {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The question's id.
        id: String,
    },
    /// A question leaves too little room for windows to advance along its paragraph.
    #[error(
        "{}: question {id:?} has {tokens} tokens, which leaves {room} per window for the paragraph; the stride, {stride}, must be smaller",
        at(path, *line)
    )]
    LongQuestion {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The question's id.
        id: String,
        /// Number of tokens of the question.
        tokens: usize,
        /// Number of tokens left for the paragraph.
        room: usize,
        /// Number of tokens that consecutive windows share.
        stride: usize,
    },
    /// A label of a regression task is not a finite number.
    #[error("{}: {value:?} is not a finite number", at(path, *line))]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The value.
        value: String,
    },
    /// A label does not occur in the training rows.
    #[error("{}: label {label:?} does not occur in the training rows, whose labels are {}", at(path, *line), list(known))]
    UnknownLabel {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The row's label.
        label: String,
        /// The labels of the training rows.
        known: Vec<String>,
    },
    /// A label is not one of the model's labels.
    #[error("{}: label {label:?} is not one of the model's labels: {}", at(path, *line), list(known))]
    NotOfModel {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The row's label.
        label: String,
        /// The model's labels, in the order of its outputs.
        known: Vec<String>,
    },
    /// A label is not one of the task's labels.
    #[error("{}: label {label:?} is not one of the task's labels: {}", at(path, *line), list(known))]
    NotALabel {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The row's label.
        label: String,
        /// The task's labels.
        known: Vec<String>,
    },
    /// All training rows have the same label, so there is nothing to learn.
    #[error("all {rows} training rows have the label {label:?}")]
    OneLabel {
        /// The number of rows.
        rows: usize,
        /// The label.
        label: String,
    },
    /// The tokenizer cannot be loaded, or fails on a text.
    #[error("tokenizer error: {reason}")]
    Tokenizer {
        /// The tokenizer's error.
        reason: String,
    },
    /// A text has no tokens, and the tokenizer adds none.
    #[error("{}: a sequence without tokens", at(path, *line))]
    NoTokens {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// The maximum length leaves no room for text beside the special tokens.
    #[error(
        "a maximum length of {max_length} tokens leaves no room for text: the tokenizer adds {special} special tokens"
    )]
    MaxLength {
        /// The maximum length, in tokens.
        max_length: usize,
        /// The number of special tokens in every sequence.
        special: usize,
    },
}
