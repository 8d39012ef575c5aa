//! Labels of a task, in a fixed order.

use std::collections::HashSet;
use std::path::Path;

use super::{DataError, TextRow};

/// Distinct labels of a task; the position of a label is its class index.
///
/// Labels collected from rows are sorted, numerically if all of them are integers and as text
/// otherwise, so that the order depends only on the labels. Spellings of the same whole number are
/// one label, see [`canonical_label`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    origin: Origin,
}

/// Origin of labels, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Rows,
    Model,
}

/// Canonical form of a label: a fraction of zeros is removed from a whole number, so that `1`,
/// `1.0` and `1.00` become `1`, and `-0.0` becomes `0`.
///
/// Files spell the same class in both ways: pandas converts a column of integers to floats as soon
/// as one value is missing. Any other label is returned unchanged, including `01`, `1e0`, `1.5`,
/// `1.10` and `1.`.
///
/// ```
/// use isostar_train::data::canonical_label;
///
/// assert_eq!(["1", "1.0", "-2.00", "-0.0"].map(canonical_label), ["1", "1", "-2", "0"]);
/// assert_eq!(["01.0", "1e0", "1.10", "1.", "v1.0"].map(canonical_label), ["01.0", "1e0", "1.10", "1.", "v1.0"]);
/// ```
pub fn canonical_label(label: &str) -> &str {
    let Some((whole, fraction)) = label.split_once('.') else {
        return label;
    };
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_whole = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
    let is_number = !digits.is_empty()
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    match digits {
        _ if !is_whole || !is_number => label,
        "0" => digits,
        _ => whole,
    }
}

/// Label in canonical form ([`canonical_label`]), without surrounding white space.
///
/// # Errors
/// [`DataError::BadValue`] if nothing remains.
pub(super) fn label_text(
    value: &str,
    column: &str,
    line: usize,
    path: &Path,
) -> Result<String, DataError> {
    let label = value.trim();
    if label.is_empty() {
        return Err(DataError::BadValue {
            path: path.into(),
            line,
            column: column.into(),
            found: "empty",
        });
    }
    Ok(canonical_label(label).into())
}

impl Labels {
    /// Labels that occur in the training rows.
    ///
    /// # Errors
    /// [`DataError::OneLabel`] if all rows have the same label.
    ///
    /// # Panics
    /// If `rows` is empty; the readers reject files without rows.
    pub fn from_rows(rows: &[TextRow]) -> Result<Self, DataError> {
        assert!(!rows.is_empty(), "Labels::of: there must be a row");
        let labels = Self::occurring_in(rows);
        match &labels.names[..] {
            [label] => Err(DataError::OneLabel {
                rows: rows.len(),
                label: label.clone(),
            }),
            _ => Ok(labels),
        }
    }

    /// Labels that occur in rows; may be only one.
    pub(crate) fn occurring_in(rows: &[TextRow]) -> Self {
        let mut names: Vec<&str> = rows.iter().map(|row| canonical_label(&row.label)).collect();
        sort(&mut names);
        names.dedup();
        Self::from_names(names.into_iter().map(String::from).collect())
    }

    /// Labels with known names, such as those of a known task, in the order of their class indices.
    pub fn from_names(names: Vec<String>) -> Self {
        Self {
            names,
            origin: Origin::Rows,
        }
    }

    /// Labels of a saved model, in the order of its outputs.
    pub fn from_model(names: Vec<String>) -> Self {
        Self {
            names,
            origin: Origin::Model,
        }
    }

    /// Label names, in the order of their class indices.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of classes.
    #[expect(clippy::len_without_is_empty, reason = "a task has at least one class")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Class index of the label that is second in sorted order. With two labels, it is the positive
    /// class of F1, independent of the order of a model's outputs.
    ///
    /// # Panics
    /// If there are fewer than two labels.
    pub fn second(&self) -> usize {
        let mut sorted: Vec<&str> = self.names.iter().map(String::as_str).collect();
        sort(&mut sorted);
        let second = sorted[1];
        self.names
            .iter()
            .position(|name| name == second)
            .expect("it is one of them")
    }

