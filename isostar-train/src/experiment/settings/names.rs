//! Values of settings that have names.

use isostar_kernels::Precision;
use serde::{Deserialize, Serialize};

use crate::choice::choice;

choice! {
    /// Published settings, by name.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Preset {
        /// The settings of the I-STAR paper.
        Paper = "paper",
    }
}

/// Name of the model that is trained from scratch.
pub const SCRATCH: &str = "scratch";

choice! {
    /// Regularizer of a run.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum RegularizerName {
        /// I-STAR.
        #[default]
        Istar = "istar",
        /// Cosine regularization.
        Cosreg = "cosreg",
        /// Variance and covariance terms of VICReg.
        Vicreg = "vicreg",
        /// SIGReg, as in the paper: the integral from -5 to 5.
        Sigreg = "sigreg",
        /// SIGReg, as in its authors' minimal example: the integral from 0 to 3, doubled.
        #[serde(rename = "sigreg-minimal")]
        SigregMinimal = "sigreg-minimal",
        /// None: the loss is the task's.
        None = "none",
    }
}

choice! {
    /// Estimator of IsoScore in I-STAR.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum EstimatorName {
        /// IsoScore* of the batch's covariance, shrunk towards the reference.
        #[default]
        Plugin = "plugin",
        /// Unbiased estimates over pairs of different rows of the batch; needs no reference.
        Unbiased = "unbiased",
    }
}

choice! {
    /// States whose penalty is computed together when a step accumulates gradients.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum AccumulateScore {
        /// Those of the whole step: the same loss and gradients as without accumulation.
        #[default]
        Full = "full",
        /// Those of each micro-batch: one forward pass less per row, but the score of few states is
        /// biased.
        Micro = "micro",
    }
}

choice! {
    /// Precision of the matrix products of a run.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum PrecisionName {
        /// Single precision.
        #[default]
        F32 = "f32",
        /// bfloat16, with sums in single precision.
        Bf16 = "bf16",
    }
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::F32 => Self::F32,
            PrecisionName::Bf16 => Self::Bf16,
        }
    }
}
