//! How a sequence classifier takes a training step.

use burn::prelude::*;
use burn::tensor::ExecutionError;
use burn::train::ItemLazy;
use burn::train::metric::{AccuracyInput, Adaptor, LossInput};
use isostar_core::HiddenStates;
use isostar_models::{SequenceClassifier, loss};

use crate::data::ClassificationBatch;
use crate::hook::{ForwardStep, HiddenStateModel};

/// What a classifier says of the rows of one batch.
#[derive(Clone, Debug)]
pub struct ClassifiedRows {
    /// The cross entropy of each row. Shape `[rows]`.
    pub losses: Tensor<1>,
    /// Shape `[rows, classes]`.
    pub logits: Tensor<2>,
    /// The class indices that are right. Shape `[rows]`.
    pub labels: Tensor<1, Int>,
    /// Which rows of the data these are.
    pub rows: Vec<u32>,
}

impl HiddenStateModel for SequenceClassifier {
    type Batch = ClassificationBatch;
    type Output = ClassifiedRows;

    fn forward_step(&self, batch: ClassificationBatch) -> ForwardStep<ClassifiedRows> {
        let (logits, hidden_states) = self.forward(batch.input);
        let losses = loss::cross_entropy(logits.clone(), batch.labels.clone());
        let output = ClassifiedRows { losses: losses.clone(), logits, labels: batch.labels, rows: batch.rows };
        ForwardStep { task_loss: losses.mean(), hidden_states, output }
    }

    fn hidden_states(&self, batch: ClassificationBatch) -> HiddenStates {
        self.encoder.forward(batch.input)
    }
}

impl ItemLazy for ClassifiedRows {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.logits.device().flush()?;
        Ok(Self {
            losses: self.losses.without_autodiff(),
            logits: self.logits.without_autodiff(),
            labels: self.labels.without_autodiff(),
            rows: self.rows,
        })
    }
}

impl Adaptor<LossInput> for ClassifiedRows {
    /// The loss of each row: Burn weights a loss by its length, so a short last batch counts as much as it should.
    fn adapt(&self) -> LossInput {
        LossInput::new(self.losses.clone())
    }
}

impl Adaptor<AccuracyInput> for ClassifiedRows {
    fn adapt(&self) -> AccuracyInput {
        AccuracyInput::new(self.logits.clone(), self.labels.clone())
    }
}
