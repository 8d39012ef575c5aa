//! Which column of a file holds what: named by the user, or guessed from customary names.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{DataError, Format};

/// Names of text columns, the likelier ones first.
const TEXT: &[&str] = &["text", "sentence", "review", "content", "comment", "headline", "title", "message", "tweet", "body", "document"];

/// Names of label columns, the likelier ones first.
const LABEL: &[&str] = &["label", "labels", "class", "target", "category", "sentiment", "rating", "gold_label"];

/// Names of two text columns that belong together.
const PAIRS: &[(&str, &str)] = &[
    ("sentence1", "sentence2"),
    ("text1", "text2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("#1 string", "#2 string"),
];

/// What is learned from a column of labels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelKind {
    /// Which of several classes a row belongs to.
    #[default]
    Classification,
    /// A number.
    Regression,
}

/// The columns to read; what is `None` is guessed from the header.
///
/// A second text column is guessed only where the first one is, from the customary names of sentence pairs. Names are compared without
/// regard to case. Where a file has two columns and one of them is recognised, the other one is taken for what is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Columns {
    /// The column of the text.
    pub text: Option<String>,
    /// The column of the second text of a pair.
    pub pair: Option<String>,
    /// The column of the label.
    pub label: Option<String>,
    /// Whether labels are classes or numbers; of a task by name, this is known.
    pub kind: LabelKind,
    /// The names of all columns of a TSV or CSV file without a header, such as CoLA's; `None` where the first row names them.
    pub header: Option<Vec<String>>,
}

impl Columns {
    /// Whether any column is named.
    pub fn name_any(&self) -> bool {
        let Self { text, pair, label, kind: _, header } = self;
        text.is_some() || pair.is_some() || label.is_some() || header.is_some()
    }
}

/// Positions of the columns in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnIndices {
    /// Of the text.
    pub text: usize,
    /// Of the second text of a pair.
    pub pair: Option<usize>,
    /// Of the label.
    pub label: usize,
}

/// Where the rows of a file keep their parts.
pub trait Layout: Sync {
    /// The positions of the columns in `header`.
    ///
    /// # Errors
    /// [`DataError::NoSuchColumn`] if a named column is not there, [`DataError::UnclearColumn`] if none can be guessed.
    fn locate(&self, header: &[String], path: &Path) -> Result<ColumnIndices, DataError>;

    /// The names of all columns of a file of this format that has no header; `None` where the first row names them.
    fn header(&self, _format: Format) -> Option<Vec<String>> {
        None
    }

    /// Whether rows of another width than the header are passed over instead of refused.
    fn leaves_out_broken_rows(&self) -> bool {
        false
    }
}

impl Layout for Columns {
    fn locate(&self, header: &[String], path: &Path) -> Result<ColumnIndices, DataError> {
        let named = |name: &Option<String>| -> Result<Option<usize>, DataError> {
            let Some(name) = name else { return Ok(None) };
            position(header, name).map(Some).ok_or_else(|| DataError::NoSuchColumn {
                path: path.into(),
                name: name.clone(),
                columns: header.to_vec(),
            })
        };
        let unclear = |role| DataError::UnclearColumn { path: path.into(), role, columns: header.to_vec() };

        let (mut text, mut pair, mut label) = (named(&self.text)?, named(&self.pair)?, named(&self.label)?);
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
            // Of two columns, what is not the one is the other.
            text = text.or(label.map(|label| 1 - label));
            label = label.or(text.map(|text| 1 - text));
        }
        Ok(ColumnIndices { text: text.ok_or_else(|| unclear("text"))?, pair, label: label.ok_or_else(|| unclear("label"))? })
    }

    fn header(&self, _format: Format) -> Option<Vec<String>> {
        self.header.clone()
    }
}

pub(crate) fn position(header: &[String], name: &str) -> Option<usize> {
    // An exact match wins over one that differs in case.
    header.iter().position(|column| column == name).or_else(|| header.iter().position(|column| column.eq_ignore_ascii_case(name)))
}

/// The first column whose name is in `names`, leaving out the columns `taken`.
fn first(header: &[String], names: &[&str], taken: &[Option<usize>]) -> Option<usize> {
    names.iter().filter_map(|name| position(header, name)).find(|index| !taken.contains(&Some(*index)))
}

/// Both columns of the first customary sentence pair.
fn sentence_pair(header: &[String]) -> Option<(usize, usize)> {
    PAIRS.iter().find_map(|(first, second)| position(header, first).zip(position(header, second)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate(columns: &Columns, header: &[&str]) -> Result<ColumnIndices, DataError> {
        let header: Vec<String> = header.iter().map(|&name| name.into()).collect();
        columns.locate(&header, Path::new("file.csv"))
    }

    #[test]
    fn customary_names_are_guessed_in_any_case() {
        for (header, text, label) in [
            (["sentence", "label"], 0, 1),
            (["Class", "Review"], 1, 0),
            (["content", "TARGET"], 0, 1),
            (["v1", "text"], 1, 0),
            (["label", "v2"], 1, 0),
        ] {
            let found = locate(&Columns::default(), &header).unwrap();
            assert_eq!(found, ColumnIndices { text, pair: None, label }, "{header:?}");
        }
    }

    #[test]
    fn sentence_pairs_are_guessed() {
        let found = locate(&Columns::default(), &["index", "sentence1", "sentence2", "label"]).unwrap();
        assert_eq!(found, ColumnIndices { text: 1, pair: Some(2), label: 3 });
        let found = locate(&Columns::default(), &["index", "question", "sentence", "label"]).unwrap();
        assert_eq!(found, ColumnIndices { text: 1, pair: Some(2), label: 3 });
    }

    #[test]
    fn a_named_text_column_stands_alone() {
        let columns = Columns { text: Some("sentence2".into()), ..Columns::default() };
        let found = locate(&columns, &["sentence1", "sentence2", "label"]).unwrap();
        assert_eq!(found, ColumnIndices { text: 1, pair: None, label: 2 });
    }

    #[test]
    fn a_named_column_is_not_guessed_again() {
        let columns = Columns { text: Some("label".into()), ..Columns::default() };
        let found = locate(&columns, &["label", "class", "text"]).unwrap();
        assert_eq!(found, ColumnIndices { text: 0, pair: None, label: 1 });
    }

    #[test]
    fn a_named_column_that_is_absent_lists_those_there_are() {
        let columns = Columns { label: Some("stars".into()), ..Columns::default() };
        let error = locate(&columns, &["text", "rating"]).unwrap_err();
        assert_eq!(error.to_string(), r#"file.csv: there is no column "stars"; the columns are "text", "rating""#);
    }

    #[test]
    fn unrecognised_headers_are_refused() {
        let error = locate(&Columns::default(), &["a", "b"]).unwrap_err();
        assert!(matches!(error, DataError::UnclearColumn { role: "text", .. }), "{error}");
        let error = locate(&Columns::default(), &["text", "b", "c"]).unwrap_err();
        assert!(matches!(error, DataError::UnclearColumn { role: "label", .. }), "{error}");
    }
}
