//! What can go wrong between a file of text and a batch.

mod encoding;
mod remedy;
mod words;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Format;

pub use encoding::EncodingFault;
use words::{at, list, separator};

/// A file that cannot be read as labelled text.
///
/// Line numbers are 1-based and count the header. [`DataError::remedy`] says what the user can do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// Nothing exists at the path.
    #[error("{}: no such file or folder", path.display())]
    NotFound {
        /// The path that was asked for.
        path: PathBuf,
    },

    /// The file exists, but the system refuses to read it.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// The name ends in none of the known extensions.
    #[error("{}: unknown file format", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },

    /// The folder holds no file of the split.
    #[error("{}: holds no {split} split", folder.display())]
    MissingSplit {
        /// The folder.
        folder: PathBuf,
        /// The split's name, such as `train`, `dev` or `dev_matched`.
        split: &'static str,
        /// What its file may be called, compressed by gzip or not.
        names: Vec<String>,
    },

    /// A split is cut into shards, and one of them is not there.
    #[error("{}: {shard} is missing", folder.display())]
    MissingShard {
        /// The folder.
        folder: PathBuf,
        /// The name of the shard.
        shard: String,
    },

    /// The file is no Parquet file, or not a whole one.
    #[error("{}: not a complete Parquet file: {reason}", path.display())]
    NotParquet {
        /// The file.
        path: PathBuf,
        /// What the parser met.
        reason: String,
    },

    /// A page of a Parquet file is corrupt.
    #[error("{}: column {column:?} cannot be read from here on: {reason}", at(path, *line))]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// The first row that cannot be had, from 1.
        line: usize,
        /// The column.
        column: String,
        /// What the decoder met.
        reason: String,
    },

    /// A column of a Parquet file holds something else than is needed.
    #[error("{}: column {column:?} holds {found}, expected {expected}", path.display())]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What it has to hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },

    /// The file itself is still to be fetched.
    #[error("{}: a Git LFS pointer, a few lines of text in place of the file itself", path.display())]
    GitLfsPointer {
        /// The pointer.
        path: PathBuf,
    },

    /// A file that gzip should have compressed cannot be decompressed to its end.
    #[error("{}: not a complete gzip file: {reason}", path.display())]
    NotGzip {
        /// The file.
        path: PathBuf,
        /// What the decompressor met.
        reason: String,
    },

    /// The bytes of the file are no text in UTF-8, nor in UTF-16 with a byte-order mark.
    #[error("{}: {fault}", at(path, *line))]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The first line with such bytes.
        line: usize,
        /// What is wrong with them.
        fault: EncodingFault,
    },

    /// The file holds nothing at all.
    #[error("{}: the file is empty", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },

    /// The file has a header and no row.
    #[error("{}: there are no rows below the header", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },

    /// A column that was asked for by name is not there.
    #[error("{}: there is no column {name:?}; the columns are {}", path.display(), list(columns))]
    NoSuchColumn {
        /// The file.
        path: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The columns there are.
        columns: Vec<String>,
    },

    /// No column was asked for by name, and none has a customary name.
    #[error("{}: cannot tell which column holds the {role}; the columns are {}", path.display(), list(columns))]
    UnclearColumn {
        /// The file.
        path: PathBuf,
        /// What the column is needed for, `text` or `label`.
        role: &'static str,
        /// The columns there are.
        columns: Vec<String>,
    },

    /// The columns of a table are separated in another way than its extension says.
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
        /// What separates them.
        found: char,
        /// What the extension stands for.
        format: Format,
    },

    /// A quotation mark opens a value, and the file ends without another one.
    #[error("{}: the quotation mark that opens a value here is never closed", at(path, *line))]
    UnclosedQuote {
        /// The file.
        path: PathBuf,
        /// The line of the quotation mark.
        line: usize,
    },

    /// More text follows the quotation mark that closes a value.
    #[error(
        "{}: the quoted value that begins here ends {}, but more text follows its closing quotation mark",
        at(path, *line),
        if line == end { "on the same line".into() } else { format!("on line {end}") }
    )]
    TextAfterQuote {
        /// The file.
        path: PathBuf,
        /// The line of the quotation mark that opens the value.
        line: usize,
        /// The line of the one that closes it.
        end: usize,
    },

    /// A row has fewer or more columns than the header.
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
        /// How many columns the row has.
        found: usize,
    },

    /// A line of a JSON-lines file is not a JSON object.
    #[error("{}: not a JSON object: {reason}", at(path, *line))]
    NotJson {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What the parser met.
        reason: String,
    },

    /// A row has the column, but nothing that can be used is in it.
    #[error("{}: column {column:?} is {found}", at(path, *line))]
    BadValue {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column.
        column: String,
        /// What is there, such as `empty`, `missing`, `null` or `an array`.
        found: &'static str,
    },

    /// A line is not a labelled tree.
    #[error("{}: not a tree such as (3 (2 a) (4 film)): {reason}", at(path, *line))]
    BadTree {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A file, or a line, is not SQuAD's.
    #[error("{}: not SQuAD: {reason}", at(path, *line))]
    NotSquad {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What the parser met.
        reason: String,
    },

    /// A question that cannot be used.
    #[error("{}: question {id:?} {reason}", at(path, *line))]
    BadQuestion {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The question's id.
        id: String,
        /// What is wrong with it.
        reason: String,
    },

    /// A question without an answer, where every question has to have one.
    #[error("{}: question {id:?} has no answer; questions without one belong to SQuAD v2.0", at(path, *line))]
    NoAnswer {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The question's id.
        id: String,
    },

    /// A question so long that windows would not move along its paragraph.
    #[error(
        "{}: question {id:?} has {tokens} tokens and leaves {room} to a window, no more than the {stride} that windows share",
        at(path, *line)
    )]
    LongQuestion {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The question's id.
        id: String,
        /// The tokens of the question.
        tokens: usize,
        /// The tokens left to the paragraph.
        room: usize,
        /// The tokens that a window shares with the one before.
        stride: usize,
    },

    /// A label that should be a number is not one.
    #[error("{}: {value:?} is not a finite number", at(path, *line))]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What stands there.
        value: String,
    },

    /// A row's label is not one of those the model is trained on.
    #[error("{}: label {label:?} does not occur in the training rows, which have {}", at(path, *line), list(known))]
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

    /// A row's label is not one of the model's.
    #[error("{}: label {label:?} is none of the model's labels, which are {}", at(path, *line), list(known))]
    NotOfModel {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The row's label.
        label: String,
        /// The labels of the model, in the order of its outputs.
        known: Vec<String>,
    },

    /// A row's label is not one of the task's.
    #[error("{}: {label:?} is none of the task's labels, which are {}", at(path, *line), list(known))]
    NotALabel {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What stands there.
        label: String,
        /// The labels of the task.
        known: Vec<String>,
    },

    /// All rows carry the same label, so that there is nothing to learn.
    #[error("all {rows} training rows have the label {label:?}")]
    OneLabel {
        /// The number of rows.
        rows: usize,
        /// The label.
        label: String,
    },

    /// The tokenizer cannot be read or fails on a text.
    #[error("the tokenizer fails: {reason}")]
    Tokenizer {
        /// What the tokenizer reports.
        reason: String,
    },

    /// A text has no token, and the tokenizer adds none.
    #[error("{}: a sequence without tokens", at(path, *line))]
    NoTokens {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },

    /// The longest sequence asked for leaves no room for text between the special tokens.
    #[error("a sequence of {max_length} tokens holds no text: {special} of them are special")]
    MaxLength {
        /// The longest sequence asked for, in tokens.
        max_length: usize,
        /// The special tokens that every sequence carries.
        special: usize,
    },
}

impl DataError {
    /// The error for what the system reports about the file `path`.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path: path.into() },
            _ => Self::Unreadable { path: path.into(), source },
        }
    }
}
