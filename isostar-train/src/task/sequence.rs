//! The training step of a model with one class or number per sequence.

use burn::prelude::*;
use burn::tensor::{ExecutionError, Transaction};
use burn::train::ItemLazy;
use burn::train::metric::{Adaptor, LossInput};
use isostar_core::HiddenStates;
use isostar_models::{SequenceClassifier, loss};

use crate::data::{SequenceBatch, Targets};
use crate::hook::{ForwardStep, HiddenStateModel};
use crate::readback::{Gathered, Portable, gather, indices_from_bytes, indices_to_bytes, next};

/// The output of a model for the rows of one batch.
#[derive(Clone, Debug)]
pub struct SequenceOutput {
    /// The loss of each row: cross entropy of its class, or squared error of its number. Shape
    /// `[rows]`.
    pub losses: Tensor<1>,
    /// The logits. Shape `[rows, classes]`, or `[rows, 1]` for a regression.
    pub logits: Tensor<2>,
    /// The targets. Shape `[rows]`.
    pub targets: Targets,
    /// The indices of these rows in the data.
    pub rows: Vec<u32>,
}

impl HiddenStateModel for SequenceClassifier {
    type Batch = SequenceBatch;
    type Output = SequenceOutput;

    /// Computes the loss. As in transformers, the kind of the targets selects it.
    ///
    /// # Panics
    /// If the targets are numbers and the model has more than one output.
    fn forward_step(&self, batch: SequenceBatch) -> ForwardStep<SequenceOutput> {
        let (logits, hidden_states) = self.forward(batch.input);
        let losses = match &batch.targets {
            Targets::Classes(classes) => loss::cross_entropy(logits.clone(), classes.clone()),
            Targets::Values(values) => {
                let [rows, outputs] = logits.dims();
                assert_eq!(
                    outputs, 1,
                    "a regression needs a model with one output: logits have shape [{rows}, {outputs}]"
                );
                loss::squared_error(logits.clone(), values.clone().unsqueeze_dim(1))
            }
        };
        let output = SequenceOutput {
            losses: losses.clone(),
            logits,
            targets: batch.targets,
            rows: batch.rows,
        };
        ForwardStep {
            task_loss: losses.mean(),
            hidden_states,
            output,
        }
    }

    fn rows(batch: &SequenceBatch) -> Vec<u32> {
        batch.rows.clone()
    }

    fn hidden_states(&self, batch: SequenceBatch) -> HiddenStates {
        self.encoder.forward(batch.input)
    }
}

impl Gathered for SequenceOutput {
    fn register(&self, transaction: Transaction) -> Transaction {
        let transaction = transaction
            .register(self.losses.clone().without_autodiff())
            .register(self.logits.clone().without_autodiff());
        match &self.targets {
            Targets::Classes(classes) => transaction.register(classes.clone().without_autodiff()),
            Targets::Values(values) => transaction.register(values.clone().without_autodiff()),
        }
    }

    fn placed(self, read: &mut dyn Iterator<Item = TensorData>, host: &Device) -> Self {
        Self {
            losses: next(read, host),
            logits: next(read, host),
            targets: match self.targets {
                Targets::Classes(_) => Targets::Classes(next(read, host)),
                Targets::Values(_) => Targets::Values(next(read, host)),
            },
            rows: self.rows,
        }
    }
}

/// First byte of the label of an output with classes, and of one with numbers.
const CLASSES: u8 = 0;
const VALUES: u8 = 1;

impl Portable for SequenceOutput {
    fn label(&self) -> Vec<u8> {
        let kind = match self.targets {
            Targets::Classes(_) => CLASSES,
            Targets::Values(_) => VALUES,
        };
        [vec![kind], indices_to_bytes(&self.rows)].concat()
    }

    fn rebuilt(
        label: &[u8],
        read: &mut dyn Iterator<Item = TensorData>,
        host: &Device,
    ) -> Option<Self> {
        let (kind, rows) = label.split_first()?;
        Some(Self {
            losses: next(read, host),
            logits: next(read, host),
            targets: match *kind {
                CLASSES => Targets::Classes(next(read, host)),
                VALUES => Targets::Values(next(read, host)),
                _ => return None,
            },
            rows: indices_from_bytes(rows)?,
        })
    }
}

impl ItemLazy for SequenceOutput {
    /// Moves the output to the CPU, in one transfer.
    fn sync(self) -> Result<Self, ExecutionError> {
        let device = self.logits.device();
        let output = gather(self, &device)?;
        Ok(Self {
            losses: output.losses.without_autodiff(),
            logits: output.logits.without_autodiff(),
            targets: match output.targets {
                Targets::Classes(classes) => Targets::Classes(classes.without_autodiff()),
                Targets::Values(values) => Targets::Values(values.without_autodiff()),
            },
            rows: output.rows,
        })
    }
}

impl Adaptor<LossInput> for SequenceOutput {
    /// The loss of each row. Burn weights a loss by its number of elements, so a short last batch
    /// gets the right weight.
    fn adapt(&self) -> LossInput {
        LossInput::new(self.losses.clone())
    }
}
