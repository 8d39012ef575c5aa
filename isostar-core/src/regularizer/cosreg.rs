use burn::config::Config;
use burn::prelude::*;

use super::{Penalty, PooledRegularizer, Regularizer, Statistic, Statistics};
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

    fn pooled(&self) -> Option<&dyn PooledRegularizer> {
        Some(self)
    }

    fn penalty(&self, states: &HiddenStates, reference: Option<&Tensor<2>>) -> Penalty {
        self.penalty_of(&self.statistics(states), reference)
    }
}

impl PooledRegularizer for CosReg {
    /// The sum of the directions, the number of nonzero states, and that of all.
    fn statistics(&self, states: &HiddenStates) -> Statistics {
        let mask = self.states.mask(states);
        let layers = self.states.layers(states).into_iter();
        let CosineSums {
            directions,
            directed,
            count,
        } = layers
            .map(|layer| CosineSums::from_sequences(layer.clone(), mask.cloned()))
            .reduce(CosineSums::merge)
            .expect("a selection names at least one layer");
        let sums = [directions, directed, count].map(|sum| Statistic::Sum(sum.squeeze_dim(0)));
        Statistics(sums.to_vec())
    }

    fn penalty_of(&self, statistics: &Statistics, _reference: Option<&Tensor<2>>) -> Penalty {
        let [
            Statistic::Sum(directions),
            Statistic::Sum(directed),
            Statistic::Sum(count),
        ] = &statistics.0[..]
        else {
            panic!("CosReg::penalty_of: the statistics are those of another regularizer")
        };
        let [directions, directed, count] =
            [directions, directed, count].map(|sum| sum.clone().unsqueeze_dim(0));
        let sums = CosineSums {
            directions,
            directed,
            count,
        };
        let measure = sums.cosreg();
        Penalty {
            value: measure.clone() * self.weight,
            measure: measure.without_autodiff(),
        }
    }
}
