//! The labels of a task, in a fixed order.

use std::collections::HashSet;
use std::path::Path;

use super::{DataError, TextRow};

/// The distinct labels of a task; a label's position is its class index.
///
/// Labels of rows that are all integers are in numeric order, others are sorted as text, so that the order depends on the labels alone. A
/// whole number is one label however it is written: see [`canonical_label`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    origin: Origin,
}

/// Where labels come from, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Rows,
    Model,
}

/// The one form of a label: a whole number with a fraction of zeros loses it, so that `1`, `1.0` and `1.00` are the label `1`, as `-0.0`
/// and `0` are `0`.
///
/// Tables write the same class in both ways: pandas turns a column of integers into floats as soon as one value is missing. Any other label
/// is text and stays as it is: `01`, `1e0`, `1.5`, `1.10` and `1.` are no other spelling of anything.
///
/// ```
/// use isostar_train::data::canonical_label;
///
/// assert_eq!(["1", "1.0", "-2.00", "-0.0"].map(canonical_label), ["1", "1", "-2", "0"]);
/// assert_eq!(["01.0", "1e0", "1.10", "1.", "v1.0"].map(canonical_label), ["01.0", "1e0", "1.10", "1.", "v1.0"]);
/// ```
pub fn canonical_label(label: &str) -> &str {
    let Some((whole, fraction)) = label.split_once('.') else { return label };
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_whole = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    match digits {
        _ if !is_whole || !is_number => label,
        "0" => digits,
        _ => whole,
    }
}

impl Labels {
    /// The labels that occur in the training rows.
    ///
    /// # Errors
    /// [`DataError::OneLabel`] if all rows carry the same label.
    ///
    /// # Panics
    /// If there are no rows; the readers refuse files without any.
    pub fn of(rows: &[TextRow]) -> Result<Self, DataError> {
        assert!(!rows.is_empty(), "Labels::of: there must be a row");
        let labels = Self::occurring_in(rows);
        match &labels.names[..] {
            [label] => Err(DataError::OneLabel { rows: rows.len(), label: label.clone() }),
            _ => Ok(labels),
        }
    }

    /// The labels that occur in rows, however few.
    pub(crate) fn occurring_in(rows: &[TextRow]) -> Self {
        let mut names: Vec<&str> = rows.iter().map(|row| canonical_label(&row.label)).collect();
        sort(&mut names);
        names.dedup();
        Self::from_names(names.into_iter().map(String::from).collect())
    }

    /// Labels that are known already, such as those of a task by name, in the order of their class indices.
    pub fn from_names(names: Vec<String>) -> Self {
        Self { names, origin: Origin::Rows }
    }

    /// The labels that a model was saved with, in the order of its outputs.
    pub fn of_model(names: Vec<String>) -> Self {
        Self { names, origin: Origin::Model }
    }

    /// The labels in the order of their class indices.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of classes.
    #[expect(clippy::len_without_is_empty, reason = "a task has at least one class")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The class index of the label that comes second when they are sorted: of two labels the one that F1 is of, in whichever order a model
    /// has them.
    ///
    /// # Panics
    /// If there are fewer than two labels.
    pub fn second(&self) -> usize {
        let mut sorted: Vec<&str> = self.names.iter().map(String::as_str).collect();
        sort(&mut sorted);
        let second = sorted[1];
        self.names.iter().position(|name| name == second).expect("it is one of them")
    }

    /// These labels in the order of a model's outputs, if the outputs carry the names of these labels, or else `synonyms`, which are other
    /// names of these labels in their order; `None` if they carry others. Case counts as in [`outputs_of`].
    pub(crate) fn in_order_of(&self, outputs: &[String], synonyms: &[&str]) -> Option<Self> {
        let own: Vec<&str> = self.names.iter().map(String::as_str).collect();
        [&own[..], synonyms].into_iter().filter(|names| names.len() == outputs.len()).find_map(|names| {
            let places: Vec<usize> = outputs_of(names, outputs).into_iter().collect::<Option<_>>()?;
            let mut ordered = self.names.clone();
            places.into_iter().zip(&self.names).for_each(|(output, name)| ordered[output].clone_from(name));
            Some(Self { names: ordered, origin: self.origin })
        })
    }

    /// The class index of one row of the file `path`.
    ///
    /// # Errors
    /// [`DataError::UnknownLabel`] if the row's label is not among these, and [`DataError::NotOfModel`] if these are a model's.
    pub fn index_of(&self, row: &TextRow, path: &Path) -> Result<u32, DataError> {
        // A task has few classes: comparing with each is as fast as a hash.
        let found = self.names.iter().position(|name| canonical_label(name) == canonical_label(&row.label));
        found.map(|index| index as u32).ok_or_else(|| {
            let (path, line, label, known) = (path.into(), row.line, row.label.clone(), self.names.clone());
            match self.origin {
                Origin::Rows => DataError::UnknownLabel { path, line, label, known },
                Origin::Model => DataError::NotOfModel { path, line, label, known },
            }
        })
    }

    /// The class indices of all rows of the file `path`.
    ///
    /// # Errors
    /// As [`index_of`](Self::index_of), at the first row whose label is not among these.
    pub fn indices_of(&self, rows: &[TextRow], path: &Path) -> Result<Vec<u32>, DataError> {
        rows.iter().map(|row| self.index_of(row, path)).collect()
    }
}

