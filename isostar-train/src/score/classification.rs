//! Agreement of predicted and true classes.

use std::collections::BTreeMap;

/// The share of correct predictions, in `[0, 1]`.
///
/// # Panics
/// If there are no rows, or `labels` and `predictions` differ in length.
///
/// # References
/// `sklearn.metrics.accuracy_score`, which also refuses an empty split.
pub fn accuracy(labels: &[usize], predictions: &[usize]) -> f64 {
    let right: usize = tallies(labels, predictions)
        .values()
        .map(|class| class.right)
        .sum();
    right as f64 / labels.len() as f64
}

/// F1 of the class `positive`, the harmonic mean of its precision and recall.
///
/// ```text
///             2 · TP                TP true positives, FP false positives,
/// F1 = ─────────────────────        FN false negatives
///       2 · TP + FP + FN
/// ```
///
/// In `[0, 1]`. By definition 0 if the class neither occurs nor is predicted.
///
/// # Panics
/// If there are no rows, or `labels` and `predictions` differ in length.
///
/// # References
/// `sklearn.metrics.f1_score` with `pos_label=positive, zero_division=0`.
pub fn f1(labels: &[usize], predictions: &[usize], positive: usize) -> f64 {
    tallies(labels, predictions)
        .get(&positive)
        .map_or(0.0, Tally::f1)
}

/// The mean F1 over all classes that occur or are predicted.
///
/// In `[0, 1]`. A class that neither occurs nor is predicted is not part of the mean.
///
/// # Panics
/// If there are no rows, or `labels` and `predictions` differ in length.
///
/// # References
/// `sklearn.metrics.f1_score` with `average="macro", zero_division=0`.
pub fn macro_f1(labels: &[usize], predictions: &[usize]) -> f64 {
    let classes = tallies(labels, predictions);
    classes.values().map(Tally::f1).sum::<f64>() / classes.len() as f64
}

/// Matthews' correlation coefficient of labels and predictions, for any number of classes.
///
/// ```text
///                n · c − Σₖ tₖpₖ               n rows, c correct predictions,
/// MCC = ─────────────────────────────────      tₖ rows of class k,
///        √(n² − Σₖ tₖ²) √(n² − Σₖ pₖ²)         pₖ predictions of class k
/// ```
///
/// At most 1. In `[-1, 1]` for two classes; with more, the minimum depends on the tₖ. By definition
/// 0 if all labels or all predictions are of one class.
///
/// # Panics
/// If there are no rows, or `labels` and `predictions` differ in length.
///
/// # References
/// `sklearn.metrics.matthews_corrcoef`; Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient" (2004).
pub fn matthews_correlation(labels: &[usize], predictions: &[usize]) -> f64 {
    let classes = tallies(labels, predictions);
    let sum = |count: fn(&Tally) -> usize| -> i128 {
        classes.values().map(|class| count(class) as i128).sum()
    };
    let rows = labels.len() as i128;
    let both = rows * sum(|class| class.right) - sum(|class| class.labelled * class.predicted);
    let of_labels = rows * rows - sum(|class| class.labelled * class.labelled);
    let of_predictions = rows * rows - sum(|class| class.predicted * class.predicted);
    if of_labels == 0 || of_predictions == 0 {
        return 0.0;
    }
    both as f64 / (of_labels as f64 * of_predictions as f64).sqrt()
}

/// The confusion matrix: the number of rows of each class predicted as each class, as
/// `confusion[label][prediction]`.
///
/// # Panics
/// If a class is not below `classes`, or `labels` and `predictions` differ in length.
///
/// # References
/// `sklearn.metrics.confusion_matrix` with `labels=range(classes)`.
pub fn confusion(labels: &[usize], predictions: &[usize], classes: usize) -> Vec<Vec<usize>> {
    assert_lengths(labels, predictions);
    let mut counts = vec![vec![0; classes]; classes];
    for (label, prediction) in labels.iter().zip(predictions) {
        assert!(
            *label.max(prediction) < classes,
            "confusion: class {} of {classes}",
            label.max(prediction)
        );
        counts[*label][*prediction] += 1;
    }
    counts
}

/// Counts of one class.
#[derive(Default)]
struct Tally {
    /// The number of rows with this label.
    labelled: usize,
    /// The number of predictions of this class.
    predicted: usize,
    /// The number of correct predictions of this class.
    right: usize,
}

impl Tally {
    /// F1 of the class. The divisor is positive: a tally exists only for a class that occurs or is
    /// predicted.
    fn f1(&self) -> f64 {
        2.0 * self.right as f64 / (self.labelled + self.predicted) as f64
    }
}

fn tallies(labels: &[usize], predictions: &[usize]) -> BTreeMap<usize, Tally> {
    assert_lengths(labels, predictions);
    assert!(!labels.is_empty(), "there are no rows to score");
    let mut classes: BTreeMap<usize, Tally> = BTreeMap::new();
    for (label, prediction) in labels.iter().zip(predictions) {
        classes.entry(*label).or_default().labelled += 1;
        let predicted = classes.entry(*prediction).or_default();
        predicted.predicted += 1;
        predicted.right += usize::from(label == prediction);
    }
    classes
}

fn assert_lengths(labels: &[usize], predictions: &[usize]) {
    assert_eq!(
        labels.len(),
        predictions.len(),
        "{} labels, but {} predictions",
        labels.len(),
        predictions.len()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_and_inverted_predictions_reach_the_ends_of_every_range() {
        let (labels, inverted) = ([0, 1, 1, 0], [1, 0, 0, 1]);
        assert_eq!(
            (
                accuracy(&labels, &labels),
                f1(&labels, &labels, 1),
                matthews_correlation(&labels, &labels)
            ),
            (1.0, 1.0, 1.0)
        );
        assert_eq!(
            (
                accuracy(&labels, &inverted),
                f1(&labels, &inverted, 1),
                matthews_correlation(&labels, &inverted)
            ),
            (0.0, 0.0, -1.0)
        );
    }

    #[test]
    fn constant_predictions_have_no_matthews_correlation() {
        assert_eq!(matthews_correlation(&[0, 1, 1], &[1, 1, 1]), 0.0);
        assert_eq!(matthews_correlation(&[1, 1, 1], &[1, 1, 1]), 0.0);
    }

    #[test]
    fn a_class_that_neither_occurs_nor_is_predicted_has_f1_zero_and_is_not_in_the_mean() {
        assert_eq!(f1(&[0, 0], &[0, 0], 1), 0.0);
        assert_eq!(macro_f1(&[0, 0, 5], &[0, 0, 5]), 1.0);
    }

    #[test]
    fn a_class_that_is_only_predicted_lowers_the_mean() {
        assert_eq!(macro_f1(&[0, 0, 0], &[0, 0, 1]), 0.4);
    }

    #[test]
    fn confusion_has_labels_in_rows() {
        assert_eq!(confusion(&[0, 0, 1], &[0, 1, 1], 2), [[1, 1], [0, 1]]);
        assert_eq!(confusion(&[], &[], 1), [[0]]);
    }

    #[test]
    #[should_panic(expected = "class 2 of 2")]
    fn a_class_beyond_the_last_panics() {
        confusion(&[0], &[2], 2);
    }

    #[test]
    #[should_panic(expected = "there are no rows")]
    fn no_rows_panic() {
        accuracy(&[], &[]);
    }

    #[test]
    #[should_panic(expected = "2 labels, but 1 predictions")]
    fn missing_predictions_panic() {
        macro_f1(&[0, 1], &[0]);
    }
}
