//! The labels of a task, in a fixed order.

use std::path::Path;

use super::{DataError, TextRow};

/// The distinct labels of the training rows; a label's position is its class index.
///
/// Labels that are all integers are in numeric order, others are sorted as text, so that the order depends on the labels alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
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
        let mut names: Vec<&str> = rows.iter().map(|row| row.label.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if let [label] = names[..] {
            return Err(DataError::OneLabel { rows: rows.len(), label: label.into() });
        }
        // Stable: labels of equal value, such as 1 and 01, stay sorted as text.
        if let Some(mut numbered) = names.iter().map(|name| name.parse::<i64>().ok().zip(Some(*name))).collect::<Option<Vec<_>>>() {
            numbered.sort_by_key(|(value, _)| *value);
            names = numbered.into_iter().map(|(_, name)| name).collect();
        }
        Ok(Self { names: names.into_iter().map(String::from).collect() })
    }

    /// Labels that are known already, such as those a trained model was saved with, in the order of their class indices.
    pub fn from_names(names: Vec<String>) -> Self {
        Self { names }
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

    /// The class index of one row of the file `path`.
    ///
    /// # Errors
    /// [`DataError::UnknownLabel`] if the row's label is not among these.
    pub fn index_of(&self, row: &TextRow, path: &Path) -> Result<u32, DataError> {
        // A task has few classes: comparing with each is as fast as a hash.
        self.names.iter().position(|name| *name == row.label).map(|index| index as u32).ok_or_else(|| DataError::UnknownLabel {
            path: path.into(),
            line: row.line,
            label: row.label.clone(),
            known: self.names.clone(),
        })
    }

    /// The class indices of all rows of the file `path`.
    ///
    /// # Errors
    /// [`DataError::UnknownLabel`] at the first row whose label is not among these.
    pub fn indices_of(&self, rows: &[TextRow], path: &Path) -> Result<Vec<u32>, DataError> {
        rows.iter().map(|row| self.index_of(row, path)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(labels: &[&str]) -> Vec<TextRow> {
        let row = |(index, label): (usize, &&str)| TextRow { text: "text".into(), pair: None, label: (*label).into(), line: index + 2 };
        labels.iter().enumerate().map(row).collect()
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
    fn a_label_unseen_in_training_is_an_error_with_its_line() {
        let labels = Labels::of(&rows(&["0", "1"])).unwrap();
        let dev = rows(&["1", "0", "2"]);
        assert_eq!(labels.indices_of(&dev[..2], Path::new("dev.tsv")).unwrap(), [1, 0]);
        let error = labels.indices_of(&dev, Path::new("dev.tsv")).unwrap_err();
        assert_eq!(error.to_string(), r#"dev.tsv, line 4: label "2" does not occur in the training rows, which have "0", "1""#);
    }

    #[test]
    fn a_single_label_is_an_error() {
        assert!(matches!(Labels::of(&rows(&["1", "1"])), Err(DataError::OneLabel { rows: 2, .. })));
    }
}