/// Which of a model's outputs each label is the name of; `None` for a label that none has.
///
/// Where not all labels are found as they are written, case does not count, as in transformers' run_glue.py, unless labels or outputs differ
/// in nothing else.
pub(crate) fn outputs_of(labels: &[&str], outputs: &[String]) -> Vec<Option<usize>> {
    let places = |key: fn(&str) -> String| -> Vec<Option<usize>> {
        let keys: Vec<String> = outputs.iter().map(|output| key(output)).collect();
        labels.iter().map(|label| key(label)).map(|label| keys.iter().position(|output| *output == label)).collect()
    };
    let exact = places(|label| canonical_label(label).to_string());
    let folded: fn(&str) -> String = |label| canonical_label(label).to_lowercase();
    let is_distinct = |keys: Vec<String>| keys.iter().collect::<HashSet<_>>().len() == keys.len();
    let is_unambiguous = || {
        is_distinct(labels.iter().map(|label| folded(label)).collect()) && is_distinct(outputs.iter().map(|label| folded(label)).collect())
    };
    if exact.iter().all(Option::is_some) || !is_unambiguous() { exact } else { places(folded) }
}

/// Sorts labels that are all integers by number, and others as text.
fn sort(names: &mut [&str]) {
    names.sort_unstable();
    // Stable: labels of equal value, such as 1 and 01, stay sorted as text.
    if names.iter().all(|name| name.parse::<i64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<i64>().ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(labels: &[&str]) -> Vec<TextRow> {
        let row = |(index, label): (usize, &&str)| TextRow { text: "text".into(), pair: None, label: (*label).into(), line: index + 2 };
        labels.iter().enumerate().map(row).collect()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn integers_are_in_numeric_order() {
        let labels = Labels::of(&rows(&["10", "2", "-1", "2"])).unwrap();
        assert_eq!(labels.names(), ["-1", "2", "10"]);
    }

    #[test]
    fn words_are_sorted() {
        let labels = Labels::of(&rows(&["positive", "10", "negative", "2"])).unwrap();
        assert_eq!(labels.names(), ["10", "2", "negative", "positive"]);
    }

    #[test]
    fn the_order_does_not_depend_on_the_rows() {
        assert_eq!(Labels::of(&rows(&["1", "01", "0"])).unwrap(), Labels::of(&rows(&["0", "01", "1", "1"])).unwrap());
    }

    #[test]
    fn a_whole_number_is_one_label_however_it_is_written() {
        let labels = Labels::of(&rows(&["1", "1.0", "0.00", "-0", "0", "01", "1e0", "1.10", "1.1"])).unwrap();
        assert_eq!(labels.names(), ["-0", "0", "01", "1", "1.1", "1.10", "1e0"]);
        // Of a model that was trained on floats.
        let floats = Labels::of_model(names(&["0.0", "1.0"]));
        assert_eq!(floats.indices_of(&rows(&["1", "0", "1.0"]), Path::new("dev.tsv")).unwrap(), [1, 0, 1]);
    }

    #[test]
    fn a_label_unseen_in_training_is_an_error_with_its_line() {
        let labels = Labels::of(&rows(&["0", "1"])).unwrap();
        let dev = rows(&["1", "0", "2"]);
        assert_eq!(labels.indices_of(&dev[..2], Path::new("dev.tsv")).unwrap(), [1, 0]);
        let error = labels.indices_of(&dev, Path::new("dev.tsv")).unwrap_err();
        assert_eq!(error.to_string(), r#"dev.tsv, line 4: label "2" does not occur in the training rows, which have "0", "1""#);
        let error = Labels::of_model(names(&["no", "yes"])).indices_of(&dev, Path::new("dev.tsv")).unwrap_err();
        assert_eq!(error.to_string(), r#"dev.tsv, line 2: label "1" is none of the model's labels, which are "no", "yes""#);
    }

    #[test]
    fn a_single_label_is_an_error() {
        assert!(matches!(Labels::of(&rows(&["1", "1.0"])), Err(DataError::OneLabel { rows: 2, .. })));
    }

    #[test]
    fn the_order_of_a_model_is_found_by_name_and_by_nothing_else() {
        let labels = Labels::from_names(names(&["entailment", "neutral", "contradiction"]));
        let ordered = |outputs: &[&str]| labels.in_order_of(&names(outputs), &["yes", "maybe", "no"]).map(|labels| labels.names);
        let expected = Some(names(&["contradiction", "entailment", "neutral"]));
        assert_eq!(ordered(&["contradiction", "entailment", "neutral"]), expected);
        assert_eq!(ordered(&["CONTRADICTION", "Entailment", "neutral"]), expected);
        assert_eq!(ordered(&["No", "Yes", "Maybe"]), expected);
        for others in [&["LABEL_0", "LABEL_1", "LABEL_2"][..], &["contradiction", "entailment"], &["entailment", "neutral", "no"]] {
            assert_eq!(ordered(others), None, "{others:?}");
        }
    }

    #[test]
    fn case_counts_where_nothing_else_tells_labels_apart() {
        assert_eq!(outputs_of(&["pos", "neg"], &names(&["NEG", "POS"])), [Some(1), Some(0)]);
        assert_eq!(outputs_of(&["A", "a"], &names(&["a", "A"])), [Some(1), Some(0)]);
        assert_eq!(outputs_of(&["Pos", "pos"], &names(&["POS", "NEG"])), [None, None]);
        assert_eq!(outputs_of(&["pos"], &names(&["Pos", "POS"])), [None]);
    }

    #[test]
    fn the_second_label_is_the_same_in_any_order() {
        for order in [["ham", "spam"], ["spam", "ham"]] {
            let labels = Labels::from_names(names(&order));
            assert_eq!(labels.names()[labels.second()], "spam");
        }
        assert_eq!(Labels::from_names(names(&["10", "9"])).second(), 0);
    }
}
