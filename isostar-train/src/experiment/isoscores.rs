//! IsoScore of a split.

use isostar_core::RunningMoments;
use serde::{Deserialize, Serialize};

/// IsoScore of the token states of a split, without padding. `None` if no direction has variance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IsoScores {
    /// Over all layers together, without the embedding output.
    pub all: Option<f64>,
    /// Per layer, first to last.
    pub layers: Vec<Option<f64>>,
}

impl IsoScores {
    /// Computes the scores from the moments of each layer.
    pub(super) fn from_layers(layers: &[RunningMoments]) -> Self {
        let mut union = layers.iter().cloned();
        let all = union.next().and_then(|first| {
            let merged = union.fold(first, |mut sum, layer| {
                sum.merge(&layer);
                sum
            });
            merged.isoscore()
        });
        Self {
            all,
            layers: layers.iter().map(RunningMoments::isoscore).collect(),
        }
    }
}
