//! Columns of a file: named by the user, or guessed from customary names.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{DataError, Format};

/// Customary names of text columns, in order of preference.
const TEXT: &[&str] = &[
    "text", "sentence", "review", "content", "comment", "headline", "title", "message", "tweet",
    "body", "document",
];

/// Customary names of label columns, in order of preference.
const LABEL: &[&str] = &[
    "label",
    "labels",
    "class",
    "target",
    "category",
    "sentiment",
    "rating",
    "gold_label",
];

/// Customary names of the two text columns of a pair.
const PAIRS: &[(&str, &str)] = &[
    ("sentence1", "sentence2"),
    ("text1", "text2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("#1 string", "#2 string"),
];

/// Kind of labels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelKind {
    /// Classes.
    #[default]
    Classification,
    /// Numbers.
    Regression,
}

/// Columns to read; a column that is `None` is guessed from the header.
///
/// The column of a second text is guessed only if that of the first one is, from customary names of
/// sentence pairs. Names are compared case-insensitively. If a file has two columns and one of them
/// is recognized, the other one takes the remaining role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Columns {
    /// Name of the text column.
    pub text: Option<String>,
    /// Name of the column of the second text of a pair.
    pub pair: Option<String>,
    /// Name of the label column.
    pub label: Option<String>,
    /// Whether labels are classes or numbers. Leave the default for a known task, which has its own
    /// kind.
    pub kind: LabelKind,
    /// Names of all columns of a TSV or CSV file without a header, such as CoLA's; `None` if the
    /// first row is the header.
    pub header: Option<Vec<String>>,
}

impl Columns {
    /// Whether at least one column is named.
    pub fn name_any(&self) -> bool {
        let Self {
            text,
            pair,
            label,
            kind: _,
            header,
        } = self;
        text.is_some() || pair.is_some() || label.is_some() || header.is_some()
    }
}

/// Positions of columns in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnIndices {
    /// Index of the text column.
    pub text: usize,
    /// Index of the column of the second text of a pair.
    pub pair: Option<usize>,
    /// Index of the label column.
    pub label: usize,
}

/// Column layout of a file.
pub trait Layout: Sync {
    /// Finds the columns in `header`; errors name `path`.
    ///
    /// # Errors
    /// [`DataError::NoSuchColumn`] if a named column does not exist, [`DataError::UnclearColumn`]
    /// if a column cannot be guessed.
    fn locate(&self, header: &[String], path: &Path) -> Result<ColumnIndices, DataError>;

    /// Names of all columns, for files of this format without a header; `None` if the first row is
    /// the header.
    fn header(&self, _format: Format) -> Option<Vec<String>> {
        None
    }

    /// Whether rows with a different number of columns than the header are skipped instead of
    /// rejected.
    fn leaves_out_broken_rows(&self) -> bool {
        false
    }
}

impl Layout for Columns {
    fn locate(&self, header: &[String], path: &Path) -> Result<ColumnIndices, DataError> {
        let named = |name: &Option<String>| -> Result<Option<usize>, DataError> {
            let Some(name) = name else { return Ok(None) };
            position(header, name)
                .map(Some)
                .ok_or_else(|| DataError::NoSuchColumn {
                    path: path.into(),
                    name: name.clone(),
                    columns: header.to_vec(),
                })
        };
        let unclear = |role| DataError::UnclearColumn {
            path: path.into(),
            role,
            columns: header.to_vec(),
        };

        let (mut text, mut pair, mut label) =
            (named(&self.text)?, named(&self.pair)?, named(&self.label)?);
        if label.is_none() {
            label = first(header, LABEL, &[text, pair]);
        }
        if text.is_none() {
            if pair.is_none() {
                (text, pair) = sentence_pair(header).unzip();
            }
            text = text.or_else(|| first(header, TEXT, &[pair, label]));
        }
        if let (2, None) = (header.len(), pair) {
            // Of two columns, the other one takes the remaining role.
            text = text.or(label.map(|label| 1 - label));
            label = label.or(text.map(|text| 1 - text));
        }
        Ok(ColumnIndices {
            text: text.ok_or_else(|| unclear("text"))?,
            pair,
            label: label.ok_or_else(|| unclear("label"))?,
        })
    }

