//! Judges: they accumulate predictions over a split and compute its metrics at the end.

mod bytes;
mod sequence;
mod span;

use std::collections::BTreeMap;
use std::fmt::Debug;

use burn::tensor::TensorReadError;
use serde::Serialize;

use super::TaskMetric;

pub use sequence::SequenceEvaluator;
pub use span::SpanEvaluator;

/// Accumulates predictions batch by batch, in any order, and computes the metrics over all of them.
/// No metric is a mean of batch metrics.
pub trait Evaluator: Clone + Debug + Send + Sync + 'static {
    /// The output of the model for one batch.
    type Output;

    /// Adds a batch.
    ///
    /// # Errors
    /// If the output cannot be read from the device.
    fn add(&mut self, output: &Self::Output) -> Result<(), TensorReadError>;

    /// Removes every batch.
    fn clear(&mut self);

    /// Returns the batches so far as bytes, for a snapshot.
    fn to_bytes(&self) -> Vec<u8>;

    /// Continues with the batches that [`to_bytes`](Self::to_bytes) returned; `None` if the bytes
    /// are malformed.
    fn restore(&mut self, bytes: &[u8]) -> Option<()>;

    /// The metrics of the task, the main one first.
    fn metrics(&self) -> &[TaskMetric];

    /// Returns a metric over the batches so far; NaN if it is undefined, as before the first batch
    /// or for the correlation of constant numbers.
    fn score(&self, metric: TaskMetric) -> f64;

    /// Returns the mean loss per row; NaN before the first batch.
    fn loss(&self) -> f64;

    /// Returns the prediction for each row or question, in the order of the file.
    fn predictions(&self) -> Vec<Prediction>;

    /// Returns all metrics by name.
    fn scores(&self) -> BTreeMap<String, f64> {
        self.metrics()
            .iter()
            .map(|metric| (metric.name().to_string(), self.score(*metric)))
            .collect()
    }
}

/// The prediction for one row or question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The row index, from 0, in the order of the file.
    pub index: usize,
    /// The predicted class, number or text.
    #[serde(flatten)]
    pub answer: Answer,
    /// The logits in the order of the labels (their softmax gives the probabilities), the predicted
    /// number, or the scores of the best spans.
    pub scores: Vec<f32>,
}

/// The predicted class, number or text of one row or question.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A class.
    Label {
        /// The name of the class.
        label: String,
    },
    /// A number.
    Value {
        /// The predicted number.
        value: f32,
    },
    /// A span of a paragraph.
    Text {
        /// The id of the question.
        id: String,
        /// The text of the span; empty for no answer, or if no span is possible.
        text: String,
    },
}
