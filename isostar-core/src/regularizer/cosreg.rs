use burn::config::Config;
use burn::prelude::*;

use super::{Penalty, Regularizer, Scores, StepContext};
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

    fn penalty(&self, states: &HiddenStates, _context: &StepContext) -> Penalty {
        let mask = self.states.mask(states);
        let measure = |layers: Vec<&Tensor<3>>| {
            let sums = layers
                .into_iter()
                .map(|layer| CosineSums::from_sequences(layer.clone(), mask.cloned()));
            let sums = sums.reduce(CosineSums::merge);
            sums.expect("a selection names at least one layer").cosreg()
        };
        let groups = self.states.groups(states).into_iter();
        let (groups, values) = groups
            .map(|(group, layers)| (group, measure(layers)))
            .unzip();
        let measures = Scores {
            groups,
            values,
            details: Vec::new(),
        };
        Penalty::new(measures.weighted_sum() * self.weight, measures.mean())
    }
}
