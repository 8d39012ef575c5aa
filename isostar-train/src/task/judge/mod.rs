//! Who gathers what a model says of a split, and scores it when all is there.

mod sequence;
mod span;

use std::collections::BTreeMap;
use std::fmt::Debug;

use burn::tensor::TensorReadError;
use serde::Serialize;

use super::TaskMetric;

pub use sequence::SequenceJudge;
pub use span::SpanJudge;

/// Gathers answers batch by batch, in any order, and scores them together: no score here is a mean of batch scores.
pub trait Judge: Clone + Debug + Send + Sync + 'static {
    /// What a model says of a batch.
    type Output;

    /// Adds a batch.
    ///
    /// # Errors
    /// If the device cannot be read.
    fn add(&mut self, output: &Self::Output) -> Result<(), TensorReadError>;

    /// Forgets every batch.
    fn clear(&mut self);

    /// The scores that the task is compared by, the first one first.
    fn metrics(&self) -> &[TaskMetric];

    /// A score of the batches so far. NaN where it has none: before the first batch, or where a correlation is not defined.
    fn score(&self, metric: TaskMetric) -> f64;

    /// The mean loss of a row; NaN before the first batch.
    fn loss(&self) -> f64;

    /// What the model says of each row or question, in the order of the file.
    fn predictions(&self) -> Vec<Prediction>;

    /// All scores by name.
    fn scores(&self) -> BTreeMap<String, f64> {
        self.metrics().iter().map(|metric| (metric.name().to_string(), self.score(*metric))).collect()
    }
}

/// What a model makes of one row or question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The row, from 0, in the order of the file.
    pub index: usize,
    /// What the model says.
    #[serde(flatten)]
    pub answer: Answer,
    /// The logits, in the order of the labels, whose softmax are the probabilities; the number again; or the best spans' sums of logits.
    pub scores: Vec<f32>,
}

/// What a model says of one row or question.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A class.
    Label {
        /// Its name.
        label: String,
    },
    /// A number.
    Value {
        /// The number.
        value: f32,
    },
    /// Words of a paragraph.
    Text {
        /// The question's id.
        id: String,
        /// The words; empty for no answer, and where no span is possible.
        text: String,
    },
}
