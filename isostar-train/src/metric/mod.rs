//! Metrics for burn-train: penalty and measure per batch, IsoScore per split.

mod batch;
mod isoscore;

pub use batch::{MeasureMetric, PenaltyMetric};
pub use isoscore::IsoScoreMetric;
