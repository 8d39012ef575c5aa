//! Measures of the geometry of points other than IsoScore, one equation per file.
//!
//! [`MEASURES`] is the table of all measures that are a single number, with their range, cost and
//! invariances. They are computed from a [`Summary`] of the points, which holds what several
//! measures share: moments, spectra and neighbours. Both need the feature `spectrum`, as do all
//! measures of eigenvalues.

#[cfg(feature = "spectrum")]
mod alpha_req;
mod cosine;
#[cfg(feature = "spectrum")]
mod definition;
#[cfg(feature = "spectrum")]
mod effective_rank;
#[cfg(feature = "spectrum")]
mod explained_variance;
mod mle;
#[cfg(feature = "spectrum")]
mod nesum;
mod outlier_dimensions;
#[cfg(feature = "spectrum")]
mod participation_ratio;
#[cfg(feature = "spectrum")]
mod partition;
#[cfg(feature = "spectrum")]
mod rankme;
#[cfg(feature = "spectrum")]
mod second_moment;
#[cfg(feature = "spectrum")]
mod spectrum;
#[cfg(feature = "spectrum")]
mod stable_rank;
#[cfg(feature = "spectrum")]
mod summary;
#[cfg(feature = "spectrum")]
mod table;
mod twonn;

#[cfg(feature = "spectrum")]
pub use alpha_req::alpha_req;
pub use cosine::{CosineSums, cosreg, mean_cosine};
#[cfg(feature = "spectrum")]
pub use definition::{Ignores, Measure, Needs};
#[cfg(feature = "spectrum")]
pub use effective_rank::effective_rank;
#[cfg(feature = "spectrum")]
pub use explained_variance::{EXPLAINED_SHARE, ExplainedVariance, VAREX_FRACTION, explained_variance, varex};
pub use mle::mle;
#[cfg(feature = "spectrum")]
pub use nesum::nesum;
pub use outlier_dimensions::{OutlierDimension, OutlierThreshold, outlier_dimensions};
#[cfg(feature = "spectrum")]
pub use participation_ratio::participation_ratio;
#[cfg(feature = "spectrum")]
pub use partition::{Partition, partition};
#[cfg(feature = "spectrum")]
pub use rankme::rankme;
#[cfg(feature = "spectrum")]
pub use spectrum::Spectrum;
#[cfg(feature = "spectrum")]
pub use stable_rank::stable_rank;
#[cfg(feature = "spectrum")]
pub use summary::{NEIGHBOURS, PointSums, Summary};
#[cfg(feature = "spectrum")]
pub use table::MEASURES;
pub use twonn::{TwoNn, twonn, twonn_discarding};
