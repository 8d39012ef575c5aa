use burn::module::Module;
use burn::prelude::*;
use burn::train::ItemLazy;
use isostar_core::HiddenStates;

/// Model that returns its hidden states.
///
/// The hook requires nothing else of a model. `forward_step` is called in training, validation and
/// calibration; it must not call `backward`.
pub trait HiddenStateModel: Module + core::fmt::Display {
    /// Input batch of the model.
    type Batch: Send + 'static;
    /// Output that the metrics receive.
    type Output: ItemLazy + 'static;

    /// Returns the task loss of one batch, the hidden states, and the output for the metrics.
    fn forward_step(&self, batch: Self::Batch) -> ForwardStep<Self::Output>;

    /// Indices of the batch's rows, in the data's own numbering; the message of a diverged training
    /// names them. Empty by default.
    fn rows(_batch: &Self::Batch) -> Vec<u32> {
        Vec::new()
    }

    /// Number of terms in the mean that the task loss of this batch is: with several devices, it is
    /// the weight of the batch. By default its number of sequences; a model whose loss is a mean
    /// over tokens returns their number.
    fn loss_terms(_batch: &Self::Batch) -> Option<usize> {
        None
    }

    /// Returns the hidden states alone, for calibration. Override it to skip a costly head.
    fn hidden_states(&self, batch: Self::Batch) -> HiddenStates {
        self.forward_step(batch).hidden_states
    }
}

/// Output of [`HiddenStateModel::forward_step`].
#[derive(Debug)]
pub struct ForwardStep<O> {
    /// Task loss without the penalty, shape `[1]`.
    pub task_loss: Tensor<1>,
    /// Hidden states, still on the autodiff graph, shape `[sequences, tokens, d]` per layer.
    pub hidden_states: HiddenStates,
    /// Output that the metrics receive.
    pub output: O,
}
