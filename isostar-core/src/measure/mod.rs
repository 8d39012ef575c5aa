//! Measures of the geometry of points beside IsoScore, one equation a file.

mod cosine;

pub use cosine::{CosineSums, cosreg, mean_cosine};
