//! Random subsets of a split.

use super::{Task, TaskError, TaskKind};
use crate::data::draw::{stratified, uniform};
use crate::data::{Labels, Split};

impl Task {
    /// Returns the indices of `limit` rows of a split, in ascending order; all indices if the split
    /// has no more rows. The rows are drawn with `seed`, and each class keeps its share.
    pub fn draw(&self, split: &Split, limit: usize, seed: u64) -> Vec<usize> {
        match self.kind {
            TaskKind::Classification => stratified(&split.rows, limit, seed),
            TaskKind::Regression | TaskKind::Span => uniform(split.rows.len(), limit, seed),
        }
    }

    /// Keeps at most `limit` training rows and their gold answers.
    ///
    /// # Errors
    /// [`TaskError::Limit`] if the training rows have more classes than `limit`.
    pub(super) fn limit_train(&mut self, limit: usize, seed: u64) -> Result<(), TaskError> {
        if self.kind == TaskKind::Classification && self.labels.names().is_empty() {
            let classes = Labels::occurring_in(&self.splits.train.rows).len();
            if limit < classes {
                return Err(TaskError::Limit {
                    path: self.splits.train.path.clone(),
                    limit,
                    classes,
                });
            }
        }
        let drawn = self.draw(&self.splits.train, limit, seed);
        keep(&mut self.splits.train.rows, &drawn);
        keep(&mut self.questions[0], &drawn);
        Ok(())
    }
}

/// Keeps the items at these ascending indices. An empty list stays empty.
fn keep<T>(items: &mut Vec<T>, positions: &[usize]) {
    let mut kept = positions.iter().copied().peekable();
    let mut at = 0;
    items.retain(|_| {
        let is_kept = kept.next_if_eq(&at).is_some();
        at += 1;
        is_kept
    });
}
