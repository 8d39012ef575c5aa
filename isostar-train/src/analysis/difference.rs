//! Differences between two models, per layer and measure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::LayerAnalysis;
use isostar_measure::Geometry;

/// Measures of a layer of the second model minus those of the first, by name.
///
/// For the explained variance this is the difference in the number of components, for the outlier
/// dimensions the difference in their number. A difference is `None` if the measure has no value in
/// one of the models, or if one of them lacks the layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerDifference {
    /// The number of the layer; 0 is the embedding output.
    pub layer: usize,
    /// Differences for the token states.
    pub tokens: BTreeMap<String, Option<f64>>,
    /// Differences for the sentence vectors.
    pub sentences: BTreeMap<String, Option<f64>>,
}

/// Computes second − first for every layer that either model has.
///
/// Layers are matched by number, even if their widths differ: of all measures, only the effective
/// rank and similar ones grow with the width.
pub fn differences(first: &[LayerAnalysis], second: &[LayerAnalysis]) -> Vec<LayerDifference> {
    let of = |layers: &[LayerAnalysis],
              at: usize,
              part: fn(&LayerAnalysis) -> &Option<Geometry>|
     -> Values {
        let geometry = layers.get(at).and_then(|layer| part(layer).as_ref());
        geometry
            .map(|geometry| {
                geometry
                    .measures()
                    .map(|(measure, value)| (measure.name, value))
                    .collect()
            })
            .unwrap_or_default()
    };
    let difference = |at, part| subtract(&of(first, at, part), &of(second, at, part));
    let layer = |at| LayerDifference {
        layer: at,
        tokens: difference(at, |layer| &layer.tokens),
        sentences: difference(at, |layer| &layer.sentences),
    };
    (0..first.len().max(second.len())).map(layer).collect()
}

/// Values of measures, by name.
type Values = BTreeMap<&'static str, Option<f64>>;

/// Computes second − first for every measure that either side lists.
fn subtract(first: &Values, second: &Values) -> BTreeMap<String, Option<f64>> {
    let value = |of: &Values, name: &str| of.get(name).copied().flatten();
    let difference = |name: &str| {
        value(first, name)
            .zip(value(second, name))
            .map(|(first, second)| second - first)
    };
    first
        .keys()
        .chain(second.keys())
        .map(|name| (name.to_string(), difference(name)))
        .collect()
}
