//! The scores that tasks are compared by.

use crate::data::Labels;
use crate::score::{self, Squad2Score};

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
    /// [`ExactMatch`](Self::ExactMatch) of the questions that have an answer.
    HasAnswerExactMatch,
    /// [`SpanF1`](Self::SpanF1) of the questions that have an answer.
    HasAnswerF1,
    /// [`ExactMatch`](Self::ExactMatch) of the questions that have none: how often no answer is given to them, in per cent.
    NoAnswerExactMatch,
    /// [`SpanF1`](Self::SpanF1) of the questions that have none, which is the same.
    NoAnswerF1,
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
            Self::HasAnswerExactMatch => "has_answer_exact_match",
            Self::HasAnswerF1 => "has_answer_f1",
            Self::NoAnswerExactMatch => "no_answer_exact_match",
            Self::NoAnswerF1 => "no_answer_f1",
        }
    }

    /// Whether it is the score of a part of the rows, which is known after training and not epoch by epoch: each score of an epoch keeps what
    /// the model says of every row.
    pub fn is_of_part(self) -> bool {
        matches!(self, Self::HasAnswerExactMatch | Self::HasAnswerF1 | Self::NoAnswerExactMatch | Self::NoAnswerF1)
    }

    /// The score of predicted classes; NaN for a score of something else.
    pub(super) fn of_classes(self, right: &[usize], found: &[usize], labels: &Labels) -> f64 {
        match self {
            Self::Accuracy => score::accuracy(right, found),
            Self::F1 if labels.len() == 2 => score::f1(right, found, labels.second()),
            Self::F1 => score::macro_f1(right, found),
            Self::Matthews => score::matthews_correlation(right, found),
            _ => f64::NAN,
        }
    }

    /// The score of predicted numbers; NaN where there is none, as of a constant, or for a score of something else.
    pub(super) fn of_numbers(self, right: &[f64], found: &[f64]) -> f64 {
        let score = match self {
            Self::Pearson => score::pearson(right, found),
            Self::Spearman => score::spearman(right, found),
            _ => None,
        };
        score.unwrap_or(f64::NAN)
    }

    /// The score among SQuAD's; NaN for that of a part without questions, or of something else.
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
