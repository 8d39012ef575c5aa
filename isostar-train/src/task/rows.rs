//! The rows of a split before tokenization.

use super::{TaskKind, TaskMetric};
use crate::data::{DataError, Labels, Question, RowTargets, Split, Unanswerable};

/// The rows of a split as read, before tokenization.
#[derive(Debug, Clone)]
pub struct TaskRows {
    /// The kind of the targets.
    pub kind: TaskKind,
    /// The rows.
    pub split: Split,
    /// The gold answers; empty for rows with labels.
    pub questions: Vec<Question>,
    /// Whether a question may be unanswerable.
    pub unanswerable: Unanswerable,
    /// The metrics.
    pub metrics: Vec<TaskMetric>,
}

impl TaskRows {
    /// Returns the targets of the rows.
    pub(super) fn targets(&self, labels: &Labels) -> Result<RowTargets, DataError> {
        match self.kind {
            TaskKind::Regression => RowTargets::values(&self.split.rows, &self.split.path),
            TaskKind::Classification | TaskKind::Span => labels
                .indices_of(&self.split.rows, &self.split.path)
                .map(RowTargets::Classes),
        }
    }
}
