use burn::config::Config;
use burn::prelude::*;

use super::estimate::ANOTHER;
use super::{Penalty, PooledRegularizer, Regularizer, Scores, Statistic, Statistics, StepContext};
use crate::measure::CosineSums;
use crate::{ConfigError, HiddenStates, LayerGroup, LayerSelection, Padding, StateSelection};

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

    fn penalty(&self, states: &HiddenStates, _context: &StepContext) -> Penalty {
        let groups = self.states.groups(states).into_iter();
        let groups = groups.map(|(group, _)| group).collect();
        self.weighted(groups, self.sums(states))
    }
}

impl PooledRegularizer for CosReg {
    /// Of each group of layers: the sum of the directions, the number of nonzero states, and that of
    /// all.
    fn statistics(&self, states: &HiddenStates, _context: &StepContext) -> Statistics {
        let of_group = |sums: CosineSums| {
            let sums = [sums.directions, sums.directed, sums.count];
            sums.map(|sum| Statistic::Sum(sum.squeeze_dim(0)))
        };
        Statistics(self.sums(states).into_iter().flat_map(of_group).collect())
    }

    fn penalty_of(&self, statistics: &Statistics, _context: &StepContext) -> Penalty {
        let sums = statistics.0.as_chunks::<3>().0.iter().map(|of_group| {
            let [directions, directed, count] = of_group.each_ref().map(|statistic| {
                let Statistic::Sum(sum) = statistic else {
                    panic!("{ANOTHER}")
                };
                sum.clone().unsqueeze_dim(0)
            });
            CosineSums {
                directions,
                directed,
                count,
            }
        });
        let sums: Vec<CosineSums> = sums.collect();
        self.weighted(self.states.layers.groups_of(sums.len()), sums)
    }
}

impl CosReg {
    /// The sums of each group of layers.
    fn sums(&self, states: &HiddenStates) -> Vec<CosineSums> {
        let mask = self.states.mask(states);
        let sums = |layers: Vec<&Tensor<3>>| {
            let sums = layers
                .into_iter()
                .map(|layer| CosineSums::from_sequences(layer.clone(), mask.cloned()));
            let sums = sums.reduce(CosineSums::merge);
            sums.expect("a selection names at least one layer")
        };
        let groups = self.states.groups(states).into_iter();
        groups.map(|(_, layers)| sums(layers)).collect()
    }

    fn weighted(&self, groups: Vec<LayerGroup>, sums: Vec<CosineSums>) -> Penalty {
        let measures = Scores {
            groups,
            values: sums.iter().map(CosineSums::cosreg).collect(),
            details: Vec::new(),
        };
        Penalty::new(measures.weighted_sum() * self.weight, measures.mean())
    }
}