    /// These labels in the order of a model's outputs.
    ///
    /// The outputs must have the names of these labels or of their `synonyms`, which are other
    /// names in the same order; otherwise, returns `None`. [`outputs_of`] defines the treatment of
    /// case.
    pub(crate) fn in_order_of(&self, outputs: &[String], synonyms: &[&str]) -> Option<Self> {
        let own: Vec<&str> = self.names.iter().map(String::as_str).collect();
        [&own[..], synonyms]
            .into_iter()
            .filter(|names| names.len() == outputs.len())
            .find_map(|names| {
                let places: Vec<usize> = outputs_of(names, outputs)
                    .into_iter()
                    .collect::<Option<_>>()?;
                let mut ordered = self.names.clone();
                places
                    .into_iter()
                    .zip(&self.names)
                    .for_each(|(output, name)| ordered[output].clone_from(name));
                Some(Self {
                    names: ordered,
                    origin: self.origin,
                })
            })
    }

    /// Class index of a row; errors name `path`.
    ///
    /// # Errors
    /// If the row's label is unknown: [`DataError::NotOfModel`] if these are the labels of a model,
    /// otherwise [`DataError::UnknownLabel`].
    pub fn index_of(&self, row: &TextRow, path: &Path) -> Result<u32, DataError> {
        // Tasks have few classes, so a linear search is as fast as a hash.
        let found = self
            .names
            .iter()
            .position(|name| canonical_label(name) == canonical_label(&row.label));
        found.map(|index| index as u32).ok_or_else(|| {
            let (path, line, label, known) =
                (path.into(), row.line, row.label.clone(), self.names.clone());
            match self.origin {
                Origin::Rows => DataError::UnknownLabel {
                    path,
                    line,
                    label,
                    known,
                },
                Origin::Model => DataError::NotOfModel {
                    path,
                    line,
                    label,
                    known,
                },
            }
        })
    }

    /// Class indices of all rows; errors name `path`.
    ///
    /// # Errors
    /// Those of [`index_of`](Self::index_of), for the first row with an unknown label.
    pub fn indices_of(&self, rows: &[TextRow], path: &Path) -> Result<Vec<u32>, DataError> {
        rows.iter().map(|row| self.index_of(row, path)).collect()
    }
}

/// Index of the model output with each label's name; `None` for a label that no output has.
///
/// Names are compared exactly. If not all labels are found, they are compared case-insensitively,
/// as in transformers' run_glue.py, unless some labels or outputs differ only in case.
pub(crate) fn outputs_of(labels: &[&str], outputs: &[String]) -> Vec<Option<usize>> {
    let places = |key: fn(&str) -> String| -> Vec<Option<usize>> {
        let keys: Vec<String> = outputs.iter().map(|output| key(output)).collect();
        labels
            .iter()
            .map(|label| key(label))
            .map(|label| keys.iter().position(|output| *output == label))
            .collect()
    };
    let exact = places(|label| canonical_label(label).to_string());
    let folded: fn(&str) -> String = |label| canonical_label(label).to_lowercase();
    let is_distinct = |keys: Vec<String>| keys.iter().collect::<HashSet<_>>().len() == keys.len();
    let is_unambiguous = || {
        is_distinct(labels.iter().map(|label| folded(label)).collect())
            && is_distinct(outputs.iter().map(|label| folded(label)).collect())
    };
    if exact.iter().all(Option::is_some) || !is_unambiguous() {
        exact
    } else {
        places(folded)
    }
}

