//! The result of an analysis.

use serde::{Serialize, Serializer};

use super::{LayerDifference, differences};
use isostar_measure::Geometry;

/// The geometry of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerAnalysis {
    /// The layer; 0 is the embedding output.
    pub layer: usize,
    /// Geometry of the token states; `None` if all are equal or there is only one.
    #[serde(serialize_with = "with_vectors")]
    pub tokens: Option<Geometry>,
    /// Geometry of the sentence vectors, the mean state of each row; `None` if all are equal or
    /// there is only one.
    #[serde(serialize_with = "with_vectors")]
    pub sentences: Option<Geometry>,
}

/// Serializes a geometry together with its vectors, which other outputs omit: the spectrum, and the
/// mean and standard deviation of every dimension.
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
        let differences = against.as_ref().map(|against| differences(&model.layers, &against.layers));
        Self { model, against, differences }
    }
}
