use burn::config::Config;
use burn::prelude::*;

use super::{IsoScorer, Penalty, PooledRegularizer, Regularizer, Scores, Statistics, StepContext};
use crate::{ConfigError, HiddenStates, Shrinkage, StateSelection, TargetName};

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
/// reference covariance. Where the layers have scores of their own
/// ([`Each`](crate::LayerSelection::Each), [`Weighted`](crate::LayerSelection::Weighted)), the
/// penalty is λ·Σₗ wₗ(1 − IsoScore*ₗ). The published code includes padding in both. With padding masked out, the
/// same weight has about ten times the effect: start with λ = ±0.1. The published values λ = −1 …
/// −5 collapse masked states.
///
/// ```
/// use burn::prelude::*;
/// use burn::tensor::Distribution;
/// use isostar_core::{HiddenStates, IStarConfig, Regularizer, StepContext};
///
/// let istar = IStarConfig::new(-0.1).init()?;
/// let device = Device::flex().autodiff();
/// let layer = Tensor::<3>::random([8, 16, 32], Distribution::Normal(0.0, 1.0), &device).require_grad();
/// let reference = Tensor::<2>::eye(32, &device);
///
/// let context = StepContext::default().with_reference(&reference);
/// let penalty = istar.penalty(&HiddenStates::from_layers(vec![layer.clone()]), &context);
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
    scorer: IsoScorer,
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
        Self::with_scorer(weight, IsoScorer::new(shrinkage, states))
    }

    /// Creates I-STAR with weight λ = `weight` on the score that `scorer` computes.
    ///
    /// # Errors
    /// If λ is not finite.
    pub fn with_scorer(weight: f64, scorer: IsoScorer) -> Result<Self, ConfigError> {
        if !weight.is_finite() {
            return Err(ConfigError::Weight { value: weight });
        }
        Ok(Self { weight, scorer })
    }

    fn weighted(&self, scores: Scores) -> Penalty {
        let value = scores.defect() * self.weight;
        Penalty::new(value, scores.mean()).with_details(scores.details)
    }

    /// IsoScore* of the selected states, [`Scores::mean`](super::Scores::mean). Shape `[1]`.
    ///
    /// # Panics
    /// See [`Regularizer::penalty`].
    pub fn score(&self, states: &HiddenStates, context: &StepContext) -> Tensor<1> {
        self.scorer.scores(states, context).mean()
    }
}

impl Regularizer for IStar {
    fn measure_name(&self) -> &str {
        self.scorer.measure_name()
    }

    fn reference_states(&self) -> Option<&StateSelection> {
        self.scorer.reference_states()
    }

    fn states(&self) -> Option<&StateSelection> {
        Some(self.scorer.states())
    }

    fn collapsed_below(&self) -> Option<f64> {
        Some(self.scorer.collapsed_below())
    }

    fn pooled(&self) -> Option<&dyn PooledRegularizer> {
        Some(self)
    }

    fn penalty(&self, states: &HiddenStates, context: &StepContext) -> Penalty {
        self.weighted(self.scorer.scores(states, context))
    }
}

impl PooledRegularizer for IStar {
    /// Of each group of layers: the moments for a given ζ; with them, the states without gradient for
    /// an estimated one; the states for the unbiased estimator; and of a sample its states alone.
    fn statistics(&self, states: &HiddenStates, context: &StepContext) -> Statistics {
        self.scorer.statistics(states, context)
    }

    fn penalty_of(&self, statistics: &Statistics, context: &StepContext) -> Penalty {
        self.weighted(self.scorer.scores_of(statistics, context))
    }

    fn draws(&self) -> bool {
        self.scorer.draws()
    }
}
