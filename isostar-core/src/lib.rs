#![warn(missing_docs)]
#![doc = include_str!("../README.md")]
//!
//! # Overview
//! - [`isoscore`], [`isoscore_star`], [`isoscore_of_covariance`], [`isoscore_unbiased`]: IsoScore
//!   and its variants
//! - [`isoscore_disjoint`]: the unbiased estimate for states that depend on each other within a
//!   sequence
//! - [`isoscore_interval`], [`IsoscoreJackknife`]: confidence intervals of the unbiased estimate
//! - [`measure`]: other measures of the same points and, with the feature `spectrum`, the table of
//!   all measures
//! - [`nearest_neighbours`]: exact distances, from which [`measure`] estimates the intrinsic
//!   dimension
//! - [`Moments`] on the device and [`RunningMoments`] on the host: covariance in O(d²) memory,
//!   merged over layers and batches; [`DeviceMoments`] reads many batches at a time
//! - [`ScaledCovariance`]: IsoScore of a covariance on the host, in f64
//! - [`HiddenStates`], [`StateSelection`]: the hidden states of a model and which of them count
//! - [`Shrinkage`]: shrinks a covariance towards a more stable one
//! - [`Regularizer`], [`IStar`], [`CosReg`], [`VicReg`], [`SigReg`], [`Sum`]: penalties for training; `isostar-train` adds
//!   them to burn-train's Learner
//! - [`Stream`]: random draws that are a function of seed and step, the same on every device
//! - [`PooledRegularizer`], [`PooledPenalty`]: the exact penalty of a batch that is spread over
//!   devices or micro-batches
//!
//! # Errors and degenerate cases
//! Wrong shapes and `d < 2` panic with a message that states the shapes. Settings outside their
//! range return a [`ConfigError`]. Points without variance (a single point, constant points, Σ = 0)
//! score 0 with zero gradient; functions that return an `Option` return `None` for them.

mod control;
mod covariance;
mod device_moments;
mod error;
mod hidden_states;
mod interval;
mod isoscore;
pub mod measure;
mod moments;
mod neighbours;
#[cfg(test)]
mod noise;
mod regularizer;
mod running;
mod sequences;
mod shrinkage;
mod stream;
mod stream_score;
mod unbiased;

pub use control::{ControlConfig, ControlStep, ControlTerm, Controller, ControllerState};
pub use covariance::ScaledCovariance;
pub use device_moments::DeviceMoments;
pub use error::ConfigError;
pub use hidden_states::{HiddenStates, LayerGroup, LayerSelection, Padding, StateSelection};
pub use interval::{IsoscoreJackknife, isoscore_interval};
pub use isoscore::{isoscore, isoscore_of_covariance, isoscore_star};
pub use moments::Moments;
pub use neighbours::{NearestNeighbours, nearest_neighbours};
pub use regularizer::{
    CosReg, CosRegConfig, Detail, Estimator, HeldStep, Hold, IStar, IStarConfig, IsoScorer,
    Penalty, PooledPenalty, PooledRegularizer, Ramp, Regularizer, RegularizerState, Scores, SigReg,
    SigRegConfig, SigRegPreset, Statistic, Statistics, StepContext, StepNumbers, Sum, Target,
    VicReg, VicRegConfig,
};
pub use running::RunningMoments;
pub use sequences::{DisjointEstimate, SequenceStates, isoscore_disjoint};
pub use shrinkage::{Shrinkage, ShrinkageTarget, TargetName};
pub use stream::Stream;
pub use unbiased::{UnbiasedSums, isoscore_unbiased};
