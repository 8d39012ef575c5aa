//! Remedies for files of labelled text.

use std::path::Path;

use isostar_train::data::{DataError, EncodingFault};

use super::{Remedy, UNKNOWN, few};

impl Remedy for DataError {
    fn remedy(&self) -> String {
        match self {
            Self::File(error) => error.remedy(),
            Self::UnknownFormat { .. } => {
                "rename the file to .tsv, .csv, .jsonl or .parquet to match its content; text files may be gzip-compressed (.csv.gz)".into()
            }
            Self::MissingSplit { split, names, .. } => {
                format!("add the {split} file to the folder, named one of {}; text files may be gzip-compressed (.gz)", few(names))
            }
            Self::MissingShard { .. } => "add the missing file: a split needs all of its shards".into(),
            Self::NotParquet { .. } | Self::Undecodable { .. } => "download or write the file again: it is truncated or corrupt".into(),
            Self::NotGzip { .. } => "download or compress the file again; if it is plain text, remove .gz from its name".into(),
            Self::ColumnType { column, expected, .. } => format!("store {column:?} as {expected}, or name another column under [columns]"),
            Self::Encoding { path, fault, .. } => encoding(*fault, path),
            Self::EmptyFile { .. } => "add rows; .tsv and .csv files begin with a header that names the columns".into(),
            Self::NoRows { .. } => "add rows with a text and a label".into(),
            Self::NoSuchColumn { columns, .. } => format!("name one of {}", few(columns)),
            Self::FixedColumns { .. } => "remove the names under [columns], or pass a file or folder of your own".into(),
            Self::HasHeader { .. } => "remove header under [columns]; text, pair and label name columns of this file".into(),
            Self::UnclearColumn { role, columns, .. } => {
                format!("set columns.{role} to one of {}, or name the column {role:?} in the file's header", few(columns))
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
                let names = few(known);
                format!(
                    "use the labels {names} in the rows, or rename the model's labels to match the rows, under id2label and label2id in its config.json"
                )
            }
            Self::NotALabel { known, .. } => format!("use one of {}, or its index, counted from 0", few(known)),
            Self::OneLabel { .. } => "train on rows with at least two different labels".into(),
            Self::Tokenizer { .. } => "check that tokenizer.json is complete and belongs to this model".into(),
            Self::NoTokens { .. } => "remove the row or give it a text: this model's tokenizer adds no special tokens".into(),
            Self::MaxLength { special, .. } => format!("choose a maximum length of more than {special} tokens"),
            _ => UNKNOWN.into(),
        }
    }
}

/// Remedy for bytes of the file `path` that cannot be decoded.
fn encoding(fault: EncodingFault, path: &Path) -> String {
    let convert = |options: &str| {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let target = renamed(path, &format!("utf8.{extension}"));
        format!(
            "`iconv {options} -t utf-8 '{}' > '{target}'`",
            path.display()
        )
    };
    match fault {
        EncodingFault::OneByte => {
            format!("save the file as UTF-8; if it is Western European text, {} converts it", convert("-f windows-1252"))
        }
        EncodingFault::BrokenUtf8 => format!("correct the line, or drop the invalid bytes with {}", convert("-c -f utf-8")),
        EncodingFault::CutShort => {
            "download or write the file again: it is truncated, or text in another encoding was appended to it".into()
        }
        EncodingFault::UnmarkedUtf16 { little_endian } => {
            format!("convert the file to UTF-8 with {}", convert(if little_endian { "-f utf-16le" } else { "-f utf-16be" }))
        }
        EncodingFault::LoneSurrogate => format!("correct the line, or drop the invalid characters with {}", convert("-c -f utf-16")),
        EncodingFault::Utf32 => format!("convert the file to UTF-8 with {}", convert("-f utf-32")),
        _ => UNKNOWN.into(),
    }
}

/// File name with another ending, for a copy in the current folder.
fn renamed(path: &Path, ending: &str) -> String {
    format!(
        "{}.{ending}",
        path.file_stem().unwrap_or_default().to_string_lossy()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_another_encoding_is_converted_by_a_command() {
        for (fault, command) in [
            (EncodingFault::OneByte, "iconv -f windows-1252 -t utf-8 "),
            (EncodingFault::BrokenUtf8, "iconv -c -f utf-8 -t utf-8 "),
            (
                EncodingFault::UnmarkedUtf16 {
                    little_endian: true,
                },
                "iconv -f utf-16le -t utf-8 ",
            ),
            (
                EncodingFault::UnmarkedUtf16 {
                    little_endian: false,
                },
                "iconv -f utf-16be -t utf-8 ",
            ),
            (EncodingFault::LoneSurrogate, "iconv -c -f utf-16 -t utf-8 "),
            (EncodingFault::Utf32, "iconv -f utf-32 -t utf-8 "),
        ] {
            let remedy = DataError::Encoding {
                path: "folder/rows.csv".into(),
                line: 3,
                fault,
            }
            .remedy();
            let command = format!("{command}'folder/rows.csv' > 'rows.utf8.csv'");
            assert!(
                remedy.contains(&command),
                "{remedy} does not contain {command}"
            );
        }
        let cut = DataError::Encoding {
            path: "rows.csv".into(),
            line: 3,
            fault: EncodingFault::CutShort,
        };
        assert!(!cut.remedy().contains("iconv"));
    }

    #[test]
    fn columns_are_named() {
        let columns = vec!["text".into(), "label".into()];
        let missing = DataError::NoSuchColumn {
            path: "rows.tsv".into(),
            name: "body".into(),
            columns: columns.clone(),
        };
        assert_eq!(missing.remedy(), "name one of \"text\", \"label\"");
        let narrow = DataError::ColumnCount {
            path: "reviews.csv".into(),
            line: 7,
            expected: columns,
            found: 1,
        };
        assert!(narrow.remedy().contains("quote texts that contain commas"));
    }
}