/// Sorts labels numerically if all of them are integers, and as text otherwise.
fn sort(names: &mut [&str]) {
    names.sort_unstable();
    // The sort is stable: labels of equal value, such as 1 and 01, stay sorted as text.
    if names.iter().all(|name| name.parse::<i64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<i64>().ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(labels: &[&str]) -> Vec<TextRow> {
        let row = |(index, label): (usize, &&str)| TextRow {
            text: "text".into(),
            pair: None,
            label: (*label).into(),
            line: index + 2,
        };
        labels.iter().enumerate().map(row).collect()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn integers_are_in_numeric_order() {
        let labels = Labels::from_rows(&rows(&["10", "2", "-1", "2"])).unwrap();
        assert_eq!(labels.names(), ["-1", "2", "10"]);
    }

    #[test]
    fn words_are_sorted() {
        let labels = Labels::from_rows(&rows(&["positive", "10", "negative", "2"])).unwrap();
        assert_eq!(labels.names(), ["10", "2", "negative", "positive"]);
    }

    #[test]
    fn the_order_does_not_depend_on_the_rows() {
        assert_eq!(
            Labels::from_rows(&rows(&["1", "01", "0"])).unwrap(),
            Labels::from_rows(&rows(&["0", "01", "1", "1"])).unwrap()
        );
    }

    #[test]
    fn spellings_of_a_whole_number_are_one_label() {
        let labels = Labels::from_rows(&rows(&[
            "1", "1.0", "0.00", "-0", "0", "01", "1e0", "1.10", "1.1",
        ]))
        .unwrap();
        assert_eq!(labels.names(), ["-0", "0", "01", "1", "1.1", "1.10", "1e0"]);
        // Labels of a model that was trained on floats.
        let floats = Labels::from_model(names(&["0.0", "1.0"]));
        assert_eq!(
            floats
                .indices_of(&rows(&["1", "0", "1.0"]), Path::new("dev.tsv"))
                .unwrap(),
            [1, 0, 1]
        );
    }

    #[test]
    fn a_label_unseen_in_training_is_an_error_with_its_line() {
        let labels = Labels::from_rows(&rows(&["0", "1"])).unwrap();
        let dev = rows(&["1", "0", "2"]);
        assert_eq!(
            labels.indices_of(&dev[..2], Path::new("dev.tsv")).unwrap(),
            [1, 0]
        );
        let error = labels.indices_of(&dev, Path::new("dev.tsv")).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"dev.tsv, line 4: label "2" does not occur in the training rows, whose labels are "0", "1""#
        );
        let error = Labels::from_model(names(&["no", "yes"]))
            .indices_of(&dev, Path::new("dev.tsv"))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"dev.tsv, line 2: label "1" is not one of the model's labels: "no", "yes""#
        );
    }

    #[test]
    fn a_single_label_is_an_error() {
        assert!(matches!(
            Labels::from_rows(&rows(&["1", "1.0"])),
            Err(DataError::OneLabel { rows: 2, .. })
        ));
    }

    #[test]
    fn the_order_of_a_model_is_found_by_label_names_only() {
        let labels = Labels::from_names(names(&["entailment", "neutral", "contradiction"]));
        let ordered = |outputs: &[&str]| {
            labels
                .in_order_of(&names(outputs), &["yes", "maybe", "no"])
                .map(|labels| labels.names)
        };
        let expected = Some(names(&["contradiction", "entailment", "neutral"]));
        assert_eq!(
            ordered(&["contradiction", "entailment", "neutral"]),
            expected
        );
        assert_eq!(
            ordered(&["CONTRADICTION", "Entailment", "neutral"]),
            expected
        );
        assert_eq!(ordered(&["No", "Yes", "Maybe"]), expected);
        for others in [
            &["LABEL_0", "LABEL_1", "LABEL_2"][..],
            &["contradiction", "entailment"],
            &["entailment", "neutral", "no"],
        ] {
            assert_eq!(ordered(others), None, "{others:?}");
        }
    }

    #[test]
    fn case_matters_if_labels_differ_only_in_case() {
        assert_eq!(
            outputs_of(&["pos", "neg"], &names(&["NEG", "POS"])),
            [Some(1), Some(0)]
        );
        assert_eq!(
            outputs_of(&["A", "a"], &names(&["a", "A"])),
            [Some(1), Some(0)]
        );
        assert_eq!(
            outputs_of(&["Pos", "pos"], &names(&["POS", "NEG"])),
            [None, None]
        );
        assert_eq!(outputs_of(&["pos"], &names(&["Pos", "POS"])), [None]);
    }

    #[test]
    fn the_second_label_does_not_depend_on_the_order() {
        for order in [["ham", "spam"], ["spam", "ham"]] {
            let labels = Labels::from_names(names(&order));
            assert_eq!(labels.names()[labels.second()], "spam");
        }
        assert_eq!(Labels::from_names(names(&["10", "9"])).second(), 0);
    }
}
