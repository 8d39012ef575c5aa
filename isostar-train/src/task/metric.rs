//! The scores that tasks are compared by.

use crate::data::Labels;
use crate::score;

/// A score of a task's predictions, under its name in result.json.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskMetric {
    /// The share of right classes.
    Accuracy,
    /// F1 of the second of two classes as they are sorted, whatever order a model has them in; of more the mean of them all.
    F1,
    /// Matthews' correlation coefficient.
    Matthews,
    /// Pearson's correlation.
    Pearson,
    /// Spearman's correlation.
    Spearman,
    /// How often an answer equals a gold answer, in per cent as SQuAD's script has it.
    ExactMatch,
    /// The mean F1 of the words of an answer, in per cent as SQuAD's script has it.
    SpanF1,
}

impl TaskMetric {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::F1 | Self::SpanF1 => "f1",
            Self::Matthews => "matthews",
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
            Self::ExactMatch => "exact_match",
        }
    }

    /// The score of predicted classes; NaN for a score of something else.
    pub(super) fn of_classes(self, right: &[usize], found: &[usize], labels: &Labels) -> f64 {
        match self {
            Self::Accuracy => score::accuracy(right, found),
            Self::F1 if labels.len() == 2 => score::f1(right, found, labels.second()),
            Self::F1 => score::macro_f1(right, found),
            Self::Matthews => score::matthews_correlation(right, found),
            Self::Pearson | Self::Spearman | Self::ExactMatch | Self::SpanF1 => f64::NAN,
        }
    }

    /// The score of predicted numbers; NaN where there is none, as of a constant, or for a score of something else.
    pub(super) fn of_numbers(self, right: &[f64], found: &[f64]) -> f64 {
        let score = match self {
            Self::Pearson => score::pearson(right, found),
            Self::Spearman => score::spearman(right, found),
            Self::Accuracy | Self::F1 | Self::Matthews | Self::ExactMatch | Self::SpanF1 => None,
        };
        score.unwrap_or(f64::NAN)
    }

    /// The score among SQuAD's two; NaN for a score of something else.
    pub(super) fn of_answers(self, score: score::SpanScore) -> f64 {
        match self {
            Self::ExactMatch => score.exact_match,
            Self::SpanF1 => score.f1,
            Self::Accuracy | Self::F1 | Self::Matthews | Self::Pearson | Self::Spearman => f64::NAN,
        }
    }
}
