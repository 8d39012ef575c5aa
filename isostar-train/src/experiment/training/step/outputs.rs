//! What the parts of a batch give to the metrics.

use burn::prelude::*;
use burn::tensor::Transaction;
use isostar_core::{Detail, Penalty};

use crate::hook::RegularizedOutput;
use crate::metric::StateCount;
use crate::readback::Gathered;

/// The model's outputs of the parts of a batch, in the order of its rows.
pub(in super::super) struct Outputs<O>(pub Vec<O>);

impl<O: Gathered> Gathered for Outputs<O> {
    fn register(&self, transaction: Transaction) -> Transaction {
        let outputs = self.0.iter();
        outputs.fold(transaction, |transaction, output| {
            output.register(transaction)
        })
    }

    fn placed(self, read: &mut dyn Iterator<Item = TensorData>, host: &Device) -> Self {
        let outputs = self.0.into_iter();
        Self(outputs.map(|output| output.placed(read, host)).collect())
    }
}

/// A part whose gradients are computed.
pub(super) struct Done<O> {
    pub first_row: usize,
    /// Share of the part in the rows of the batch.
    pub weight: f64,
    /// Shape `[1]`, without gradient, on the host.
    pub task_loss: Tensor<1>,
    pub states: Option<StateCount>,
    pub output: O,
}

/// The output of the batch with these parts, at least one, on the host.
pub(super) fn join<O>(
    mut parts: Vec<Done<O>>,
    penalty: Option<Penalty>,
) -> RegularizedOutput<Outputs<O>> {
    parts.sort_by_key(|part| part.first_row);
    let device = parts[0].task_loss.device();
    let task_loss = parts
        .iter()
        .map(|part| part.task_loss.clone().to_device(&device) * part.weight)
        .reduce(|sum, loss| sum + loss)
        .expect("a batch has at least one part");
    let on_host = |number: Tensor<1>| number.to_device(&device);
    let penalty = penalty.map(|penalty| {
        let detail = |detail: Detail| Detail::new(detail.name, on_host(detail.value));
        Penalty::new(on_host(penalty.value), on_host(penalty.measure))
            .with_details(penalty.details.into_iter().map(detail))
    });
    let states = parts.iter().map(|part| part.states.clone()).collect();
    let outputs = parts.into_iter().map(|part| part.output);
    RegularizedOutput {
        task_loss,
        penalty,
        states: StateCount::sum(states),
        moments: None,
        output: Outputs(outputs.collect()),
    }
}
