use burn::prelude::*;

use super::estimate::{ANOTHER, Estimate, Estimator, Material};
use super::{Detail, Statistic, Statistics, StepContext};
use crate::sequences::sample;
use crate::stream::Stream;
use crate::{HiddenStates, LayerGroup, LayerSelection, Padding, StateSelection};

/// With padding masked, runs whose score fell below this value no longer solved their task. The
/// states of an unregularized BERT score 0.22; λ = −1 lowered the score to 0.01.
const COLLAPSED: f64 = 0.02;

/// The same fraction of the unregularized score for states that include padding: if two thirds of
/// them are padding, they score 0.035. Runs at λ = −1 and −5 scored 0.02 and still learned the task.
const COLLAPSED_WITH_PADDING: f64 = 0.003;

/// The purpose of the stream of sampled states of the first group; the next group has the next.
pub(super) const STATES: u64 = 2;

/// Computes the differentiable IsoScores of a batch's hidden states: of the union of the selected
/// layers, or of each layer.
#[derive(Clone, Debug)]
pub struct IsoScorer {
    estimator: Estimator,
    states: StateSelection,
    sampled: Option<SampledStates>,
}

/// The states that a step draws.
#[derive(Clone, Copy, Debug)]
struct SampledStates {
    count: usize,
    seed: u64,
}

/// The scores of a batch: one for a union of layers, or one per layer.
#[derive(Clone, Debug)]
pub struct Scores {
    /// The groups of layers, in the order of their scores.
    pub groups: Vec<LayerGroup>,
    /// The score of each group, with gradient. Shape `[1]` each.
    pub values: Vec<Tensor<1>>,
    /// Further numbers, for logs: the score of each layer as `isoscore LAYER`, if layers have
    /// scores of their own; the estimated ζ as `shrinkage`, the mean of the layers'; and for the
    /// unbiased estimator, the share of scores that exist as `estimated`.
    pub details: Vec<Detail>,
}

impl IsoScorer {
    /// Scores of the selected states with this estimator.
    pub fn new(estimator: impl Into<Estimator>, states: StateSelection) -> Self {
        Self {
            estimator: estimator.into(),
            states,
            sampled: None,
        }
    }

    /// Scores from `count` states per step instead of all, drawn over sequences, tokens and layers
    /// by a stream of the seed and the [step](StepContext::step). Layers with scores of their own
    /// share the count. 0 keeps all states.
    ///
    /// Positions are drawn before padding is left out, so that the device is not read; a batch with
    /// padding has fewer states. Every set of positions has the same probability. The sums that a
    /// score is made of are unbiased estimates of those of all states: for a given ζ, of the plug-in
    /// tr Σ² and (tr Σ)² of the whole batch; for the unbiased estimator, of its tr Σ² and (tr Σ)²;
    /// and so are their gradients. An estimated ζ is that of a batch of as many states.
    pub fn with_sample(self, count: usize, seed: u64) -> Self {
        let sampled = (count > 0).then_some(SampledStates { count, seed });
        Self { sampled, ..self }
    }

    /// The name of the score in logs.
    pub fn measure_name(&self) -> &'static str {
        match self.estimator {
            Estimator::Shrunk(_) | Estimator::AutoShrunk(_) => "IsoScore star",
            Estimator::Unbiased => "IsoScore unbiased",
        }
    }

    /// The states of which scores are computed.
    pub fn states(&self) -> &StateSelection {
        &self.states
    }

    /// The states whose covariance is the reference; `None` if no reference is needed.
    pub fn reference_states(&self) -> Option<&StateSelection> {
        let needs_reference = match &self.estimator {
            Estimator::Shrunk(shrinkage) => shrinkage.needs_reference(),
            Estimator::AutoShrunk(target) => target.needs_reference(),
            Estimator::Unbiased => false,
        };
        needs_reference.then_some(&self.states)
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
        self.estimate(groups, self.materials(states, context), context)
    }

    /// Whether the scores are those of a sample of the states.
    pub(super) fn draws(&self) -> bool {
        self.sampled.is_some()
    }

    /// What the scores need of a part of a batch: a statistic of each group of layers.
    pub(super) fn statistics(&self, states: &HiddenStates, context: &StepContext) -> Statistics {
        let materials = self.materials(states, context).into_iter();
        Statistics(materials.map(Material::into_statistic).collect())
    }

    /// The scores of states with these statistics.
    ///
    /// # Panics
    /// If the statistics are those of another regularizer, or a required reference is missing or not
    /// of shape `[groups·d, d]`.
    pub(super) fn scores_of(&self, statistics: &Statistics, context: &StepContext) -> Scores {
        let material = |statistic: &Statistic| {
            Material::from_statistic(statistic).unwrap_or_else(|| panic!("{ANOTHER}"))
        };
        let materials: Vec<Material> = statistics.0.iter().map(material).collect();
        self.estimate(
            self.states.layers.groups_of(materials.len()),
            materials,
            context,
        )
    }

    /// What the scores need of each group of layers.
    fn materials(&self, states: &HiddenStates, context: &StepContext) -> Vec<Material> {
        let mask = self.states.mask(states);
        let groups = self.states.groups(states);
        let count = groups.len();
        let material = |(at, (_, layers)): (usize, (LayerGroup, Vec<&Tensor<3>>))| {
            let layers: Vec<Tensor<3>> = layers.into_iter().cloned().collect();
            let drawn = self.sampled.and_then(|sampled| {
                let stream = Stream::new(sampled.seed, context.step, STATES + at as u64);
                let own = (sampled.count / count).max(1);
                sample(&layers, mask, own, stream, context)
            });
            self.estimator.material(layers, mask.cloned(), drawn)
        };
        groups.into_iter().enumerate().map(material).collect()
    }

    /// The scores of groups of layers.
    fn estimate(
        &self,
        groups: Vec<LayerGroup>,
        materials: Vec<Material>,
        context: &StepContext,
    ) -> Scores {
        let mut found = Found::default();
        for (at, material) in materials.into_iter().enumerate() {
            let reference = context.reference_of_group(at, groups.len());
            let Estimate {
                score,
                shrinkage,
                exists,
            } = self.estimator.estimate(material, reference.as_ref());
            found.values.push(score);
            found.weights.extend(shrinkage);
            found.exist.extend(exists);
        }
        self.with_details(groups, found)
    }

    fn with_details(&self, groups: Vec<LayerGroup>, found: Found) -> Scores {
        let mut details = Vec::new();
        if matches!(
            self.states.layers,
            LayerSelection::Each | LayerSelection::Weighted(_)
        ) {
            details.extend(groups.iter().zip(&found.values).map(|(group, value)| {
                Detail::new(format!("isoscore {}", group.layers[0]), value.clone())
            }));
        }
        details.extend(mean_of(found.weights).map(|mean| Detail::new("shrinkage", mean)));
        details.extend(mean_of(found.exist).map(|mean| Detail::new("estimated", mean)));
        Scores {
            groups,
            values: found.values,
            details,
        }
    }
}

/// What is found of the groups of layers.
#[derive(Default)]
struct Found {
    values: Vec<Tensor<1>>,
    /// Estimated ζ.
    weights: Vec<Tensor<1>>,
    /// 1 where an unbiased score exists.
    exist: Vec<Tensor<1>>,
}

/// The mean of numbers; `None` if there are none.
fn mean_of(numbers: Vec<Tensor<1>>) -> Option<Tensor<1>> {
    (!numbers.is_empty()).then(|| Tensor::cat(numbers, 0).mean())
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
