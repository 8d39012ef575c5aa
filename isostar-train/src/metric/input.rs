//! What the metrics read from the output of a step.

use burn::prelude::*;
use burn::tensor::TensorReadError;
use isostar_core::{HiddenStates, Moments, StateSelection};

/// Penalty of a batch, including the weight, shape `[1]`; `None` in validation or without a
/// regularizer.
pub struct PenaltyInput(pub Option<Tensor<1>>);

/// Regularizer's measure of a batch.
pub struct MeasureInput {
    /// Measure, shape `[1]`; `None` in validation or without a regularizer.
    pub measure: Option<Tensor<1>>,
    /// Number of states behind the measure, if known.
    pub states: Option<StateCount>,
}

/// Moments of a batch's states; `None` in training, or if
/// [`Hook::isoscore_metric`](crate::hook::Hook::isoscore_metric) has not been called.
pub struct MomentsInput(pub Option<Moments>);

/// Width and number of a batch's states; the number is computed on demand.
#[derive(Clone, Debug)]
pub struct StateCount {
    /// Width d of the states.
    pub width: usize,
    layers: usize,
    /// Number of selected tokens, once it is known.
    tokens: Option<usize>,
    mask: Option<Tensor<2, Bool>>,
}

impl StateCount {
    /// Describes the selected states of a batch.
    ///
    /// # Panics
    /// If a selected layer does not exist.
    pub fn of(selection: &StateSelection, states: &HiddenStates) -> Self {
        let layers = selection.layers(states);
        let [sequences, tokens, width] = layers[0].dims();
        let mask = selection
            .mask(states)
            .map(|mask| mask.clone().without_autodiff());
        let tokens = mask.is_none().then_some(sequences * tokens);
        Self {
            width,
            layers: layers.len(),
            tokens,
            mask,
        }
    }

    /// Number of states: selected tokens times layers.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn count(&self) -> Result<usize, TensorReadError> {
        let tokens = match (self.tokens, self.masked()) {
            (Some(tokens), _) => tokens,
            (None, Some(masked)) => masked.try_into_scalar::<i64>()? as usize,
            (None, None) => 0,
        };
        Ok(tokens * self.layers)
    }

    /// Whether a mask selects the tokens, whose number has not been read.
    pub(crate) fn is_masked(&self) -> bool {
        self.mask.is_some()
    }

    /// Number of tokens under the mask, shape `[1]`; `None` if all tokens count.
    pub(crate) fn masked(&self) -> Option<Tensor<1, Int>> {
        self.mask.clone().map(|mask| mask.int().sum())
    }

    /// The same states, once the number of tokens under the mask has been read.
    pub(crate) fn read(self, tokens: Option<usize>) -> Self {
        Self {
            tokens,
            mask: None,
            ..self
        }
    }
}
