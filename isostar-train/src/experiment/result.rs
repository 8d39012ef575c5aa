//! The result of a run.

use std::collections::BTreeMap;

use isostar_core::LayerSelection;
use serde::{Deserialize, Serialize};

use super::{IsoScores, RegularizerName, SplitReport, Targets};
use crate::hook::{Divergence, NotFinite};

/// The contents of result.json. A number that is undefined or not finite is null there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The task.
    pub task: String,
    /// The model: a folder, or "scratch".
    pub model: String,
    /// The regularizer.
    pub regularizer: RegularizerName,
    /// The penalty weight λ.
    pub weight: Option<f64>,
    /// The isotropy that was held instead of a weight; absent without a target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Targets>,
    /// The shrinkage ζ; `None` if it was estimated from each batch.
    pub shrinkage: Option<f64>,
    /// The layers that the penalty applies to.
    pub layers: LayerSelection,
    /// The seed.
    pub seed: u64,
    /// The number of epochs whose checkpoint is complete.
    pub epochs: usize,
    /// The device.
    pub device: String,
    /// The metrics on the validation rows after training.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// The task loss on the validation rows.
    pub task_loss: Option<f64>,
    /// IsoScore of the states of the validation rows.
    pub isoscore: IsoScores,
    /// Seconds spent in training steps, without calibration and validation, including those before
    /// a resumption.
    pub seconds: Option<f64>,
    /// Seconds spent on estimating references, including those before a resumption.
    pub calibration_seconds: Option<f64>,
    /// Training tokens per second, without padding.
    pub tokens_per_second: Option<f64>,
    /// The divergence; absent if the run did not diverge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Divergence>,
}

impl RunResult {
    /// Returns the divergence, if the run diverged. Results of earlier versions record it as a
    /// missing loss.
    pub fn divergence(&self) -> Option<Divergence> {
        let without_loss = || {
            self.task_loss
                .is_none()
                .then(|| Divergence::after_epoch(NotFinite::ValidationLoss, self.epochs))
        };
        self.stopped.clone().or_else(without_loss)
    }

    /// Returns this result with the evaluation after training.
    pub(super) fn with_report(self, report: &SplitReport) -> Self {
        Self {
            metrics: report
                .metrics
                .iter()
                .map(|(name, value)| (name.clone(), finite(*value)))
                .collect(),
            task_loss: finite(report.task_loss),
            isoscore: report.isoscore.clone(),
            ..self
        }
    }
}

/// Returns a finite number, or `None`.
pub(super) fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = r#"{"task":"t","model":"scratch","regularizer":"istar","weight":0.5,"shrinkage":0.2,"layers":"all","seed":1,"epochs":2,
        "device":"flex","metrics":{"accuracy":0.5},"task_loss":0.5,"isoscore":{"all":0.75,"layers":[0.5]},"seconds":1.5,"calibration_seconds":2.5,
        "tokens_per_second":7.25}"#;

    #[test]
    fn every_floating_point_number_may_be_null() {
        for number in ["0.5", "0.2", "0.75", "1.5", "2.5", "7.25"] {
            let without = WRITTEN.replace(number, "null");
            let result: RunResult =
                serde_json::from_str(&without).unwrap_or_else(|error| panic!("{number}: {error}"));
            assert_ne!(result, serde_json::from_str(WRITTEN).unwrap());
            let again: RunResult =
                serde_json::from_str(&serde_json::to_string(&result).unwrap()).unwrap();
            assert_eq!(again, result);
        }
    }

    #[test]
    fn a_result_without_a_loss_counts_as_diverged() {
        let ended: RunResult = serde_json::from_str(WRITTEN).unwrap();
        assert_eq!(ended.divergence(), None);
        let diverged: RunResult =
            serde_json::from_str(&WRITTEN.replace("\"task_loss\":0.5", "\"task_loss\":null"))
                .unwrap();
        let divergence = diverged.divergence().unwrap();
        assert_eq!(
            (divergence.cause, divergence.epoch),
            (NotFinite::ValidationLoss, 2)
        );
    }
}
