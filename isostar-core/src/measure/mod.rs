//! Measures of the geometry of points beside IsoScore, one equation a file.

mod cosine;
mod mle;
mod twonn;

pub use cosine::{CosineSums, cosreg, mean_cosine};
pub use mle::mle;
pub use twonn::{TwoNn, twonn, twonn_discarding};
