use burn::prelude::*;
use burn::train::metric::{Adaptor, LossInput};
use isostar_models::{PretrainedModel, SequenceClassifier, SpanExtractor};

use super::{
    Evaluator, Preparation, PreparedSplit, SequenceEvaluator, SequenceOutput, SpanEvaluator,
    SpanOutput, TaskRows,
};
use crate::data::{BatchSource, DataError, Examples, RowBatch, Windows};
use crate::hook::HiddenStateModel;
use crate::readback::Portable;

/// A model with the head of a task kind: how its rows are tokenized, and how its predictions are
/// scored.
pub trait TaskModel:
    HiddenStateModel<Batch: RowBatch, Output: Adaptor<LossInput> + Clone + Portable>
    + PretrainedModel
    + 'static
{
    /// The tokenized rows.
    type Source: BatchSource<Batch = Self::Batch>;
    /// Accumulates and scores the predictions.
    type Evaluator: Evaluator<Output = Self::Output>;

    /// Tokenizes rows.
    ///
    /// # Errors
    /// If a label is unknown or not a number, a question is too long, or the tokenizer fails.
    fn prepare(
        rows: TaskRows,
        preparation: Preparation<'_>,
    ) -> Result<PreparedFor<Self>, DataError>;

    /// Returns the loss of each row of a batch, shape `[rows]`.
    fn losses(output: &Self::Output) -> Tensor<1>;
}

/// The tokenized rows of a split for the model `M`.
pub type PreparedFor<M> = PreparedSplit<<M as TaskModel>::Source, <M as TaskModel>::Evaluator>;

impl TaskModel for SequenceClassifier {
    type Source = Examples;
    type Evaluator = SequenceEvaluator;

    fn prepare(
        rows: TaskRows,
        preparation: Preparation<'_>,
    ) -> Result<PreparedFor<Self>, DataError> {
        PreparedSplit::from_sequences(rows, preparation)
    }

    fn losses(output: &SequenceOutput) -> Tensor<1> {
        output.losses.clone()
    }
}

impl TaskModel for SpanExtractor {
    type Source = Windows;
    type Evaluator = SpanEvaluator;

    fn prepare(
        rows: TaskRows,
        preparation: Preparation<'_>,
    ) -> Result<PreparedFor<Self>, DataError> {
        PreparedSplit::from_spans(rows, preparation)
    }

    fn losses(output: &SpanOutput) -> Tensor<1> {
        output.losses.clone()
    }
}
