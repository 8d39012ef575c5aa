//! Measures of the geometry of points beside IsoScore, one equation a file.
//!
//! [`MEASURES`] lists all that are one number, with their range, their cost and what they do not depend on. What works on eigenvalues takes
//! a [`Spectrum`], so that several measures share one decomposition.

mod cosine;
mod effective_rank;
mod explained_variance;
mod mle;
mod outlier_dimensions;
mod participation_ratio;
mod partition;
mod spectrum;
mod table;
mod twonn;

pub use cosine::{CosineSums, cosreg, mean_cosine};
pub use effective_rank::effective_rank;
pub use explained_variance::{EXPLAINED_SHARE, ExplainedVariance, VAREX_FRACTION, explained_variance, varex};
pub use mle::mle;
pub use outlier_dimensions::{OutlierDimension, OutlierThreshold, outlier_dimensions};
pub use participation_ratio::participation_ratio;
pub use partition::{Partition, partition};
pub use spectrum::Spectrum;
pub use table::{Cost, Function, Ignores, MEASURES, Measure};
pub use twonn::{TwoNn, twonn, twonn_discarding};
