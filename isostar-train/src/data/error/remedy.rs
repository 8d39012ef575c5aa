//! What to do about each error.

use super::{DataError, list};

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
            Self::NotParquet { .. } | Self::NotGzip { .. } | Self::Undecodable { .. } => {
                "download or write the file again: it is cut short or corrupt".into()
            }
            Self::ColumnType { column, expected, .. } => format!("write {column:?} as {expected}, or name another column under [columns]"),
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
                "give the official train-v1.1.json and dev-v1.1.json (or -v2.0.json), or the hub's Parquet, or one question per line".into()
            }
            Self::BadQuestion { .. } => "correct the question, or remove it".into(),
            Self::NoAnswer { .. } => "name the task squad2, in which a question may have no answer".into(),
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
