//! What comes out of a run.

use std::collections::BTreeMap;

use isostar_core::{LayerSelection, RunningMoments};
use serde::{Deserialize, Deserializer, Serialize};

use super::RegularizerName;

/// IsoScore of the token states of a split, padding left out. `None` where no direction has variance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IsoScores {
    /// Of all layers together, the embedding output excluded.
    pub all: Option<f64>,
    /// Of each layer, first to last.
    pub layers: Vec<Option<f64>>,
}

impl IsoScores {
    /// From the moments of each layer.
    pub(super) fn of_layers(layers: &[RunningMoments]) -> Self {
        let mut union = layers.iter().cloned();
        let all = union.next().and_then(|first| {
            let merged = union.fold(first, |mut sum, layer| {
                sum.merge(&layer);
                sum
            });
            merged.isoscore()
        });
        Self { all, layers: layers.iter().map(RunningMoments::isoscore).collect() }
    }
}

/// The contents of result.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The task.
    pub task: String,
    /// The model trained: a folder, or "scratch".
    pub model: String,
    /// The regularizer.
    pub regularizer: RegularizerName,
    /// Its weight λ.
    pub weight: f64,
    /// ζ.
    pub shrinkage: f64,
    /// The layers under the penalty.
    pub layers: LayerSelection,
    /// The seed.
    pub seed: u64,
    /// The epochs made.
    pub epochs: usize,
    /// The device.
    pub device: String,
    /// The task's scores on the rows to judge by, after training; NaN, null in the file, where one is not defined.
    #[serde(deserialize_with = "or_nan")]
    pub metrics: BTreeMap<String, f64>,
    /// The loss of the task on those rows.
    pub task_loss: f64,
    /// The IsoScore of those rows' states.
    pub isoscore: IsoScores,
    /// Seconds spent in training steps, calibration and validation left out.
    pub seconds: f64,
    /// Seconds spent on estimating references.
    pub calibration_seconds: f64,
    /// Training tokens a second, padding not counted.
    pub tokens_per_second: f64,
}

/// JSON has no NaN: it is written as null.
fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let metrics = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
    Ok(metrics.into_iter().map(|(name, value)| (name, value.unwrap_or(f64::NAN))).collect())
}
