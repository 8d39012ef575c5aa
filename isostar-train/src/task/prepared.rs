//! The rows of a split, tokenized, with who judges them.

use std::fmt::Debug;
use std::sync::Arc;

use isostar_models::{SequenceClassifier, SpanExtractor};

use super::{SequenceJudge, SpanJudge, SplitSummary, TaskKind, TaskMetric, TaskModel};
use crate::data::{BatchSource, DataError, Labels, Question, RowTargets, Split, TextEncoder, TokenCache, Unanswerable, WindowSettings};

/// The rows of a split as they were read.
#[derive(Debug, Clone)]
pub struct TaskRows {
    /// What is to be found.
    pub kind: TaskKind,
    /// The rows.
    pub split: Split,
    /// Their answers, where they are questions.
    pub questions: Vec<Question>,
    /// Whether a question may have no answer.
    pub unanswerable: Unanswerable,
    /// The scores they are judged by.
    pub metrics: Vec<TaskMetric>,
}

/// How rows become tokens.
#[derive(Debug, Clone, Copy)]
pub struct Preparation<'a> {
    /// Tokenizes.
    pub encoder: &'a TextEncoder,
    /// The labels in the order of their class indices.
    pub labels: &'a Labels,
    /// Tokens that windows of a paragraph share.
    pub stride: usize,
    /// Whether answers are to be read from these rows: their paragraphs are then kept.
    pub is_judged: bool,
    /// Where token ids are kept from one run to the next; none to tokenize in any case.
    pub cache: Option<&'a TokenCache>,
}

/// The rows of a split, tokenized.
pub struct PreparedSplit<M: TaskModel> {
    /// What batches are made from.
    pub source: Arc<M::Source>,
    /// Judges them; none where answers are not to be read from these rows.
    pub judge: Option<M::Judge>,
    /// What they are like.
    pub summary: SplitSummary,
}

impl<M: TaskModel> Debug for PreparedSplit<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreparedSplit").field("summary", &self.summary).finish_non_exhaustive()
    }
}

impl<M: TaskModel> PreparedSplit<M> {
    /// A judge of the rows, which has seen nothing yet.
    ///
    /// # Panics
    /// If the rows were not prepared to be judged.
    pub fn judge(&self) -> M::Judge {
        self.judge.clone().expect("PreparedSplit::judge: the rows were not prepared to be judged")
    }
}

impl TaskRows {
    /// What is right for the rows, by these labels.
    fn targets(&self, labels: &Labels) -> Result<RowTargets, DataError> {
        match self.kind {
            TaskKind::Regression => RowTargets::values(&self.split.rows, &self.split.path),
            TaskKind::Classification | TaskKind::Span => labels.indices_of(&self.split.rows, &self.split.path).map(RowTargets::Classes),
        }
    }
}

impl PreparedSplit<SequenceClassifier> {
    /// Rows with a class or a number each.
    pub(super) fn of_sequences(rows: TaskRows, how: Preparation<'_>) -> Result<Self, DataError> {
        let targets = rows.targets(how.labels)?;
        let examples = match how.cache {
            Some(cache) => cache.encode(how.encoder, &rows.split.rows, targets)?,
            None => how.encoder.encode_targets(&rows.split.rows, targets)?,
        };
        check_tokens(&rows.split, examples.lengths().into_iter().zip(0..))?;
        let summary = SplitSummary { left_out: rows.split.left_out, ..SplitSummary::of_examples(&examples, how.labels.len()) };
        let judge = Some(SequenceJudge::new(how.labels.clone(), rows.metrics));
        Ok(Self { source: Arc::new(examples), judge, summary })
    }
}

impl PreparedSplit<SpanExtractor> {
    /// Questions with their paragraphs.
    pub(super) fn of_spans(rows: TaskRows, how: Preparation<'_>) -> Result<Self, DataError> {
        let TaskRows { split, questions, unanswerable, metrics, .. } = rows;
        let settings = WindowSettings { stride: how.stride, keep_places: how.is_judged };
        let windows = Arc::new(match how.cache {
            Some(cache) => cache.encode_windows(how.encoder, &split.rows, &questions, settings, &split.path)?,
            None => how.encoder.encode_windows(&split.rows, &questions, settings, &split.path)?,
        });
        let questions_of_windows = (0..).zip(windows.lengths()).map(|(window, length)| (length, windows.question(window)));
        check_tokens(&split, questions_of_windows)?;
        let summary = SplitSummary::of_windows(&windows, questions.len());
        let judge = how.is_judged.then(|| SpanJudge::new(windows.clone(), split.rows, questions, unanswerable, metrics));
        Ok(Self { source: windows, judge, summary })
    }
}

/// Refuses a row without a token: it has no hidden state.
///
/// # Arguments
/// - `lengths`: of each sequence in tokens, with its row
///
/// # Errors
/// [`DataError::NoTokens`] with the line.
fn check_tokens(split: &Split, mut lengths: impl Iterator<Item = (u32, u32)>) -> Result<(), DataError> {
    match lengths.find(|(length, _)| *length == 0) {
        Some((_, row)) => Err(DataError::NoTokens { path: split.path.clone(), line: split.rows[row as usize].line }),
        None => Ok(()),
    }
}
