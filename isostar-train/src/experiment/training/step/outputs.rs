//! What the parts of a batch give to the metrics.

use burn::prelude::*;
use burn::tensor::ExecutionError;
use burn::train::ItemLazy;
use isostar_core::Penalty;

use crate::hook::RegularizedOutput;
use crate::metric::StateCount;

/// The model's outputs of the parts of a batch, in the order of its rows.
pub(in super::super) struct Outputs<O>(pub Vec<O>);

impl<O: ItemLazy> ItemLazy for Outputs<O> {
    fn sync(self) -> Result<Self, ExecutionError> {
        let outputs = self.0.into_iter().map(ItemLazy::sync);
        Ok(Self(outputs.collect::<Result<_, _>>()?))
    }
}

/// A part whose gradients are computed.
pub(super) struct Done<O> {
    pub first_row: usize,
    /// Share of the part in the rows of the batch.
    pub weight: f64,
    /// Shape `[1]`, without gradient.
    pub task_loss: Tensor<1>,
    pub states: Option<StateCount>,
    pub output: O,
}

/// The output of the batch with these parts, at least one.
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
