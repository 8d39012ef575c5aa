//! How two models differ, layer by layer and measure by measure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::LayerAnalysis;
use crate::embeddings::Geometry;

/// What a layer of the second model measures minus what that of the first does, by the measures' names.
///
/// Of the explained variance it is the number of components, and of the outlier dimensions how many there are. `None` where a measure has
/// no value in one of the models, or one of them has no such layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerDifference {
    /// The layer of both; 0 is the embedding output.
    pub layer: usize,
    /// Of the states of tokens.
    pub tokens: BTreeMap<String, Option<f64>>,
    /// Of the sentence vectors.
    pub sentences: BTreeMap<String, Option<f64>>,
}

/// Second − first, for every layer that either has.
///
/// Layers are compared by their number, whatever their width: no measure but the effective rank and its like grows with it.
pub fn differences(first: &[LayerAnalysis], second: &[LayerAnalysis]) -> Vec<LayerDifference> {
    let of = |layers: &[LayerAnalysis], at: usize, part: fn(&LayerAnalysis) -> &Option<Geometry>| -> Values {
        let geometry = layers.get(at).and_then(|layer| part(layer).as_ref());
        geometry.map(|geometry| geometry.measures().map(|(measure, value)| (measure.name, value)).collect()).unwrap_or_default()
    };
    let difference = |at, part| subtract(&of(first, at, part), &of(second, at, part));
    let layer = |at| LayerDifference {
        layer: at,
        tokens: difference(at, |layer| &layer.tokens),
        sentences: difference(at, |layer| &layer.sentences),
    };
    (0..first.len().max(second.len())).map(layer).collect()
}

/// Values of measures by name.
type Values = BTreeMap<&'static str, Option<f64>>;

/// Second − first, for every measure that either lists.
fn subtract(first: &Values, second: &Values) -> BTreeMap<String, Option<f64>> {
    let value = |of: &Values, name: &str| of.get(name).copied().flatten();
    let difference = |name: &str| value(first, name).zip(value(second, name)).map(|(first, second)| second - first);
    first.keys().chain(second.keys()).map(|name| (name.to_string(), difference(name))).collect()
}
