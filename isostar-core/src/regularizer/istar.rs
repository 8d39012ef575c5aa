use burn::config::Config;
use burn::prelude::*;

use super::{Penalty, PooledRegularizer, Regularizer, Statistic, Statistics};
use crate::{
    ConfigError, HiddenStates, Moments, Padding, Shrinkage, StateSelection, TargetName,
    isoscore_of_covariance,
};

/// With padding masked, runs whose score fell below this value no longer solved their task. The
/// states of an unregularized BERT score 0.22; λ = −1 lowered the score to 0.01.
const COLLAPSED: f64 = 0.02;

/// The same fraction of the unregularized score for states that include padding: if two thirds of
/// them are padding, they score 0.035. Runs at λ = −1 and −5 scored 0.02 and still learned the task.
const COLLAPSED_WITH_PADDING: f64 = 0.003;

/// Settings of [`IStar`].
#[derive(Config, Debug)]
pub struct IStarConfig {
    /// The weight λ, any finite number: a positive weight increases isotropy, a negative one
    /// decreases it. Start with ±0.1.
    pub weight: f64,
    /// The weight ζ of the shrinkage target, in [0, 1]. The default is 0.2.
    #[config(default = 0.2)]
    pub shrinkage: f64,
    /// The target of the shrinkage. By default the reference covariance.
    #[config(default = "TargetName::Reference")]
    pub target: TargetName,
    /// The states that are penalized. By default all layers except the embedding output, without
    /// padding.
    #[config(default = "StateSelection::default()")]
    pub states: StateSelection,
}

impl IStarConfig {
    /// Creates the regularizer.
    ///
    /// # Errors
    /// If λ is not finite or ζ is outside [0, 1].
    pub fn init(&self) -> Result<IStar, ConfigError> {
        IStar::new(
            self.weight,
            Shrinkage::new(self.shrinkage, self.target)?,
            self.states.clone(),
        )
    }
}

/// I-STAR: IsoScore*-based stable anisotropic regularization.
///
/// ```text
///   penalty = λ·(1 − IsoScore*),    IsoScore* = ι((1 − ζ)·Σ_X + ζ·Σ_S)
/// ```
///
/// Σ_X is the covariance of the batch's states, pooled over all selected layers, and Σ_S is the
/// reference covariance. The published code includes padding in both. With padding masked out, the
/// same weight has about ten times the effect: start with λ = ±0.1. The published values λ = −1 …
/// −5 collapse masked states.
///
/// ```
/// use burn::prelude::*;
/// use burn::tensor::Distribution;
/// use isostar_core::{HiddenStates, IStarConfig, Regularizer};
///
/// let istar = IStarConfig::new(-0.1).init()?;
/// let device = Device::flex().autodiff();
/// let layer = Tensor::<3>::random([8, 16, 32], Distribution::Normal(0.0, 1.0), &device).require_grad();
/// let reference = Tensor::<2>::eye(32, &device);
///
/// let penalty = istar.penalty(&HiddenStates::from_layers(vec![layer.clone()]), Some(&reference));
/// let gradients = penalty.value.backward();
/// assert_eq!(layer.grad(&gradients).unwrap().dims(), [8, 16, 32]);
/// # Ok::<(), isostar_core::ConfigError>(())
/// ```
///
/// # References
/// Rudman & Eickhoff, "Stable Anisotropic Regularization" (ICLR 2024).
#[derive(Clone, Debug)]
pub struct IStar {
    weight: f64,
    shrinkage: Shrinkage,
    states: StateSelection,
}

impl IStar {
    /// Creates I-STAR with weight λ = `weight`; see [`IStarConfig`] for the defaults.
    ///
    /// # Errors
    /// If λ is not finite.
    pub fn new(
        weight: f64,
        shrinkage: Shrinkage,
        states: StateSelection,
    ) -> Result<Self, ConfigError> {
        if !weight.is_finite() {
            return Err(ConfigError::Weight { value: weight });
        }
        Ok(Self {
            weight,
            shrinkage,
            states,
        })
    }

    /// IsoScore* of the selected states. Shape `[1]`.
    ///
    /// # Panics
    /// See [`Regularizer::penalty`].
    pub fn score(&self, states: &HiddenStates, reference: Option<&Tensor<2>>) -> Tensor<1> {
        self.score_of(&self.states.moments(states), reference)
    }

    fn score_of(&self, moments: &Moments, reference: Option<&Tensor<2>>) -> Tensor<1> {
        let covariance = self.shrinkage.apply(moments.covariance(), reference);
        isoscore_of_covariance(covariance)
    }
}

impl Regularizer for IStar {
    fn measure_name(&self) -> &str {
        "IsoScore star"
    }

    fn reference_states(&self) -> Option<&StateSelection> {
        self.shrinkage.needs_reference().then_some(&self.states)
    }

    fn states(&self) -> Option<&StateSelection> {
        Some(&self.states)
    }

    fn collapsed_below(&self) -> Option<f64> {
        match self.states.padding {
            Padding::Mask => Some(COLLAPSED),
            Padding::Keep => Some(COLLAPSED_WITH_PADDING),
        }
    }

    fn pooled(&self) -> Option<&dyn PooledRegularizer> {
        Some(self)
    }

    fn penalty(&self, states: &HiddenStates, reference: Option<&Tensor<2>>) -> Penalty {
        self.penalty_of(&self.statistics(states), reference)
    }
}

impl PooledRegularizer for IStar {
    /// The moments of the selected states.
    fn statistics(&self, states: &HiddenStates) -> Statistics {
        Statistics(vec![Statistic::Moments(self.states.moments(states))])
    }

    fn penalty_of(&self, statistics: &Statistics, reference: Option<&Tensor<2>>) -> Penalty {
        let [Statistic::Moments(moments)] = &statistics.0[..] else {
            panic!("IStar::penalty_of: the statistics are those of another regularizer")
        };
        let score = self.score_of(moments, reference);
        let value = (score.clone().neg() + 1.0) * self.weight;
        Penalty {
            value,
            measure: score.without_autodiff(),
        }
    }
}
