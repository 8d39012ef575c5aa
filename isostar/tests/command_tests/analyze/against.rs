//! How two models differ.

use isostar_core::measure::{MEASURES, Needs};
use serde_json::{Value, json};

use super::rows::{analyze, copy_model, folder};
use crate::command::succeed;

/// Of numbers below 100: serde_json reads them to the last digit but one. Largest difference observed: 2e-15.
const READING: f64 = 3e-14;

/// What models differ in, in the order of serde_json's maps: every measure of the table that needs no reference.
fn measures() -> Vec<&'static str> {
    let mut names: Vec<&str> = MEASURES
        .iter()
        .filter(|measure| measure.needs != Needs::Reference)
        .map(|measure| measure.name)
        .collect();
    names.sort_unstable();
    names
}

const PARTS: [&str; 2] = ["tokens", "sentences"];

#[test]
fn a_difference_is_the_second_model_minus_the_first() {
    let folder = folder();
    copy_model("bert_tanh", &folder.path().join("tanh"));
    let there = analyze(folder.path(), "bert", &["--against", "tanh"]);
    let back = analyze(folder.path(), "tanh", &["--against", "bert"]);
    assert_eq!(
        there["against"]["layers"], back["layers"],
        "the second model is analyzed as it would be alone"
    );
    assert_eq!(there["layers"], back["against"]["layers"]);
    let keys = [
        "device", "layers", "model", "rows", "sample", "seconds", "seed", "split", "task", "tokens",
    ];
    assert_eq!(
        there["against"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        keys
    );

    let differences = there["differences"].as_array().unwrap();
    assert_eq!(
        differences.len(),
        there["layers"]
            .as_array()
            .unwrap()
            .len()
            .max(back["layers"].as_array().unwrap().len())
    );
    for (at, layer) in differences.iter().enumerate() {
        assert_eq!(layer["layer"], json!(at));
        for part in PARTS {
            let found = layer[part].as_object().unwrap();
            assert_eq!(found.keys().collect::<Vec<_>>(), measures());
            for (name, difference) in found {
                let value = |of: &Value| match &of["layers"][at][part][name] {
                    Value::Array(outliers) => Some(outliers.len() as f64),
                    Value::Object(variance) => variance["components"].as_f64(),
                    value => value.as_f64(),
                };
                let expected = value(&back)
                    .zip(value(&there))
                    .map(|(second, first)| second - first);
                assert_eq!(
                    difference.is_null(),
                    expected.is_none(),
                    "layer {at}, {name}"
                );
                let distance = (difference.as_f64().unwrap_or(0.0) - expected.unwrap_or(0.0)).abs();
                assert!(
                    distance <= READING,
                    "layer {at}, {name}: {difference} and {expected:?}"
                );
                let opposite = back["differences"][at][part][name].as_f64();
                assert_eq!(
                    difference.as_f64(),
                    opposite.map(|opposite| -opposite),
                    "{at}, {name}"
                );
            }
        }
    }
    assert!(
        differences
            .iter()
            .any(|layer| layer["tokens"]["isoscore"].as_f64().unwrap() != 0.0)
    );
}

#[test]
fn a_model_does_not_differ_from_itself() {
    let folder = folder();
    let analysis = analyze(folder.path(), "bert", &["--against", "bert"]);
    for layer in analysis["differences"].as_array().unwrap() {
        for part in PARTS {
            assert!(
                layer[part]
                    .as_object()
                    .unwrap()
                    .values()
                    .all(|difference| *difference == json!(0.0) || difference.is_null())
            );
        }
    }
}

#[test]
fn a_layer_that_only_one_model_has_differs_from_nothing() {
    let folder = folder();
    copy_model("bert_types", &folder.path().join("short"));
    let analysis = analyze(folder.path(), "bert", &["--against", "short"]);
    let depth = |of: &Value| of["layers"].as_array().unwrap().len();
    assert_eq!((depth(&analysis), depth(&analysis["against"])), (3, 2));
    let differences = analysis["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 3);
    assert!(differences[1]["tokens"]["isoscore"].is_f64());
    for part in PARTS {
        let last = differences[2][part].as_object().unwrap();
        assert!(
            last.contains_key("isoscore") && last.values().all(Value::is_null),
            "{last:?}"
        );
    }
    let table = succeed(
        folder.path(),
        &["analyze", "bert", "--data", "data", "--against", "short"],
    );
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines.contains(&"short minus bert"), "{table}");
    assert!(
        lines.last().unwrap().starts_with("layer 2 ") && lines.last().unwrap().ends_with(" -"),
        "{table}"
    );
}
