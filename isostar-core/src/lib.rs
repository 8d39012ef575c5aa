#![warn(missing_docs)]
#![doc = include_str!("../README.md")]
//!
//! # Where things are
//! - [`isoscore`], [`isoscore_star`], [`isoscore_of_covariance`], [`isoscore_unbiased`]: the measure
//! - [`isoscore_interval`], [`IsoscoreJackknife`]: how sure the unbiased estimate is
//! - [`measure`]: other measures of the same points, and with the feature `spectrum` the table of all
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

mod covariance;
mod device_moments;
mod error;
mod hidden_states;
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
