use burn::module::Module;
use burn::prelude::*;
use burn::train::ItemLazy;
use isostar_core::HiddenStates;

/// A model that shows its hidden states.
///
/// This is all that the hook asks of a model. `forward_step` runs in training, in validation and in calibration alike; it must not call `backward`.
pub trait HiddenStateModel: Module + core::fmt::Display {
    /// What the model is given.
    type Batch: Send + 'static;
    /// What the metrics are given.
    type Output: ItemLazy + 'static;

    /// The loss of the task on one batch, the hidden states behind it, and what the metrics want to know.
    fn forward_step(&self, batch: Self::Batch) -> ForwardStep<Self::Output>;

    /// Which rows of the data a batch holds, in whatever way the model's data counts them: what a training that diverges names. None by default.
    fn rows(_batch: &Self::Batch) -> Vec<u32> {
        Vec::new()
    }

    /// The hidden states alone, for calibration. A model with a costly head may leave it out here.
    fn hidden_states(&self, batch: Self::Batch) -> HiddenStates {
        self.forward_step(batch).hidden_states
    }
}

/// What a model makes of one batch.
#[derive(Debug)]
pub struct ForwardStep<O> {
    /// The loss of the task alone. Shape `[1]`.
    pub task_loss: Tensor<1>,
    /// The hidden states, still on the graph. Shape `[sequences, tokens, d]` a layer.
    pub hidden_states: HiddenStates,
    /// What the metrics are given.
    pub output: O,
}
