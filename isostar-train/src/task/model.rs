use burn::train::metric::{Adaptor, LossInput};
use isostar_models::{PretrainedModel, SequenceClassifier, SpanExtractor};

use super::{Judge, Preparation, PreparedSplit, SequenceJudge, SpanJudge, TaskRows};
use crate::data::{BatchSource, DataError, Examples, Windows};
use crate::hook::HiddenStateModel;

/// A model with the head of a task kind: how its rows are tokenized, and how its predictions are
/// scored.
pub trait TaskModel: HiddenStateModel<Output: Adaptor<LossInput> + Clone> + PretrainedModel + 'static {
    /// The tokenized rows.
    type Source: BatchSource<Batch = Self::Batch>;
    /// Accumulates and scores the predictions.
    type Judge: Judge<Output = Self::Output>;

    /// Tokenizes rows.
    ///
    /// # Errors
    /// If a label is unknown or not a number, a question is too long, or the tokenizer fails.
    fn prepare(rows: TaskRows, how: Preparation<'_>) -> Result<PreparedSplit<Self>, DataError>;
}

impl TaskModel for SequenceClassifier {
    type Source = Examples;
    type Judge = SequenceJudge;

    fn prepare(rows: TaskRows, how: Preparation<'_>) -> Result<PreparedSplit<Self>, DataError> {
        PreparedSplit::of_sequences(rows, how)
    }
}

impl TaskModel for SpanExtractor {
    type Source = Windows;
    type Judge = SpanJudge;

    fn prepare(rows: TaskRows, how: Preparation<'_>) -> Result<PreparedSplit<Self>, DataError> {
        PreparedSplit::of_spans(rows, how)
    }
}
