//! Remedies of the errors.

use super::DataError;
use super::words::{list, renamed};

impl DataError {
    /// What the user can do about the error, in one line.
    pub fn remedy(&self) -> String {
        match self {
            Self::File(error) => error.remedy().into(),
            Self::UnknownFormat { .. } => {
                "rename the file to .tsv, .csv, .jsonl or .parquet to match its content; text files may be gzip-compressed (.csv.gz)".into()
            }
            Self::MissingSplit { split, names, .. } => {
                format!("add the {split} file to the folder, named one of {}; text files may be gzip-compressed (.gz)", list(names))
            }
            Self::MissingShard { .. } => "add the missing file: a split needs all of its shards".into(),
            Self::NotParquet { .. } | Self::Undecodable { .. } => "download or write the file again: it is truncated or corrupt".into(),
            Self::NotGzip { .. } => "download or compress the file again; if it is plain text, remove .gz from its name".into(),
            Self::ColumnType { column, expected, .. } => format!("store {column:?} as {expected}, or name another column under [columns]"),
            Self::Encoding { path, fault, .. } => fault.remedy(path),
            Self::EmptyFile { .. } => "add rows; .tsv and .csv files begin with a header that names the columns".into(),
            Self::NoRows { .. } => "add rows with a text and a label".into(),
            Self::NoSuchColumn { columns, .. } => format!("name one of {}", list(columns)),
            Self::UnclearColumn { role, columns, .. } => {
                format!("set columns.{role} to one of {}, or name the column {role:?} in the file's header", list(columns))
            }
            Self::Separator { found: '\t', .. } => "rename the file to .tsv, in which quotation marks are part of the text".into(),
            Self::Separator { found: ',', .. } => "rename the file to .csv".into(),
            Self::Separator { path, found, .. } => {
                let (file, target) = (path.display(), renamed(path, "commas.csv"));
                let read = format!("pandas.read_csv('{file}', sep='{found}', dtype=str, keep_default_na=False)");
                format!("convert the file to commas: python -c \"import pandas; {read}.to_csv('{target}', index=False)\"")
            }
            Self::UnclosedQuote { .. } | Self::TextAfterQuote { .. } => {
                "close the value with a quotation mark before the comma or the end of the line; inside a value, double each quotation mark: \"he said \"\"no\"\"\""
                    .into()
            }
            Self::ColumnCount { .. } => {
                "give the row as many columns as the header: in .csv, quote texts that contain commas; in .tsv, remove tabs from texts"
                    .into()
            }
            Self::NotJson { .. } => "write one JSON object per line, such as {\"text\": \"…\", \"label\": 1}".into(),
            Self::BadValue { column, .. } => format!("fill in {column:?} or remove the row"),
            Self::BadTree { .. } => "use a file of Stanford Sentiment Treebank trees, one per line".into(),
            Self::NotSquad { .. } => {
                "use the official train-v1.1.json and dev-v1.1.json (or -v2.0.json), the hub's Parquet files, or JSON lines with one question per line".into()
            }
            Self::BadQuestion { .. } => "correct the question or remove it".into(),
            Self::NoAnswer { .. } => "use the task squad2, which allows questions without an answer".into(),
            Self::LongQuestion { .. } => "choose a larger --max-length or a smaller --stride".into(),
            Self::NotANumber { .. } => "write a number such as 3.8 or remove the row".into(),
            Self::UnknownLabel { .. } => "correct the label, or add training rows that have it".into(),
            Self::NotOfModel { known, .. } => {
                let names = list(known);
                format!(
                    "use the labels {names} in the rows, or rename the model's labels to match the rows, under id2label and label2id in its config.json"
                )
            }
            Self::NotALabel { known, .. } => format!("use one of {}, or its index, counted from 0", list(known)),
            Self::OneLabel { .. } => "train on rows with at least two different labels".into(),
            Self::Tokenizer { .. } => "check that tokenizer.json is complete and belongs to this model".into(),
            Self::NoTokens { .. } => "remove the row or give it a text: this model's tokenizer adds no special tokens".into(),
            Self::MaxLength { special, .. } => format!("choose a maximum length of more than {special} tokens"),
        }
    }
}
