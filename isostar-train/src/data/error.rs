//! What can go wrong between a file of text and a batch, and what to do about it.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

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
        /// The split's name, `train` or `dev`.
        split: &'static str,
        /// What its file may be called.
        names: Vec<String>,
    },

    /// The file holds bytes that are not UTF-8.
    #[error("{}, line {line}: not UTF-8 text", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The first line with such bytes.
        line: usize,
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

    /// A row has fewer or more columns than the header.
    #[error(
        "{}, line {line}: {found} {}, expected {}: {}",
        path.display(),
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
    #[error("{}, line {line}: not a JSON object: {reason}", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What the parser met.
        reason: String,
    },

    /// A row has the column, but nothing that can be used is in it.
    #[error("{}, line {line}: column {column:?} is {found}", path.display())]
    BadValue {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column.
        column: String,
        /// What is there: `empty`, `missing`, `null`, `an array` or `an object`.
        found: &'static str,
    },

    /// A line is not a labelled tree.
    #[error("{}, line {line}: not a tree such as (3 (2 a) (4 film)): {reason}", path.display())]
    BadTree {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A file, or a line, is not SQuAD's.
    #[error("{}, line {line}: not SQuAD: {reason}", path.display())]
    NotSquad {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What the parser met.
        reason: String,
    },

    /// A question that cannot be used.
    #[error("{}, line {line}: question {id:?} {reason}", path.display())]
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

    /// A question so long that windows would not move along its paragraph.
    #[error(
        "{}, line {line}: question {id:?} has {tokens} tokens and leaves {room} to a window, no more than the {stride} that windows share",
        path.display()
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
    #[error("{}, line {line}: {value:?} is not a finite number", path.display())]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What stands there.
        value: String,
    },

    /// A row's label is not one of those the model is trained on.
    #[error("{}, line {line}: label {label:?} does not occur in the training rows, which have {}", path.display(), list(known))]
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

    /// A row's label is not one of the task's.
    #[error("{}, line {line}: {label:?} is none of the task's labels, which are {}", path.display(), list(known))]
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

    /// One line that tells the user what to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::NotFound { .. } => "check the path".into(),
            Self::Unreadable { .. } => "check that it is a file and that you may read it".into(),
            Self::UnknownFormat { .. } => "name the file .tsv, .csv or .jsonl according to what it holds".into(),
            Self::MissingSplit { split, names, .. } => format!("put a file there that is called {} ({split})", list(names)),
            Self::NotUtf8 { .. } => "save the file as UTF-8, for example with `iconv -f latin1 -t utf-8`".into(),
            Self::EmptyFile { .. } => "write one row of text and label a line, below a header that names the columns".into(),
            Self::NoRows { .. } => "write one row of text and label a line below the header".into(),
            Self::NoSuchColumn { columns, .. } => format!("name one of {}", list(columns)),
            Self::UnclearColumn { role, columns, .. } => {
                format!("set columns.{role} to one of {}, or give the file a header that names it {role:?}", list(columns))
            }
            Self::ColumnCount { .. } => {
                "give the row as many columns as the header; in .csv quote a text that holds commas, in .tsv remove tabs from the text"
                    .into()
            }
            Self::NotJson { .. } => "write one JSON object a line, such as {\"text\": \"…\", \"label\": 1}".into(),
            Self::BadValue { column, .. } => format!("fill in {column:?} or remove the row"),
            Self::BadTree { .. } => "give a file of the Stanford Sentiment Treebank's trees, one a line".into(),
            Self::NotSquad { .. } => {
                "give the official train-v1.1.json and dev-v1.1.json, or one question a line as the hub has them".into()
            }
            Self::BadQuestion { .. } => "correct the question, or remove it".into(),
            Self::LongQuestion { .. } => "choose a larger --max-length or a smaller --stride".into(),
            Self::NotANumber { .. } => "write a number such as 3.8, or remove the row".into(),
            Self::UnknownLabel { .. } => "correct the label, or add rows with it to the training file".into(),
            Self::NotALabel { known, .. } => format!("write one of {}, or its position, from 0", list(known)),
            Self::OneLabel { .. } => "train on rows of at least two labels; a small limit may have cut the others off".into(),
            Self::Tokenizer { .. } => "check that tokenizer.json is complete and made for this model".into(),
            Self::MaxLength { special, .. } => format!("allow more than {special} tokens"),
        }
    }
}

/// The names, quoted, with commas between them.
fn list<T: AsRef<str>>(names: &[T]) -> impl Display {
    let quoted: Vec<String> = names.iter().map(|name| format!("{:?}", name.as_ref())).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_wrong_width_names_file_line_and_columns() {
        let error = DataError::ColumnCount { path: "reviews.csv".into(), line: 7, expected: vec!["text".into(), "label".into()], found: 1 };
        assert_eq!(error.to_string(), r#"reviews.csv, line 7: 1 column, expected 2: "text", "label""#);
        assert!(error.remedy().contains("quote a text that holds commas"));
    }

    #[test]
    fn an_unknown_label_names_the_known_ones() {
        let error = DataError::UnknownLabel {
            path: "dev.tsv".into(),
            line: 3,
            label: "neutral".into(),
            known: vec!["negative".into(), "positive".into()],
        };
        let message = error.to_string();
        assert!(message.starts_with("dev.tsv, line 3: label \"neutral\""), "{message}");
        assert!(message.ends_with(r#""negative", "positive""#), "{message}");
    }
}
