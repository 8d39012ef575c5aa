//! Measures of the geometry of points other than IsoScore, one equation per file.
//!
//! [`MEASURES`] is the table of all measures that are a single number, with their range, cost and
//! invariances. They are computed from a [`Summary`] of the points, which holds what several
//! measures share: moments, spectra and neighbours. Both need the feature `spectrum`, as do all
//! measures of eigenvalues.

mod cosine;
mod mle;
mod outlier_dimensions;
#[cfg(feature = "spectrum")]
mod spectrum;
mod twonn;

pub use cosine::{CosineSums, cosreg, mean_cosine};
pub use mle::mle;
pub use outlier_dimensions::{OutlierDimension, OutlierThreshold, outlier_dimensions};
#[cfg(feature = "spectrum")]
pub use spectrum::*;
pub use twonn::{TwoNn, twonn, twonn_discarding};
