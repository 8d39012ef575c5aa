//! The training step of a model that extracts answers.

use burn::prelude::*;
use burn::tensor::{ExecutionError, Transaction};
use burn::train::ItemLazy;
use burn::train::metric::{Adaptor, LossInput};
use isostar_core::HiddenStates;
use isostar_models::{SpanExtractor, loss};

use crate::data::SpanBatch;
use crate::hook::{ForwardStep, HiddenStateModel};
use crate::readback::{Gathered, Portable, gather, indices_from_bytes, indices_to_bytes, next};

/// The output of a model for the windows of one batch.
#[derive(Clone, Debug)]
pub struct SpanOutput {
    /// The mean of the start and end cross entropies of each window. Shape `[windows]`.
    pub losses: Tensor<1>,
    /// The start and end logits, including those of padding. Shape `[windows, tokens]` each.
    pub logits: [Tensor<2>; 2],
    /// The indices of these windows in the data.
    pub windows: Vec<u32>,
}

impl HiddenStateModel for SpanExtractor {
    type Batch = SpanBatch;
    type Output = SpanOutput;

    fn forward_step(&self, batch: SpanBatch) -> ForwardStep<SpanOutput> {
        let SpanBatch {
            input,
            answers: [first, last],
            windows,
        } = batch;
        let ([starts, ends], hidden_states) = self.forward(input);
        let losses = (loss::cross_entropy(starts.clone(), first)
            + loss::cross_entropy(ends.clone(), last))
            / 2.0;
        let output = SpanOutput {
            losses: losses.clone(),
            logits: [starts, ends],
            windows,
        };
        ForwardStep {
            task_loss: losses.mean(),
            hidden_states,
            output,
        }
    }

    /// Returns the window indices; a question may have several windows.
    fn rows(batch: &SpanBatch) -> Vec<u32> {
        batch.windows.clone()
    }

    fn hidden_states(&self, batch: SpanBatch) -> HiddenStates {
        self.encoder.forward(batch.input)
    }
}

impl Gathered for SpanOutput {
    fn register(&self, transaction: Transaction) -> Transaction {
        let [starts, ends] = self.logits.clone().map(Tensor::without_autodiff);
        transaction
            .register(self.losses.clone().without_autodiff())
            .register(starts)
            .register(ends)
    }

    fn placed(self, read: &mut dyn Iterator<Item = TensorData>, host: &Device) -> Self {
        Self {
            losses: next(read, host),
            logits: [next(read, host), next(read, host)],
            windows: self.windows,
        }
    }
}

impl Portable for SpanOutput {
    fn label(&self) -> Vec<u8> {
        indices_to_bytes(&self.windows)
    }

    fn rebuilt(
        label: &[u8],
        read: &mut dyn Iterator<Item = TensorData>,
        host: &Device,
    ) -> Option<Self> {
        Some(Self {
            losses: next(read, host),
            logits: [next(read, host), next(read, host)],
            windows: indices_from_bytes(label)?,
        })
    }
}

impl ItemLazy for SpanOutput {
    /// Moves the output to the CPU, in one transfer.
    fn sync(self) -> Result<Self, ExecutionError> {
        let device = self.losses.device();
        let output = gather(self, &device)?;
        Ok(Self {
            losses: output.losses.without_autodiff(),
            logits: output.logits.map(Tensor::without_autodiff),
            windows: output.windows,
        })
    }
}

impl Adaptor<LossInput> for SpanOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.losses.clone())
    }
}
