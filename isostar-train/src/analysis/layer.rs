//! The geometry of one layer.

use isostar_measure::Geometry;
use serde::{Serialize, Serializer};

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
fn with_vectors<S: Serializer>(
    geometry: &Option<Geometry>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct WithVectors<'a> {
        #[serde(flatten)]
        geometry: &'a Geometry,
        spectrum: &'a [f64],
        mean: &'a [f64],
        std: &'a [f64],
    }
    let with_vectors = |geometry| WithVectors::<'_> {
        geometry,
        spectrum: &geometry.spectrum,
        mean: &geometry.mean,
        std: &geometry.std,
    };
    geometry.as_ref().map(with_vectors).serialize(serializer)
}
