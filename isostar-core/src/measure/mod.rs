//! Measures of the geometry of points beside IsoScore, one equation a file.
//!
//! [`MEASURES`] is the one table of all that are one number, with their range, their cost and what they do not depend on. They are computed
//! from a [`Summary`] of the points, which holds what several of them share: moments, spectra, neighbours.

mod alpha_req;
mod cosine;
mod definition;
mod effective_rank;
mod explained_variance;
mod mle;
mod nesum;
mod outlier_dimensions;
mod participation_ratio;
mod partition;
mod rankme;
mod second_moment;
mod spectrum;
mod stable_rank;
mod summary;
mod table;
mod twonn;

pub use alpha_req::alpha_req;
pub use cosine::{CosineSums, cosreg, mean_cosine};
pub use definition::{Ignores, Measure, Needs};
pub use effective_rank::effective_rank;
pub use explained_variance::{EXPLAINED_SHARE, ExplainedVariance, VAREX_FRACTION, explained_variance, varex};
pub use mle::mle;
pub use nesum::nesum;
pub use outlier_dimensions::{OutlierDimension, OutlierThreshold, outlier_dimensions};
pub use participation_ratio::participation_ratio;
pub use partition::{Partition, partition};
pub use rankme::rankme;
pub use spectrum::Spectrum;
pub use stable_rank::stable_rank;
pub use summary::{NEIGHBOURS, PointSums, Summary};
pub use table::MEASURES;
pub use twonn::{TwoNn, twonn, twonn_discarding};
