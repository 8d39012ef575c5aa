//! Metrics for burn-train: the penalty and its measure batch by batch, and the IsoScore of a whole split.

mod batch;
mod isoscore;

pub use batch::{MeasureMetric, PenaltyMetric};
pub use isoscore::IsoScoreMetric;
