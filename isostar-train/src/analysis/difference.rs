//! How two models differ, layer by layer and measure by measure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::LayerAnalysis;
use crate::embeddings::Geometry;

/// What describes the points rather than measures them.
const NO_MEASURES: [&str; 4] = ["points", "dimension", "sample", "isoscore_interval"];

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
    let of = |layers: &[LayerAnalysis], at: usize, part: fn(&LayerAnalysis) -> &Option<Geometry>| -> Map<String, Value> {
        layers.get(at).and_then(|layer| part(layer).as_ref()).map(measures).unwrap_or_default()
    };
    let difference = |at, part| subtract(&of(first, at, part), &of(second, at, part));
    let layer = |at| LayerDifference {
        layer: at,
        tokens: difference(at, |layer| &layer.tokens),
        sentences: difference(at, |layer| &layer.sentences),
    };
    (0..first.len().max(second.len())).map(layer).collect()
}

/// The measures by the names that JSON knows them by, so that a new one is compared without further ado.
fn measures(geometry: &Geometry) -> Map<String, Value> {
    match serde_json::to_value(geometry) {
        Ok(Value::Object(measures)) => measures,
        other => unreachable!("a geometry is an object of numbers: {other:?}"),
    }
}

fn subtract(first: &Map<String, Value>, second: &Map<String, Value>) -> BTreeMap<String, Option<f64>> {
    let names = first.keys().chain(second.keys()).filter(|name| !NO_MEASURES.contains(&name.as_str()));
    let value = |of: &Map<String, Value>, name| of.get(name).and_then(number);
    names.map(|name| (name.clone(), value(first, name).zip(value(second, name)).map(|(first, second)| second - first))).collect()
}

/// The number that a measure is, or that stands for it.
fn number(measure: &Value) -> Option<f64> {
    match measure {
        Value::Array(items) => Some(items.len() as f64),
        Value::Object(parts) => parts.get("components").and_then(Value::as_f64),
        measure => measure.as_f64(),
    }
}
