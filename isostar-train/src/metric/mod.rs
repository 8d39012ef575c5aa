//! Metrics for burn-train: the penalty and its measure batch by batch, the IsoScore and a task's scores of a whole split.

mod batch;
mod isoscore;
mod split;

pub use batch::{MeasureMetric, PenaltyMetric};
pub use isoscore::IsoScoreMetric;
pub use split::SplitScoreMetric;
