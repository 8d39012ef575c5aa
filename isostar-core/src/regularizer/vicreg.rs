use burn::config::Config;
use burn::prelude::*;

use super::estimate::ANOTHER;
use super::{
    Detail, Penalty, PooledRegularizer, Regularizer, Scores, Statistic, Statistics, StepContext,
};
use crate::shrinkage::identity_like;
use crate::{ConfigError, HiddenStates, LayerGroup, Moments, StateSelection};

/// Settings of [`VicReg`]. The defaults are those of the paper.
#[derive(Config, Debug)]
pub struct VicRegConfig {
    /// The weight of the sum of both terms, any finite number. The default is 1.
    #[config(default = 1.0)]
    pub weight: f64,
    /// The factor μ of the variance term. The default is 25.
    #[config(default = 25.0)]
    pub variance: f64,
    /// The factor ν of the covariance term. The default is 1.
    #[config(default = 1.0)]
    pub covariance: f64,
    /// The standard deviation γ that every dimension is to have. The default is 1.
    #[config(default = 1.0)]
    pub deviation: f64,
    /// The number ε under the root. The default is 1e-4.
    #[config(default = 1e-4)]
    pub epsilon: f64,
    /// The states that are penalized. By default all layers except the embedding output, without
    /// padding.
    #[config(default = "StateSelection::default()")]
    pub states: StateSelection,
}

impl VicRegConfig {
    /// Creates the regularizer.
    ///
    /// # Errors
    /// If the weight or a factor is not finite.
    pub fn init(&self) -> Result<VicReg, ConfigError> {
        let numbers = [
            self.weight,
            self.variance,
            self.covariance,
            self.deviation,
            self.epsilon,
        ];
        match numbers.into_iter().find(|number| !number.is_finite()) {
            Some(value) => Err(ConfigError::Weight { value }),
            None => Ok(VicReg {
                settings: self.clone(),
            }),
        }
    }
}

/// The variance and covariance terms of VICReg: every dimension is to vary, and no two together.
///
/// ```text
///   penalty = weight·(μ·v + ν·c)
///   v = (1/d)·Σⱼ max(0, γ − √(Σⱼⱼ + ε))        c = (1/d)·Σ_{i≠j} Σᵢⱼ²
/// ```
///
/// Σ is the sample covariance of the states. The invariance term compares two views of an input and
/// is left out. Both terms depend on the scale of the states, and c is biased upwards by sampling
/// noise like the plug-in IsoScore. The measure is μ·v + ν·c; the terms are logged as
/// `vicreg variance` and `vicreg covariance`. A function of moments.
///
/// # References
/// Bardes, Ponce & LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning" (ICLR 2022), arXiv 2105.04906, eq. 1–4.
#[derive(Clone, Debug)]
pub struct VicReg {
    settings: VicRegConfig,
}

impl VicReg {
    /// v and c of moments. Shape `[1]` each.
    fn terms(&self, moments: &Moments) -> [Tensor<1>; 2] {
        let covariance = moments.covariance();
        let d = covariance.dims()[0] as f64;
        let identity = identity_like(&covariance);
        let variances = (covariance.clone() * identity.clone()).sum_dim(1);
        let deviations = (variances + self.settings.epsilon).sqrt();
        let missing = (deviations.neg() + self.settings.deviation).clamp_min(0.0);
        // The diagonal is removed before squaring, because it may be far larger than the rest.
        let others = covariance * (identity.neg() + 1.0);
        let squares = others.square().sum_dim(1).sum_dim(0) / d;
        [missing.sum_dim(0) / d, squares].map(|term| term.squeeze_dim(0))
    }
}

impl Regularizer for VicReg {
    fn measure_name(&self) -> &str {
        "VICReg"
    }

    fn states(&self) -> Option<&StateSelection> {
        Some(&self.settings.states)
    }

    fn pooled(&self) -> Option<&dyn PooledRegularizer> {
        Some(self)
    }

    fn penalty(&self, states: &HiddenStates, _context: &StepContext) -> Penalty {
        let groups = self.settings.states.groups(states).into_iter();
        let groups = groups.map(|(group, _)| group).collect();
        self.penalty_of_groups(groups, self.settings.states.group_moments(states))
    }
}

impl PooledRegularizer for VicReg {
    /// The moments of each group of layers.
    fn statistics(&self, states: &HiddenStates, _context: &StepContext) -> Statistics {
        let moments = self.settings.states.group_moments(states).into_iter();
        Statistics(moments.map(Statistic::Moments).collect())
    }

    fn penalty_of(&self, statistics: &Statistics, _context: &StepContext) -> Penalty {
        let moments = statistics.0.iter().map(|statistic| match statistic {
            Statistic::Moments(moments) => moments.clone(),
            _ => panic!("{ANOTHER}"),
        });
        let moments: Vec<Moments> = moments.collect();
        let groups = self.settings.states.layers.groups_of(moments.len());
        self.penalty_of_groups(groups, moments)
    }
}

impl VicReg {
    fn penalty_of_groups(&self, groups: Vec<LayerGroup>, moments: Vec<Moments>) -> Penalty {
        let terms: Vec<[Tensor<1>; 2]> = moments.iter().map(|group| self.terms(group)).collect();
        let of = |values: Vec<Tensor<1>>| Scores {
            groups: groups.clone(),
            values,
            details: Vec::new(),
        };
        let part = |at: usize| of(terms.iter().map(|terms| terms[at].clone()).collect()).mean();
        let sums = terms.iter().map(|[variance, covariance]| {
            variance.clone() * self.settings.variance
                + covariance.clone() * self.settings.covariance
        });
        let measures = of(sums.collect());
        Penalty::new(
            measures.weighted_sum() * self.settings.weight,
            measures.mean(),
        )
        .with_details([
            Detail::new("vicreg variance", part(0)),
            Detail::new("vicreg covariance", part(1)),
        ])
    }
}
