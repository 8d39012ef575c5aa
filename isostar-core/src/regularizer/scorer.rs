use burn::prelude::*;

use super::{Detail, StepContext};
use crate::{
    HiddenStates, LayerGroup, LayerSelection, Moments, Padding, Shrinkage, StateSelection,
    isoscore_of_covariance,
};

/// With padding masked, runs whose score fell below this value no longer solved their task. The
/// states of an unregularized BERT score 0.22; λ = −1 lowered the score to 0.01.
const COLLAPSED: f64 = 0.02;

/// The same fraction of the unregularized score for states that include padding: if two thirds of
/// them are padding, they score 0.035. Runs at λ = −1 and −5 scored 0.02 and still learned the task.
const COLLAPSED_WITH_PADDING: f64 = 0.003;

/// Computes the differentiable IsoScores of a batch's hidden states: of the union of the selected
/// layers, or of each layer.
#[derive(Clone, Debug)]
pub struct IsoScorer {
    shrinkage: Shrinkage,
    states: StateSelection,
}

/// The scores of a batch: one for a union of layers, or one per layer.
#[derive(Clone, Debug)]
pub struct Scores {
    /// The groups of layers, in the order of their scores.
    pub groups: Vec<LayerGroup>,
    /// The score of each group, with gradient. Shape `[1]` each.
    pub values: Vec<Tensor<1>>,
    /// Further numbers, for logs: the score of each layer as `isoscore LAYER`, if layers have
    /// scores of their own.
    pub details: Vec<Detail>,
}

impl IsoScorer {
    /// Scores of the selected states with this shrinkage.
    pub fn new(shrinkage: Shrinkage, states: StateSelection) -> Self {
        Self { shrinkage, states }
    }

    /// The name of the score in logs.
    pub fn measure_name(&self) -> &'static str {
        "IsoScore star"
    }

    /// The states of which scores are computed.
    pub fn states(&self) -> &StateSelection {
        &self.states
    }

    /// The states whose covariance is the reference; `None` if no reference is needed.
    pub fn reference_states(&self) -> Option<&StateSelection> {
        self.shrinkage.needs_reference().then_some(&self.states)
    }

    /// The score under which states count as collapsed.
    pub fn collapsed_below(&self) -> f64 {
        match self.states.padding {
            Padding::Mask => COLLAPSED,
            Padding::Keep => COLLAPSED_WITH_PADDING,
        }
    }

    /// The scores of the selected states of a batch.
    ///
    /// # Panics
    /// If a selected layer does not exist, or a required reference is missing or not of shape
    /// `[groups·d, d]`.
    pub fn scores(&self, states: &HiddenStates, context: &StepContext) -> Scores {
        let groups = self.states.groups(states).into_iter();
        let groups = groups.map(|(group, _)| group).collect();
        self.of_groups(groups, self.states.group_moments(states), context)
    }

    /// The scores of states with these moments of each group of layers.
    ///
    /// # Panics
    /// If a required reference is missing or not of shape `[groups·d, d]`.
    pub(super) fn scores_of(&self, moments: Vec<Moments>, context: &StepContext) -> Scores {
        let groups = self.states.layers.groups_of(moments.len());
        self.of_groups(groups, moments, context)
    }

    fn of_groups(
        &self,
        groups: Vec<LayerGroup>,
        moments: Vec<Moments>,
        context: &StepContext,
    ) -> Scores {
        let score = |(at, moments): (usize, Moments)| {
            let reference = context.reference_of_group(at, groups.len());
            isoscore_of_covariance(
                self.shrinkage
                    .apply(moments.covariance(), reference.as_ref()),
            )
        };
        let values: Vec<Tensor<1>> = moments.into_iter().enumerate().map(score).collect();
        let details = match self.states.layers {
            LayerSelection::Each | LayerSelection::Weighted(_) => {
                let named = |(group, value): (&LayerGroup, &Tensor<1>)| {
                    Detail::new(format!("isoscore {}", group.layers[0]), value.clone())
                };
                groups.iter().zip(&values).map(named).collect()
            }
            _ => Vec::new(),
        };
        Scores {
            groups,
            values,
            details,
        }
    }
}

impl Scores {
    /// Σ w·(1 − score) over the groups, where w is the weight of a group. Shape `[1]`.
    pub fn defect(&self) -> Tensor<1> {
        let total: f64 = self.groups.iter().map(|group| group.weight).sum();
        self.weighted_sum().neg() + total
    }

    /// Σ w·score over the groups, where w is the weight of a group. Shape `[1]`.
    pub fn weighted_sum(&self) -> Tensor<1> {
        let weighted = self.groups.iter().zip(&self.values);
        let terms = weighted.map(|(group, score)| score.clone() * group.weight);
        terms
            .reduce(|sum, term| sum + term)
            .expect("a selection names at least one layer")
    }

    /// The mean of the scores, weighted by |w|. Shape `[1]`.
    pub fn mean(&self) -> Tensor<1> {
        if let [score] = &self.values[..] {
            return score.clone();
        }
        let total: f64 = self.groups.iter().map(|group| group.weight.abs()).sum();
        let share = |group: &LayerGroup| match total {
            0.0 => 1.0 / self.groups.len() as f64,
            total => group.weight.abs() / total,
        };
        let weighted = self.groups.iter().zip(&self.values);
        let terms = weighted.map(|(group, score)| score.clone() * share(group));
        terms
            .reduce(|sum, term| sum + term)
            .expect("a selection names at least one layer")
    }
}
