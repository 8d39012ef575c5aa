//! The metrics of tasks.

use crate::data::Labels;
use crate::score::{self, Squad2Score};

/// A metric of a task's predictions, stored under its name in result.json.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskMetric {
    /// The share of rows whose class is predicted correctly.
    Accuracy,
    /// F1 of the second of two classes in sorted order, independent of the model's label order;
    /// with more classes, the mean F1 over all of them.
    F1,
    /// Matthews' correlation coefficient.
    Matthews,
    /// Pearson's correlation coefficient.
    Pearson,
    /// Spearman's rank correlation coefficient.
    Spearman,
    /// The share of answers that equal a gold answer, in per cent as in SQuAD's script.
    ExactMatch,
    /// The mean F1 of the words of the answers, in per cent as in SQuAD's script.
    SpanF1,
    /// [`ExactMatch`](Self::ExactMatch) over the questions that have an answer.
    HasAnswerExactMatch,
    /// [`SpanF1`](Self::SpanF1) over the questions that have an answer.
    HasAnswerF1,
    /// [`ExactMatch`](Self::ExactMatch) over the questions without an answer: the share for which
    /// no answer is predicted, in per cent.
    NoAnswerExactMatch,
    /// [`SpanF1`](Self::SpanF1) over the questions without an answer; equal to
    /// [`NoAnswerExactMatch`](Self::NoAnswerExactMatch).
    NoAnswerF1,
}

impl TaskMetric {
    /// The name of the metric in result.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::F1 | Self::SpanF1 => "f1",
            Self::Matthews => "matthews",
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
            Self::ExactMatch => "exact_match",
            Self::HasAnswerExactMatch => "has_answer_exact_match",
            Self::HasAnswerF1 => "has_answer_f1",
            Self::NoAnswerExactMatch => "no_answer_exact_match",
            Self::NoAnswerF1 => "no_answer_f1",
        }
    }

    /// Whether the metric covers only some of the rows. Such a metric is computed after training
    /// only: every metric of an epoch keeps the predictions of all rows in memory.
    pub fn is_of_part(self) -> bool {
        matches!(
            self,
            Self::HasAnswerExactMatch
                | Self::HasAnswerF1
                | Self::NoAnswerExactMatch
                | Self::NoAnswerF1
        )
    }

    /// Computes the metric of predicted classes; NaN for a metric of another task kind.
    pub(super) fn of_classes(self, right: &[usize], found: &[usize], labels: &Labels) -> f64 {
        match self {
            Self::Accuracy => score::accuracy(right, found),
            Self::F1 if labels.len() == 2 => score::f1(right, found, labels.second()),
            Self::F1 => score::macro_f1(right, found),
            Self::Matthews => score::matthews_correlation(right, found),
            _ => f64::NAN,
        }
    }

    /// Computes the metric of predicted numbers; NaN if it is undefined, as for constant numbers,
    /// or for a metric of another task kind.
    pub(super) fn of_numbers(self, right: &[f64], found: &[f64]) -> f64 {
        let score = match self {
            Self::Pearson => score::pearson(right, found),
            Self::Spearman => score::spearman(right, found),
            _ => None,
        };
        score.unwrap_or(f64::NAN)
    }

    /// Selects the metric from SQuAD's scores; NaN if no question of its kind exists, or for a
    /// metric of another task kind.
    pub(super) fn of_answers(self, score: Squad2Score) -> f64 {
        let value = match self {
            Self::ExactMatch => Some(score.all.exact_match),
            Self::SpanF1 => Some(score.all.f1),
            Self::HasAnswerExactMatch => score.has_answer.map(|score| score.exact_match),
            Self::HasAnswerF1 => score.has_answer.map(|score| score.f1),
            Self::NoAnswerExactMatch => score.no_answer.map(|score| score.exact_match),
            Self::NoAnswerF1 => score.no_answer.map(|score| score.f1),
            _ => None,
        };
        value.unwrap_or(f64::NAN)
    }
}
