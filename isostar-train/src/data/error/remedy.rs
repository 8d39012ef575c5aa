//! What to do about each error.

use std::path::Path;

use super::DataError;
use super::words::list;

/// The name of a file with another ending, for a copy of it in the current folder.
pub(super) fn renamed(path: &Path, ending: &str) -> String {
    format!("{}.{ending}", path.file_stem().unwrap_or_default().to_string_lossy())
}

impl DataError {
    /// One line that tells the user what to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::NotFound { .. } => "check the path".into(),
            Self::Unreadable { .. } => "check that it is a file and that you may read it".into(),
            Self::UnknownFormat { .. } => {
                "name the file .tsv, .csv, .jsonl or .parquet according to what it holds; text may be compressed: .csv.gz".into()
            }
            Self::MissingSplit { split, names, .. } => {
                format!("put a file there that is called {} ({split}); text may be compressed by gzip (.gz)", list(names))
            }
            Self::MissingShard { .. } => "put it there: all shards of a split are read".into(),
            Self::NotParquet { .. } | Self::Undecodable { .. } => "download or write the file again: it is cut short or corrupt".into(),
            Self::NotGzip { .. } => "download or compress the file again, or leave .gz out of its name if it holds plain text".into(),
            Self::GitLfsPointer { .. } => "run `git lfs pull` in the repository's folder, which fetches the file".into(),
            Self::ColumnType { column, expected, .. } => format!("write {column:?} as {expected}, or name another column under [columns]"),
            Self::Encoding { path, fault, .. } => fault.remedy(path),
            Self::EmptyFile { .. } => "write one row of text and label a line, below a header that names the columns".into(),
            Self::NoRows { .. } => "write one row of text and label a line below the header".into(),
            Self::NoSuchColumn { columns, .. } => format!("name one of {}", list(columns)),
            Self::UnclearColumn { role, columns, .. } => {
                format!("set columns.{role} to one of {}, or give the file a header that names it {role:?}", list(columns))
            }
            Self::Separator { found: '\t', .. } => "name the file .tsv; its quotation marks are then part of the text".into(),
            Self::Separator { found: ',', .. } => "name the file .csv".into(),
            Self::Separator { path, found, .. } => {
                let (file, target) = (path.display(), renamed(path, "commas.csv"));
                let read = format!("pandas.read_csv('{file}', sep='{found}', dtype=str, keep_default_na=False)");
                format!("convert it to commas: python -c \"import pandas; {read}.to_csv('{target}', index=False)\"")
            }
            Self::UnclosedQuote { .. } | Self::TextAfterQuote { .. } => {
                "close the value with a quotation mark before the comma or the end of the line; inside it, write quotation marks twice: \"he said \"\"no\"\"\""
                    .into()
            }
            Self::ColumnCount { .. } => {
                "give the row as many columns as the header; in .csv quote a text that holds commas, in .tsv remove tabs from the text"
                    .into()
            }
            Self::NotJson { .. } => "write one JSON object a line, such as {\"text\": \"…\", \"label\": 1}".into(),
            Self::BadValue { column, .. } => format!("fill in {column:?} or remove the row"),
            Self::BadTree { .. } => "give a file of the Stanford Sentiment Treebank's trees, one a line".into(),
            Self::NotSquad { .. } => {
                "give the official train-v1.1.json and dev-v1.1.json (or -v2.0.json), or the hub's Parquet, or one question per line".into()
            }
            Self::BadQuestion { .. } => "correct the question, or remove it".into(),
            Self::NoAnswer { .. } => "name the task squad2, in which a question may have no answer".into(),
            Self::LongQuestion { .. } => "choose a larger --max-length or a smaller --stride".into(),
            Self::NotANumber { .. } => "write a number such as 3.8, or remove the row".into(),
            Self::UnknownLabel { .. } => "correct the label, or add rows with it to the training file".into(),
            Self::NotOfModel { known, .. } => {
                let names = list(known);
                format!(
                    "write one of {names} in the rows, or rename the model's labels to those of the rows, under id2label and label2id in its config.json"
                )
            }
            Self::NotALabel { known, .. } => format!("write one of {}, or its position, from 0", list(known)),
            Self::OneLabel { .. } => "train on rows of at least two labels".into(),
            Self::Tokenizer { .. } => "check that tokenizer.json is complete and made for this model".into(),
            Self::NoTokens { .. } => "remove the row, or give it a text: this model's tokenizer adds no tokens of its own".into(),
            Self::MaxLength { special, .. } => format!("allow more than {special} tokens"),
        }
    }
}
