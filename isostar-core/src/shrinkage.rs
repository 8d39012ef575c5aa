//! Shrinkage of a covariance towards a steadier one.

use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ConfigError;

/// Shrinkage of the covariance of a batch towards a target.
///
/// ```text
///   Σ = (1 − ζ)·Σ_X + ζ·T
/// ```
///
/// ζ weights the *target*, as in Algorithm 1 of the paper and in the published code; one sentence of the paper's prose has it the other
/// way round.
///
/// # References
/// Rudman & Eickhoff, "Stable Anisotropic Regularization" (2024), Algorithm 1; Ledoit & Wolf (2004) for the scaled identity.
#[derive(Clone, Debug)]
pub struct Shrinkage {
    weight: f64,
    target: ShrinkageTarget,
}

/// What a covariance is shrunk towards.
#[derive(Clone, Debug, Default)]
#[allow(clippy::large_enum_variant, reason = "there is one a run, and a box would only make it harder to write")]
pub enum ShrinkageTarget {
    /// The reference covariance Σ_S, re-estimated from training data at the start of every epoch.
    #[default]
    Reference,
    /// The identity of the same trace, (tr Σ_X/d)·I.
    ScaledIdentity,
    /// The identity I.
    Identity,
    /// A matrix of one's own. Shape `[d, d]`.
    Matrix(Tensor<2>),
}

/// The targets that can be written in a settings file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetName {
    /// [`ShrinkageTarget::Reference`].
    #[default]
    Reference,
    /// [`ShrinkageTarget::ScaledIdentity`].
    ScaledIdentity,
    /// [`ShrinkageTarget::Identity`].
    Identity,
}

impl From<TargetName> for ShrinkageTarget {
    fn from(name: TargetName) -> Self {
        match name {
            TargetName::Reference => Self::Reference,
            TargetName::ScaledIdentity => Self::ScaledIdentity,
            TargetName::Identity => Self::Identity,
        }
    }
}

impl Shrinkage {
    /// Shrinkage with weight ζ = `weight` on `target`.
    ///
    /// # Errors
    /// If ζ is outside [0, 1] or not a number.
    pub fn new(weight: f64, target: impl Into<ShrinkageTarget>) -> Result<Self, ConfigError> {
        if !(0.0..=1.0).contains(&weight) {
            return Err(ConfigError::Shrinkage { value: weight });
        }
        Ok(Self { weight, target: target.into() })
    }

    /// The weight ζ on the target, in [0, 1].
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Whether [`apply`](Self::apply) must be given a reference covariance.
    pub fn needs_reference(&self) -> bool {
        matches!(self.target, ShrinkageTarget::Reference) && self.weight > 0.0
    }

    /// The shrunk covariance. No gradient flows into the target, except through the trace of [`ScaledIdentity`](ShrinkageTarget::ScaledIdentity).
    ///
    /// # Shapes
    /// - `covariance`, `reference` and output: `[d, d]`
    ///
    /// # Panics
    /// If the target is the reference and none is given, or the target has another shape than the covariance.
    pub fn apply(&self, covariance: Tensor<2>, reference: Option<&Tensor<2>>) -> Tensor<2> {
        if self.weight == 0.0 {
            return covariance;
        }
        let target = match &self.target {
            ShrinkageTarget::Reference => {
                constant(reference.expect("Shrinkage::apply: the target is the reference, and none was given"), &covariance)
            }
            ShrinkageTarget::Matrix(matrix) => constant(matrix, &covariance),
            ShrinkageTarget::Identity => identity_like(&covariance),
            ShrinkageTarget::ScaledIdentity => {
                let d = covariance.dims()[0];
                let identity = identity_like(&covariance);
                let trace = (covariance.clone() * identity.clone()).sum_dim(1).sum_dim(0);
                identity * (trace / d as f64)
            }
        };
        assert_eq!(
            target.dims(),
            covariance.dims(),
            "Shrinkage::apply: a target of shape {:?} for a covariance of shape {:?}",
            target.dims(),
            covariance.dims()
        );
        covariance * (1.0 - self.weight) + target * self.weight
    }
}

/// The target beside the covariance: no gradient, its device, its precision.
fn constant(target: &Tensor<2>, covariance: &Tensor<2>) -> Tensor<2> {
    let device = covariance.device().without_autodiff();
    target.clone().without_autodiff().to_device(&device).cast(covariance.dtype())
}

/// The identity beside a matrix: no gradient, its size, device and precision.
pub(crate) fn identity_like(matrix: &Tensor<2>) -> Tensor<2> {
    Tensor::<2>::eye(matrix.dims()[0], &matrix.device().without_autodiff()).cast(matrix.dtype())
}
