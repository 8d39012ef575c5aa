//! What comes out of an analysis.

use serde::{Serialize, Serializer};

use super::{LayerDifference, differences};
use crate::embeddings::Geometry;

/// The geometry of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerAnalysis {
    /// The layer; 0 is the embedding output.
    pub layer: usize,
    /// Of the states of all tokens; `None` where all are equal, or there is but one.
    #[serde(serialize_with = "with_vectors")]
    pub tokens: Option<Geometry>,
    /// Of the mean state of each row; `None` where all are equal, or there is but one.
    #[serde(serialize_with = "with_vectors")]
    pub sentences: Option<Geometry>,
}

/// A geometry with what is too long for other outputs: its spectrum, and the mean and standard deviation of every dimension.
fn with_vectors<S: Serializer>(geometry: &Option<Geometry>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct WithVectors<'a> {
        #[serde(flatten)]
        geometry: &'a Geometry,
        spectrum: &'a [f64],
        mean: &'a [f64],
        std: &'a [f64],
    }
    let with_vectors = |geometry| WithVectors::<'_> { geometry, spectrum: &geometry.spectrum, mean: &geometry.mean, std: &geometry.std };
    geometry.as_ref().map(with_vectors).serialize(serializer)
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
    /// How many points of a layer the intrinsic dimensions are of, where there are more tokens; `None` where they are of all.
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
