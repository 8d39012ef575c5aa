//! The part of a snapshot that is not tensors.

use isostar_core::RegularizerState;
use serde::{Deserialize, Serialize};

use super::super::result::finite;
use super::super::training::{RecentLosses, Seconds, Sums};
use super::super::{IsoScores, SplitReport, TrainSettings};

/// Place of a run between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::experiment) struct Place {
    /// Number of completed epochs, including their validation.
    pub epochs: usize,
    /// Number of batches of the current epoch that have been visited.
    pub batch: usize,
    /// Number of batches that the run has visited.
    pub step: usize,
}

/// Everything that a run needs to go on, apart from tensors.
///
/// Random numbers need no state: the order of an epoch follows from the seed and the epoch, dropout
/// from the seed, the epoch and the row at which a step begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::experiment) struct State {
    pub settings: TrainSettings,
    /// Fingerprint of the tokenized rows.
    pub rows: String,
    pub place: Place,
    /// Sums of the training metrics of the current epoch.
    pub sums: Sums,
    /// Seconds of the current epoch's training so far, as in metrics.jsonl.
    pub split_seconds: f64,
    pub seconds: Seconds,
    /// The lines of metrics.jsonl.
    pub lines: Vec<String>,
    pub before: Before,
    pub losses: RecentLosses,
    /// Last finite losses and penalties, for the message of a divergence.
    pub task_losses: Vec<f64>,
    pub penalties: Vec<f64>,
    pub is_collapse_reported: bool,
    /// What the regularizer remembers, without its tensors.
    #[serde(default)]
    pub regularizer: RegularizerState,
    /// Number of batches of an epoch.
    pub batches: usize,
    /// Number of processes that have computed the last step together.
    #[serde(default = "alone", skip_serializing_if = "is_alone")]
    pub processes: usize,
}

fn alone() -> usize {
    1
}

fn is_alone(processes: &usize) -> bool {
    *processes == alone()
}

/// The evaluation before training, without predictions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::experiment) struct Before {
    rows: usize,
    metrics: Vec<(String, Option<f64>)>,
    task_loss: Option<f64>,
    isoscore: IsoScores,
}

impl Before {
    pub fn new(report: &SplitReport) -> Self {
        let metrics = report
            .metrics
            .iter()
            .map(|(name, value)| (name.clone(), finite(*value)))
            .collect();
        Self {
            rows: report.rows,
            metrics,
            task_loss: finite(report.task_loss),
            isoscore: report.isoscore.clone(),
        }
    }

    pub fn report(&self) -> SplitReport {
        let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
        SplitReport {
            rows: self.rows,
            metrics: self
                .metrics
                .iter()
                .map(|(name, value)| (name.clone(), number(*value)))
                .collect(),
            task_loss: number(self.task_loss),
            isoscore: self.isoscore.clone(),
            predictions: Vec::new(),
        }
    }
}
