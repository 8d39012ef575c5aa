//! What comes out of an analysis.

use serde::Serialize;

use super::{LayerDifference, differences};
use crate::embeddings::Geometry;

/// The geometry of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerAnalysis {
    /// The layer; 0 is the embedding output.
    pub layer: usize,
    /// Of the states of all tokens; `None` where all are equal, or there is but one.
    pub tokens: Option<Geometry>,
    /// Of the mean state of each row; `None` where all are equal, or there is but one.
    pub sentences: Option<Geometry>,
}

/// What one model makes of the rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelAnalysis {
    /// The model, as it was asked for.
    pub model: String,
    /// The task.
    pub task: String,
    /// The split.
    pub split: String,
    /// The number of rows.
    pub rows: usize,
    /// The number of their tokens, special ones included.
    pub tokens: usize,
    /// The seed of the sample.
    pub seed: u64,
    /// The most points measured of a layer.
    pub sample: Option<usize>,
    /// The device.
    pub device: String,
    /// The seconds it took, reading the model left out.
    pub seconds: f64,
    /// The layers, the embedding output first.
    pub layers: Vec<LayerAnalysis>,
}

/// The contents of analysis.json.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// The model.
    #[serde(flatten)]
    pub model: ModelAnalysis,
    /// Another model, asked about the same rows.
    pub against: Option<ModelAnalysis>,
    /// The other model minus the model.
    pub differences: Option<Vec<LayerDifference>>,
}

impl Analysis {
    /// A model, and how another one differs from it.
    pub fn new(model: ModelAnalysis, against: Option<ModelAnalysis>) -> Self {
        let differences = against.as_ref().map(|against| differences(&model.layers, &against.layers));
        Self { model, against, differences }
    }
}
