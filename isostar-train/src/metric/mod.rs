//! Metrics for burn-train: penalty and measure per batch, IsoScore per split.

mod batch;
mod input;
mod isoscore;

pub use batch::{MeasureMetric, PenaltyMetric};
pub use input::{MeasureInput, MomentsInput, PenaltyInput, StateCount};
pub use isoscore::IsoScoreMetric;
