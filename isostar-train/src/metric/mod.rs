//! Metrics for burn-train: penalty and measure per batch, IsoScore and task scores per split.

mod batch;
mod isoscore;
mod split;

pub use batch::{MeasureMetric, PenaltyMetric};
pub use isoscore::IsoScoreMetric;
pub use split::SplitScoreMetric;
