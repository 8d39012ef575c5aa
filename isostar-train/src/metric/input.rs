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
    /// Number of selected tokens that are known.
    tokens: usize,
    /// Masks of further tokens, whose number is not read yet; one per part of the batch.
    masks: Vec<Tensor<2, Bool>>,
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
        let tokens = match mask {
            Some(_) => 0,
            None => sequences * tokens,
        };
        Self {
            width,
            layers: layers.len(),
            tokens,
            masks: mask.into_iter().collect(),
        }
    }

    /// The states of all parts of a batch; `None` if there is no part, or nothing is known of one.
    #[cfg(feature = "experiment")]
    pub(crate) fn sum(parts: Vec<Option<Self>>) -> Option<Self> {
        let parts = parts.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
        parts.reduce(|mut sum, part| {
            sum.tokens += part.tokens;
            sum.masks.extend(part.masks);
            sum
        })
    }

    /// Number of states: selected tokens times layers.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn count(&self) -> Result<usize, TensorReadError> {
        let masked = match self.masked() {
            Some(masked) => masked.try_into_scalar::<i64>()? as usize,
            None => 0,
        };
        Ok((self.tokens + masked) * self.layers)
    }

    /// Whether a mask selects the tokens, whose number has not been read.
    pub(crate) fn is_masked(&self) -> bool {
        !self.masks.is_empty()
    }

    /// Number of tokens under the masks, shape `[1]`; `None` if there is no mask.
    pub(crate) fn masked(&self) -> Option<Tensor<1, Int>> {
        let device = self.masks.first()?.device();
        let counts = self.masks.iter().map(|mask| mask.clone().int().sum());
        counts
            .map(|count| count.to_device(&device))
            .reduce(|sum, count| sum + count)
    }

    /// Width, layers and tokens, for another process; see [`from_numbers`](Self::from_numbers).
    ///
    /// # Errors
    /// If the device cannot be read.
    #[cfg(feature = "experiment")]
    pub(crate) fn to_numbers(&self) -> Result<[usize; 3], TensorReadError> {
        let tokens = self.count()? / self.layers.max(1);
        Ok([self.width, self.layers, tokens])
    }

    /// The states that [`to_numbers`](Self::to_numbers) describes.
    #[cfg(feature = "experiment")]
    pub(crate) fn from_numbers([width, layers, tokens]: [usize; 3]) -> Self {
        Self {
            width,
            layers,
            tokens,
            masks: Vec::new(),
        }
    }

    /// The same states, once the number of tokens under the masks has been read.
    pub(crate) fn read(self, masked: usize) -> Self {
        Self {
            tokens: self.tokens + masked,
            masks: Vec::new(),
            ..self
        }
    }
}
