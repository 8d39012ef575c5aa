//! Measures of the geometry of points beside IsoScore, one equation a file.
//!
//! [`MEASURES`] lists all that are one number, with their range, their cost and what they do not depend on. What works on eigenvalues takes
//! a [`Spectrum`], so that several measures share one decomposition.

mod cosine;
#[cfg(feature = "spectrum")]
mod effective_rank;
#[cfg(feature = "spectrum")]
mod explained_variance;
mod mle;
mod outlier_dimensions;
#[cfg(feature = "spectrum")]
mod participation_ratio;
#[cfg(feature = "spectrum")]
mod partition;
#[cfg(feature = "spectrum")]
mod spectrum;
#[cfg(feature = "spectrum")]
mod table;
mod twonn;

pub use cosine::{CosineSums, cosreg, mean_cosine};
#[cfg(feature = "spectrum")]
pub use effective_rank::effective_rank;
#[cfg(feature = "spectrum")]
pub use explained_variance::{EXPLAINED_SHARE, ExplainedVariance, VAREX_FRACTION, explained_variance, varex};
pub use mle::mle;
pub use outlier_dimensions::{OutlierDimension, OutlierThreshold, outlier_dimensions};
#[cfg(feature = "spectrum")]
pub use participation_ratio::participation_ratio;
#[cfg(feature = "spectrum")]
pub use partition::{Partition, partition};
#[cfg(feature = "spectrum")]
pub use spectrum::Spectrum;
#[cfg(feature = "spectrum")]
pub use table::{Cost, Function, Ignores, MEASURES, Measure};
pub use twonn::{TwoNn, twonn, twonn_discarding};
