//! Summaries of a task's rows, which outlive the rows.

use super::{Task, TaskKind, TaskMetric};
use crate::data::{BatchSource, Examples, Labels, RowTargets, Windows};

/// A task without its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSummary {
    /// The name of the task in results.
    pub name: String,
    /// The kind of the targets.
    pub kind: TaskKind,
    /// The classes, or the name of a regression's number.
    pub labels: Labels,
    /// The metrics, the main one first.
    pub metrics: Vec<TaskMetric>,
    /// The training rows.
    pub train: SplitSummary,
    /// The validation rows.
    pub dev: SplitSummary,
}

/// Statistics of the rows of a split.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitSummary {
    /// The number of rows or questions.
    pub rows: usize,
    /// The number of rows skipped because the file breaks them across lines.
    pub left_out: usize,
    /// The number of rows of each class; empty if there are no classes.
    pub classes: Vec<usize>,
    /// Mean and standard deviation of a regression's targets.
    pub values: Option<MeanAndDeviation>,
    /// The lengths of the tokenized rows.
    pub lengths: Lengths,
}

/// Mean and standard deviation of a regression's targets. Predicting the mean for every row has a
/// loss of the squared deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanAndDeviation {
    /// The mean.
    pub mean: f64,
    /// The standard deviation over all numbers (n in the denominator).
    pub deviation: f64,
}

/// Sequence lengths in tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lengths {
    /// The mean.
    pub mean: f64,
    /// The median.
    pub median: u32,
    /// The maximum.
    pub longest: u32,
    /// The number of truncated sequences, or of windows of truncated texts.
    pub cut: usize,
    /// The number of sequences.
    pub sequences: usize,
}

impl TaskSummary {
    /// Summarizes a task and its tokenized rows.
    pub fn new(task: &Task, train: SplitSummary, dev: SplitSummary) -> Self {
        let Task {
            name,
            kind,
            labels,
            metrics,
            ..
        } = task;
        Self {
            name: name.clone(),
            kind: *kind,
            labels: labels.clone(),
            metrics: metrics.clone(),
            train,
            dev,
        }
    }

    /// The share of the most frequent class among the validation rows, which is the accuracy of
    /// always predicting it. `None` if there are no classes.
    pub fn majority(&self) -> Option<f64> {
        let most = self.dev.classes.iter().max()?;
        Some(*most as f64 / self.dev.rows as f64)
    }
}

impl SplitSummary {
    /// Summarizes tokenized rows with `classes` classes.
    pub fn from_examples(examples: &Examples, classes: usize) -> Self {
        let (mut counts, mut values) = (Vec::new(), None);
        match examples.targets() {
            RowTargets::Classes(of_rows) => {
                counts = vec![0; classes];
                of_rows
                    .iter()
                    .for_each(|class| counts[*class as usize] += 1);
            }
            RowTargets::Values(of_rows) => values = Some(MeanAndDeviation::of(of_rows)),
        }
        Self {
            rows: examples.len(),
            left_out: 0,
            classes: counts,
            values,
            lengths: Lengths::of(examples.lengths(), examples.cut()),
        }
    }

    /// Summarizes the windows of `questions` questions.
    pub fn from_windows(windows: &Windows, questions: usize) -> Self {
        Self {
            rows: questions,
            left_out: 0,
            classes: Vec::new(),
            values: None,
            lengths: Lengths::of(windows.lengths(), windows.cut()),
        }
    }
}

impl MeanAndDeviation {
    /// Summarizes at least one number.
    fn of(values: &[f32]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        let variance = values
            .iter()
            .map(|value| (f64::from(*value) - mean).powi(2))
            .sum::<f64>()
            / count;
        Self {
            mean,
            deviation: variance.sqrt(),
        }
    }
}

impl Lengths {
    /// Summarizes at least one sequence.
    pub(crate) fn of(mut lengths: Vec<u32>, cut: usize) -> Self {
        lengths.sort_unstable();
        let (sequences, total) = (
            lengths.len(),
            lengths.iter().map(|length| u64::from(*length)).sum::<u64>(),
        );
        Self {
            mean: total as f64 / sequences as f64,
            median: lengths[(sequences - 1) / 2],
            longest: lengths[sequences - 1],
            cut,
            sequences,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_numbers_are_summarized() {
        let lengths = Lengths::of(vec![9, 2, 4, 5], 1);
        assert_eq!(
            lengths,
            Lengths {
                mean: 5.0,
                median: 4,
                longest: 9,
                cut: 1,
                sequences: 4
            }
        );
        assert_eq!(
            MeanAndDeviation::of(&[1.0, 3.0]),
            MeanAndDeviation {
                mean: 2.0,
                deviation: 1.0
            }
        );
    }
}
