//! Parts of error messages: positions in files, separators, lists of names.

use std::fmt::Display;
use std::path::Path;

use crate::data::Format;

/// Position in a file: a line or, in a Parquet file, a row.
pub(super) fn at(path: &Path, line: usize) -> impl Display {
    let is_parquet = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case(Format::PARQUET));
    format!(
        "{}, {} {line}",
        path.display(),
        if is_parquet { "row" } else { "line" }
    )
}

/// Name of a column separator.
pub(super) fn separator(character: char) -> &'static str {
    match character {
        ';' => "semicolons",
        ',' => "commas",
        '\t' => "tabs",
        _ => "vertical bars",
    }
}

/// Quoted names, separated by commas.
pub(super) fn list<T: AsRef<str>>(names: &[T]) -> impl Display {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("{:?}", name.as_ref()))
        .collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::DataError;

    #[test]
    fn a_row_of_the_wrong_width_names_file_line_and_columns() {
        let error = DataError::ColumnCount {
            path: "reviews.csv".into(),
            line: 7,
            expected: vec!["text".into(), "label".into()],
            found: 1,
        };
        assert_eq!(
            error.to_string(),
            r#"reviews.csv, line 7: 1 column, expected 2: "text", "label""#
        );
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
        assert!(
            message.starts_with("dev.tsv, line 3: label \"neutral\""),
            "{message}"
        );
        assert!(message.ends_with(r#""negative", "positive""#), "{message}");
    }
}
