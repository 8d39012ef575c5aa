//! The share of padding in the calibration batches.

use burn::tensor::TensorReadError;
use isostar_core::HiddenStates;

/// Number of positions in the batches, and how many of them are tokens.
#[derive(Default)]
pub(super) struct Positions {
    all: f64,
    tokens: f64,
}

impl Positions {
    /// Adds a batch if its states have a mask.
    pub(super) fn add(&mut self, states: &HiddenStates) -> Result<(), TensorReadError> {
        if let Some(mask) = &states.mask {
            self.tokens += mask.clone().int().sum().try_into_scalar::<f64>()?;
            self.all += mask.shape().num_elements() as f64;
        }
        Ok(())
    }

    pub(super) fn padding_share(&self) -> Option<f64> {
        (self.all > 0.0).then(|| 1.0 - self.tokens / self.all)
    }
}
