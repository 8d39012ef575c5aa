//! How a model with a class or a number for every sequence takes a training step.

use burn::prelude::*;
use burn::tensor::ExecutionError;
use burn::train::ItemLazy;
use burn::train::metric::{Adaptor, LossInput};
use isostar_core::HiddenStates;
use isostar_models::{SequenceClassifier, loss};

use crate::data::{SequenceBatch, Targets};
use crate::hook::{ForwardStep, HiddenStateModel};

/// What a model says of the rows of one batch.
#[derive(Clone, Debug)]
pub struct SequenceOutput {
    /// The loss of each row: the cross entropy of its class, or the squared error of its number. Shape `[rows]`.
    pub losses: Tensor<1>,
    /// Shape `[rows, classes]`, or `[rows, 1]` where they are numbers.
    pub logits: Tensor<2>,
    /// What is right. Shape `[rows]`.
    pub targets: Targets,
    /// Which rows of the data these are.
    pub rows: Vec<u32>,
}

impl HiddenStateModel for SequenceClassifier {
    type Batch = SequenceBatch;
    type Output = SequenceOutput;

    /// As transformers has it, what is right decides on the loss.
    ///
    /// # Panics
    /// If the targets are numbers and the model has more than one output.
    fn forward_step(&self, batch: SequenceBatch) -> ForwardStep<SequenceOutput> {
        let (logits, hidden_states) = self.forward(batch.input);
        let losses = match &batch.targets {
            Targets::Classes(classes) => loss::cross_entropy(logits.clone(), classes.clone()),
            Targets::Values(values) => {
                let [rows, outputs] = logits.dims();
                assert_eq!(outputs, 1, "a regression needs a model of one output: logits have shape [{rows}, {outputs}]");
                loss::squared_error(logits.clone(), values.clone().unsqueeze_dim(1))
            }
        };
        let output = SequenceOutput { losses: losses.clone(), logits, targets: batch.targets, rows: batch.rows };
        ForwardStep { task_loss: losses.mean(), hidden_states, output }
    }

    fn rows(batch: &SequenceBatch) -> Vec<u32> {
        batch.rows.clone()
    }

    fn hidden_states(&self, batch: SequenceBatch) -> HiddenStates {
        self.encoder.forward(batch.input)
    }
}

impl ItemLazy for SequenceOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.logits.device().flush()?;
        let targets = match self.targets {
            Targets::Classes(classes) => Targets::Classes(classes.without_autodiff()),
            Targets::Values(values) => Targets::Values(values.without_autodiff()),
        };
        Ok(Self { losses: self.losses.without_autodiff(), logits: self.logits.without_autodiff(), targets, rows: self.rows })
    }
}

impl Adaptor<LossInput> for SequenceOutput {
    /// The loss of each row: Burn weights a loss by its length, so a short last batch counts as much as it should.
    fn adapt(&self) -> LossInput {
        LossInput::new(self.losses.clone())
    }
}
