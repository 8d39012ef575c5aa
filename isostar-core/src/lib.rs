#![warn(missing_docs)]
//! The isotropy of points and of a model's hidden states, as differentiable tensor code for every Burn backend.
//!
//! ```text
//!   IsoScore*(X) = (t²/F − 1)/(d − 1)      t = tr Σ,  F = ‖Σ‖_F²,  Σ = (1 − ζ)·Σ_X + ζ·Σ_S
//! ```
//!
//! 0 means that all variance lies in one direction, 1 that every direction has the same. I-STAR adds λ·(1 − IsoScore*) of all layers' token states to
//! the loss of a task: λ > 0 makes representations more isotropic, λ < 0 less.
//!
//! ```
//! use burn::prelude::*;
//! use burn::tensor::Distribution;
//! use isostar_core::isoscore;
//!
//! let device = Device::flex().autodiff();
//! let points = Tensor::<2>::random([4096, 16], Distribution::Normal(0.0, 1.0), &device).require_grad();
//!
//! let score = isoscore(points.clone());
//! let gradients = score.backward();
//! assert!(score.into_scalar::<f32>() > 0.98);
//! assert_eq!(points.grad(&gradients).unwrap().dims(), [4096, 16]);
//! ```
//!
//! # Where things are
//! - [`isoscore`], [`isoscore_star`], [`isoscore_of_covariance`], [`isoscore_unbiased`]: the measure
//! - [`isoscore_interval`], [`IsoscoreJackknife`]: how sure the unbiased estimate is
//! - [`measure`]: other measures of the same points, and the table of all
//! - [`nearest_neighbours`]: exact distances, from which [`measure`] estimates the intrinsic dimension
//! - [`Moments`] on the device and [`RunningMoments`] on the host: covariance in O(d²) memory, merged over layers and batches;
//!   [`DeviceMoments`] adds up the batches of a stream on the device
//! - [`ScaledCovariance`]: IsoScore of a covariance on the host, in f64
//! - [`HiddenStates`], [`StateSelection`]: which states of a model count
//! - [`Shrinkage`]: towards a steadier covariance
//! - [`Regularizer`], [`IStar`], [`CosReg`], [`Sum`]: penalties for training; `isostar-train` hooks them into burn-train's Learner
//!
//! # Outcomes at the edges
//! Wrong shapes and `d < 2` panic with a message that names the shapes. Settings outside their range are a [`ConfigError`]. Points without variance (a
//! single point, constant points, Σ = 0) score 0 with zero gradient; functions that return an `Option` say `None` there.
//!
//! # Crate features
//! No backend is enabled by default. `flex`, `ndarray`, `wgpu` and `cuda` enable Burn's of the same name.

mod covariance;
mod device_moments;
mod error;
mod gram;
mod hidden_states;
mod host;
mod interval;
mod isoscore;
pub mod measure;
mod moments;
mod neighbours;
mod regularizer;
mod running;
mod shrinkage;
mod unbiased;

pub use covariance::ScaledCovariance;
pub use device_moments::DeviceMoments;
pub use error::ConfigError;
pub use hidden_states::{HiddenStates, LayerSelection, Padding, StateSelection};
pub use interval::{IsoscoreJackknife, isoscore_interval};
pub use isoscore::{isoscore, isoscore_of_covariance, isoscore_star};
pub use moments::Moments;
pub use neighbours::{NearestNeighbours, nearest_neighbours};
pub use regularizer::{CosReg, CosRegConfig, IStar, IStarConfig, Penalty, Regularizer, Sum};
pub use running::RunningMoments;
pub use shrinkage::{Shrinkage, ShrinkageTarget, TargetName};
pub use unbiased::{UnbiasedSums, isoscore_unbiased};
