use burn::config::Config;
use burn::prelude::*;

use super::{Penalty, Regularizer};
use crate::measure::CosineSums;
use crate::{ConfigError, HiddenStates, LayerSelection, Padding, StateSelection};

/// Settings of [`CosReg`].
#[derive(Config, Debug)]
pub struct CosRegConfig {
    /// The weight, any finite number. The default is 1, as in the paper.
    #[config(default = 1.0)]
    pub weight: f64,
    /// The states that are penalized. By default those of the last layer, without padding.
    #[config(default = "StateSelection { layers: LayerSelection::Last, padding: Padding::Mask }")]
    pub states: StateSelection,
}

impl CosRegConfig {
    /// Creates the regularizer.
    ///
    /// # Errors
    /// If the weight is not finite.
    pub fn init(&self) -> Result<CosReg, ConfigError> {
        if !self.weight.is_finite() {
            return Err(ConfigError::Weight { value: self.weight });
        }
        Ok(CosReg {
            weight: self.weight,
            states: self.states.clone(),
        })
    }
}

/// Cosine regularization: penalty = weight·Σ_{i≠j} cos(xᵢ, xⱼ)/n², in O(n·d).
///
/// # References
/// Gao et al., "Representation Degeneration Problem in Training Natural Language Generation Models" (ICLR 2019).
#[derive(Clone, Debug)]
pub struct CosReg {
    weight: f64,
    states: StateSelection,
}

impl Regularizer for CosReg {
    fn measure_name(&self) -> &str {
        "CosReg"
    }

    fn penalty(&self, states: &HiddenStates, _reference: Option<&Tensor<2>>) -> Penalty {
        let mask = self.states.mask(states);
        let layers = self.states.layers(states).into_iter();
        let sums = layers
            .map(|layer| CosineSums::from_sequences(layer.clone(), mask.cloned()))
            .reduce(CosineSums::merge)
            .expect("a selection names at least one layer");
        let measure = sums.cosreg();
        Penalty {
            value: measure.clone() * self.weight,
            measure: measure.without_autodiff(),
        }
    }
}
