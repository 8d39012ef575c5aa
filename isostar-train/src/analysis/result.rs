//! The result of an analysis.

use serde::Serialize;

use super::{LayerAnalysis, LayerDifference, differences};

/// The analysis of one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelAnalysis {
    /// The model, as given by the user.
    pub model: String,
    /// The task.
    pub task: String,
    /// The split.
    pub split: String,
    /// The number of rows.
    pub rows: usize,
    /// The number of tokens, including special tokens.
    pub tokens: usize,
    /// The seed of the sample.
    pub seed: u64,
    /// The number of points per layer used for the intrinsic dimensions, if there are more tokens;
    /// `None` if all points are used.
    pub sample: Option<usize>,
    /// The name of the device.
    pub device: String,
    /// The duration in seconds, without the time to load the model.
    pub seconds: f64,
    /// The layers, the embedding output first.
    pub layers: Vec<LayerAnalysis>,
}

/// The contents of `analysis.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// The analysis of the model.
    #[serde(flatten)]
    pub model: ModelAnalysis,
    /// The analysis of another model on the same rows.
    pub against: Option<ModelAnalysis>,
    /// The measures of the other model minus those of the model.
    pub differences: Option<Vec<LayerDifference>>,
}

impl Analysis {
    /// Combines the analysis of a model with that of another one, and computes the differences.
    pub fn new(model: ModelAnalysis, against: Option<ModelAnalysis>) -> Self {
        let differences = against
            .as_ref()
            .map(|against| differences(&model.layers, &against.layers));
        Self {
            model,
            against,
            differences,
        }
    }
}
