//! Shrinkage of a covariance towards a target with less sampling noise.

use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ConfigError;

/// Shrinkage of the covariance of a batch towards a target.
///
/// ```text
///   Σ = (1 − ζ)·Σ_X + ζ·T
/// ```
///
/// ζ is the weight of the *target*, as in Algorithm 1 of the paper and in the published code. One
/// sentence in the text of the paper assigns it to Σ_X instead.
///
/// # References
/// Rudman & Eickhoff, "Stable Anisotropic Regularization" (2024), Algorithm 1; Ledoit & Wolf (2004) for the scaled identity.
#[derive(Clone, Debug)]
pub struct Shrinkage {
    weight: f64,
    target: ShrinkageTarget,
}

/// The target of the shrinkage.
#[derive(Clone, Debug, Default)]
#[allow(
    clippy::large_enum_variant,
    reason = "a run has a single target, and a box would only make it harder to construct"
)]
pub enum ShrinkageTarget {
    /// The reference covariance Σ_S, estimated again from training rows at the start of every
    /// epoch.
    #[default]
    Reference,
    /// The identity scaled to the same trace, (tr Σ_X/d)·I.
    ScaledIdentity,
    /// The identity I.
    Identity,
    /// A custom matrix. Shape `[d, d]`.
    Matrix(Tensor<2>),
}

/// The targets that a settings file can name.
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
        Ok(Self {
            weight,
            target: target.into(),
        })
    }

    /// The weight ζ on the target, in [0, 1].
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// The target.
    pub(crate) fn target(&self) -> &ShrinkageTarget {
        &self.target
    }

    /// Whether [`apply`](Self::apply) requires a reference covariance.
    pub fn needs_reference(&self) -> bool {
        self.target.needs_reference() && self.weight > 0.0
    }

    /// The shrunk covariance. No gradient flows into the target, except through the trace of [`ScaledIdentity`](ShrinkageTarget::ScaledIdentity).
    ///
    /// # Shapes
    /// - `covariance`, `reference` and output: `[d, d]`
    ///
    /// # Panics
    /// If the target is the reference and none is given, or if the shapes of target and covariance
    /// differ.
    pub fn apply(&self, covariance: Tensor<2>, reference: Option<&Tensor<2>>) -> Tensor<2> {
        if self.weight == 0.0 {
            return covariance;
        }
        let target = self.target.matrix(&covariance, reference);
        covariance * (1.0 - self.weight) + target * self.weight
    }
}

impl ShrinkageTarget {
    /// Whether the target is the reference covariance.
    pub fn needs_reference(&self) -> bool {
        matches!(self, Self::Reference)
    }

    /// The target of a covariance.
    ///
    /// # Panics
    /// As [`Shrinkage::apply`].
    pub(crate) fn matrix(
        &self,
        covariance: &Tensor<2>,
        reference: Option<&Tensor<2>>,
    ) -> Tensor<2> {
        let target = match self {
            Self::Reference => constant(
                reference
                    .expect("Shrinkage::apply: the target is the reference, and none was given"),
                covariance,
            ),
            Self::Matrix(matrix) => constant(matrix, covariance),
            Self::Identity => identity_like(covariance),
            Self::ScaledIdentity => {
                let d = covariance.dims()[0];
                let identity = identity_like(covariance);
                let trace = (covariance.clone() * identity.clone())
                    .sum_dim(1)
                    .sum_dim(0);
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
        target
    }
}

/// The target as a constant, on the device and in the precision of the covariance.
fn constant(target: &Tensor<2>, covariance: &Tensor<2>) -> Tensor<2> {
    let device = covariance.device().without_autodiff();
    target
        .clone()
        .without_autodiff()
        .to_device(&device)
        .cast(covariance.dtype())
}

/// The identity as a constant, with the size, device and precision of `matrix`.
pub(crate) fn identity_like(matrix: &Tensor<2>) -> Tensor<2> {
    Tensor::<2>::eye(matrix.dims()[0], &matrix.device().without_autodiff()).cast(matrix.dtype())
}