    fn header(&self, _format: Format) -> Option<Vec<String>> {
        self.header.clone()
    }
}

/// Index of a column by name; an exact match takes precedence over one that differs in case.
pub(crate) fn position(header: &[String], name: &str) -> Option<usize> {
    header.iter().position(|column| column == name).or_else(|| {
        header
            .iter()
            .position(|column| column.eq_ignore_ascii_case(name))
    })
}

/// First column whose name is in `names` and that is not in `taken`.
fn first(header: &[String], names: &[&str], taken: &[Option<usize>]) -> Option<usize> {
    names
        .iter()
        .filter_map(|name| position(header, name))
        .find(|index| !taken.contains(&Some(*index)))
}

/// Columns of the first customary sentence pair in the header.
fn sentence_pair(header: &[String]) -> Option<(usize, usize)> {
    PAIRS
        .iter()
        .find_map(|(first, second)| position(header, first).zip(position(header, second)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate(columns: &Columns, header: &[&str]) -> Result<ColumnIndices, DataError> {
        let header: Vec<String> = header.iter().map(|&name| name.into()).collect();
        columns.locate(&header, Path::new("file.csv"))
    }

    #[test]
    fn customary_names_are_recognized_in_any_case() {
        for (header, text, label) in [
            (["sentence", "label"], 0, 1),
            (["Class", "Review"], 1, 0),
            (["content", "TARGET"], 0, 1),
            (["v1", "text"], 1, 0),
            (["label", "v2"], 1, 0),
        ] {
            let found = locate(&Columns::default(), &header).unwrap();
            assert_eq!(
                found,
                ColumnIndices {
                    text,
                    pair: None,
                    label
                },
                "{header:?}"
            );
        }
    }

    #[test]
    fn sentence_pairs_are_guessed() {
        let found = locate(
            &Columns::default(),
            &["index", "sentence1", "sentence2", "label"],
        )
        .unwrap();
        assert_eq!(
            found,
            ColumnIndices {
                text: 1,
                pair: Some(2),
                label: 3
            }
        );
        let found = locate(
            &Columns::default(),
            &["index", "question", "sentence", "label"],
        )
        .unwrap();
        assert_eq!(
            found,
            ColumnIndices {
                text: 1,
                pair: Some(2),
                label: 3
            }
        );
    }

    #[test]
    fn a_named_text_column_gets_no_guessed_pair() {
        let columns = Columns {
            text: Some("sentence2".into()),
            ..Columns::default()
        };
        let found = locate(&columns, &["sentence1", "sentence2", "label"]).unwrap();
        assert_eq!(
            found,
            ColumnIndices {
                text: 1,
                pair: None,
                label: 2
            }
        );
    }

    #[test]
    fn a_named_column_is_not_guessed_again() {
        let columns = Columns {
            text: Some("label".into()),
            ..Columns::default()
        };
        let found = locate(&columns, &["label", "class", "text"]).unwrap();
        assert_eq!(
            found,
            ColumnIndices {
                text: 0,
                pair: None,
                label: 1
            }
        );
    }

    #[test]
    fn the_error_of_a_missing_column_lists_the_existing_ones() {
        let columns = Columns {
            label: Some("stars".into()),
            ..Columns::default()
        };
        let error = locate(&columns, &["text", "rating"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"file.csv: there is no column "stars"; the columns are "text", "rating""#
        );
    }

    #[test]
    fn unrecognized_headers_are_rejected() {
        let error = locate(&Columns::default(), &["a", "b"]).unwrap_err();
        assert!(
            matches!(error, DataError::UnclearColumn { role: "text", .. }),
            "{error}"
        );
        let error = locate(&Columns::default(), &["text", "b", "c"]).unwrap_err();
        assert!(
            matches!(error, DataError::UnclearColumn { role: "label", .. }),
            "{error}"
        );
    }
}
