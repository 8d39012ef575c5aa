//! What a task's rows are like, kept when the rows themselves are gone.

use super::{Task, TaskKind, TaskMetric};
use crate::data::{BatchSource, Examples, Labels, RowTargets, Windows};

/// A task without its text.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSummary {
    /// What the task is called in results.
    pub name: String,
    /// What is to be found.
    pub kind: TaskKind,
    /// The classes, or the name of the number.
    pub labels: Labels,
    /// The scores it is judged by, the one that is compared first.
    pub metrics: Vec<TaskMetric>,
    /// The rows to learn from.
    pub train: SplitSummary,
    /// The rows to judge by.
    pub dev: SplitSummary,
}

/// The rows of a split.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitSummary {
    /// How many rows, or questions.
    pub rows: usize,
    /// How many rows of the file were left out because it breaks them over lines.
    pub left_out: usize,
    /// How many of each class; empty where there are none.
    pub classes: Vec<usize>,
    /// The spread of the numbers of a regression.
    pub values: Option<Spread>,
    /// The lengths of the tokenized rows.
    pub lengths: Lengths,
}

/// Mean and standard deviation of the numbers to be found: a constant answer of the mean has the squared deviation as its loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation over all numbers (n in the denominator).
    pub deviation: f64,
}

/// Lengths in tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lengths {
    /// The mean.
    pub mean: f64,
    /// Half are no longer than this.
    pub median: u32,
    /// The longest.
    pub longest: u32,
    /// How many sequences lost tokens to the longest length, or are windows of a text that did.
    pub cut: usize,
    /// How many sequences there are.
    pub sequences: usize,
}

impl TaskSummary {
    /// Of a task and its tokenized rows.
    pub fn new(task: &Task, train: SplitSummary, dev: SplitSummary) -> Self {
        let Task { name, kind, labels, metrics, .. } = task;
        Self { name: name.clone(), kind: *kind, labels: labels.clone(), metrics: metrics.clone(), train, dev }
    }

    /// The share of the most frequent class among the rows to judge by: what a constant answer would reach. `None` where there are no classes.
    pub fn majority(&self) -> Option<f64> {
        let most = self.dev.classes.iter().max()?;
        Some(*most as f64 / self.dev.rows as f64)
    }
}

impl SplitSummary {
    /// Of tokenized rows with so many classes.
    pub fn of_examples(examples: &Examples, classes: usize) -> Self {
        let (mut counts, mut values) = (Vec::new(), None);
        match examples.targets() {
            RowTargets::Classes(of_rows) => {
                counts = vec![0; classes];
                of_rows.iter().for_each(|class| counts[*class as usize] += 1);
            }
            RowTargets::Values(of_rows) => values = Some(Spread::of(of_rows)),
        }
        Self { rows: examples.len(), left_out: 0, classes: counts, values, lengths: Lengths::of(examples.lengths(), examples.cut()) }
    }

    /// Of questions in windows.
    pub fn of_windows(windows: &Windows, questions: usize) -> Self {
        Self { rows: questions, left_out: 0, classes: Vec::new(), values: None, lengths: Lengths::of(windows.lengths(), windows.cut()) }
    }
}

impl Spread {
    /// Of at least one number.
    fn of(values: &[f32]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        let variance = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count;
        Self { mean, deviation: variance.sqrt() }
    }
}

impl Lengths {
    /// Of at least one sequence.
    pub(crate) fn of(mut lengths: Vec<u32>, cut: usize) -> Self {
        lengths.sort_unstable();
        let (sequences, total) = (lengths.len(), lengths.iter().map(|length| u64::from(*length)).sum::<u64>());
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
    fn lengths_and_numbers_are_summed_up() {
        let lengths = Lengths::of(vec![9, 2, 4, 5], 1);
        assert_eq!(lengths, Lengths { mean: 5.0, median: 4, longest: 9, cut: 1, sequences: 4 });
        assert_eq!(Spread::of(&[1.0, 3.0]), Spread { mean: 2.0, deviation: 1.0 });
    }
}
