//! What is measured of a layer, and where it goes.

use std::fs;
use std::path::Path;

use isostar_core::measure::{MEASURES, Needs};
use isostar_train::experiment::{TrainOptions, TrainSettings};
use isostar_train::progress::Silent;
use isostar_train::task::{Task, TaskSource};
use serde_json::{Value, json};

use super::rows::{ROWS, analyze, copy_model, folder};
use crate::command::{names, succeed};

/// Of the trace: layer normalization leaves one eigenvalue of 0, and one that rounding in f32, of 2⁻²⁴ of the trace at most, made negative is 0
/// in the spectrum. Largest difference observed: 1.1e-9.
const TRACE: f64 = f32::EPSILON as f64 / 2.0;

/// What analysis.json holds of points, in the order of serde_json's maps: every measure of the table that needs no reference, and more.
fn geometry() -> Vec<&'static str> {
    let measures = MEASURES
        .iter()
        .filter(|measure| measure.needs != Needs::Reference)
        .map(|measure| measure.name);
    let mut names: Vec<&str> = measures.collect();
    names.extend([
        "points",
        "dimension",
        "isoscore_interval",
        "sample",
        "spectrum",
        "mean",
        "std",
    ]);
    names.sort_unstable();
    names
}

/// What `isostar embed` and then `isostar measure` say of the texts of dev, a layer each.
fn embedded_and_measured(folder: &Path, more: &[&str]) -> Vec<Value> {
    succeed(
        folder,
        &[
            "embed",
            "bert",
            "--texts",
            "texts.txt",
            "--out",
            "states.safetensors",
        ],
    );
    let lines = succeed(
        folder,
        &[&["measure", "states.safetensors", "--json"], more].concat(),
    );
    let mut layers: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (at, layer) in layers.iter_mut().enumerate() {
        let layer = layer.as_object_mut().unwrap();
        assert_eq!(layer.remove("tensor"), Some(json!(format!("layer.{at}"))));
        layer.remove("file");
    }
    layers
}

/// Every measure of `measured` stands in `analyzed`, digit for digit.
#[track_caller]
fn assert_same(analyzed: &Value, measured: &[Value]) {
    let layers = analyzed["layers"].as_array().unwrap();
    assert_eq!(layers.len(), measured.len());
    for (layer, measured) in layers.iter().zip(measured) {
        for (name, value) in measured.as_object().unwrap() {
            assert_eq!(
                &layer["tokens"][name], value,
                "layer {}, {name}",
                layer["layer"]
            );
        }
    }
}

#[test]
fn every_layer_is_measured_as_embed_and_measure_do() {
    let folder = folder();
    let analysis = analyze(folder.path(), "bert", &[]);
    let measured = embedded_and_measured(folder.path(), &[]);
    assert_eq!(measured.len(), 3, "the embedding output and two layers");
    assert_same(&analysis, &measured);

    let sampled = analyze(folder.path(), "bert", &["--sample", "50", "--seed", "3"]);
    assert_same(
        &sampled,
        &embedded_and_measured(folder.path(), &["--sample", "50", "--seed", "3"]),
    );
    for (sampled, all) in sampled["layers"]
        .as_array()
        .unwrap()
        .iter()
        .zip(analysis["layers"].as_array().unwrap())
    {
        assert_eq!(
            sampled["tokens"]["isoscore"], all["tokens"]["isoscore"],
            "a sample is for what takes all pairs of points"
        );
        assert_ne!(sampled["tokens"]["twonn"], all["tokens"]["twonn"]);
    }
}

#[test]
fn an_analysis_says_what_was_analyzed() {
    let folder = folder();
    let analysis = analyze(
        folder.path(),
        "bert",
        &["--limit", "30", "--seed", "5", "--sample", "100"],
    );
    let keys = [
        "against",
        "device",
        "differences",
        "layers",
        "model",
        "rows",
        "sample",
        "seconds",
        "seed",
        "split",
        "task",
        "tokens",
    ];
    assert_eq!(
        analysis.as_object().unwrap().keys().collect::<Vec<_>>(),
        keys
    );
    let texts = fs::read_to_string(folder.path().join("texts.txt")).unwrap();
    let data = folder.path().join("data");
    let task = Task::read(
        TaskSource {
            folder: Some(&data),
            ..TaskSource::default()
        },
        &Silent,
    )
    .unwrap();
    let drawn = task.draw(&task.splits.dev, 30, 5);
    let count = |text: &str| 2 + text.split(' ').count();
    let tokens: usize = texts
        .lines()
        .enumerate()
        .filter(|(row, _)| drawn.contains(row))
        .map(|(_, text)| count(text))
        .sum();
    assert_ne!(
        tokens,
        texts.lines().take(30).map(count).sum::<usize>(),
        "these are not the first rows"
    );
    let expected = json!({"model": "bert", "task": "data", "split": "dev", "rows": 30, "tokens": tokens, "seed": 5, "sample": 100});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&analysis[key], value, "{key}");
    }
    assert!(
        analysis["seconds"].as_f64().unwrap() > 0.0
            && analysis["against"].is_null()
            && analysis["differences"].is_null()
    );
    for (at, layer) in analysis["layers"].as_array().unwrap().iter().enumerate() {
        assert_eq!(layer["layer"], json!(at));
        assert_eq!(
            (&layer["tokens"]["points"], &layer["sentences"]["points"]),
            (&json!(tokens), &json!(30))
        );
        assert_eq!(
            (&layer["tokens"]["sample"], &layer["sentences"]["sample"]),
            (&json!(100), &Value::Null)
        );
        for part in ["tokens", "sentences"] {
            assert_eq!(
                layer[part].as_object().unwrap().keys().collect::<Vec<_>>(),
                geometry()
            );
            assert_eq!(layer[part]["dimension"], json!(16));
        }
    }
    assert_eq!(
        names(folder.path()),
        ["bert", "data", "texts.txt"],
        "without --out nothing is written"
    );

    let train = analyze(folder.path(), "bert", &["--split", "train"]);
    assert_eq!(
        (&train["split"], &train["rows"]),
        (&json!("train"), &json!(8))
    );
}

#[test]
fn the_vectors_of_a_layer_agree_with_each_other() {
    let folder = folder();
    let analysis = analyze(folder.path(), "bert", &[]);
    for layer in analysis["layers"].as_array().unwrap() {
        for part in ["tokens", "sentences"] {
            let numbers = |name: &str| {
                layer[part][name]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|number| number.as_f64().unwrap())
                    .collect::<Vec<_>>()
            };
            let (spectrum, mean, std) = (numbers("spectrum"), numbers("mean"), numbers("std"));
            assert_eq!((spectrum.len(), mean.len(), std.len()), (16, 16, 16));
            assert!(spectrum.is_sorted_by(|one, next| one >= next) && spectrum[15] >= 0.0);
            let variance: f64 = std.iter().map(|std| std * std).sum();
            let trace: f64 = spectrum.iter().sum();
            assert!(
                (trace / variance - 1.0).abs() <= TRACE,
                "{trace} and {variance}"
            );
            let ratio = trace * trace / spectrum.iter().map(|value| value * value).sum::<f64>();
            assert!(
                (ratio / layer[part]["participation_ratio"].as_f64().unwrap() - 1.0).abs() <= TRACE
            );
        }
    }
}

#[test]
fn the_default_task_is_embedded() {
    let folder = folder();
    let printed = succeed(
        folder.path(),
        &["analyze", "bert", "--limit", "12", "--json"],
    );
    let analysis: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&analysis["task"], &analysis["rows"]),
        (&json!("headlines"), &json!(12))
    );
}

#[test]
fn a_folder_is_made_for_the_file() {
    let folder = folder();
    let printed = analyze(folder.path(), "bert", &["--out", "new/place"]);
    assert_eq!(names(&folder.path().join("new/place")), ["analysis.json"]);
    let written = fs::read_to_string(folder.path().join("new/place/analysis.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), printed);

    let table = succeed(
        folder.path(),
        &["analyze", "bert", "--data", "data", "--out", "new/place"],
    );
    assert!(table.ends_with("new/place/analysis.json\n"), "{table}");
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines[0].starts_with("bert on data, dev: 40 rows, "),
        "{table}"
    );
    for title in ["tokens ", "sentences "] {
        let at = lines
            .iter()
            .position(|line| line.starts_with(title))
            .unwrap();
        for measure in MEASURES
            .iter()
            .filter(|measure| measure.needs != Needs::Reference)
        {
            assert!(
                lines[at].contains(&format!("  {}", measure.column)),
                "{} in {table}",
                measure.name
            );
        }
        for (layer, line) in lines[at + 1..at + 4].iter().enumerate() {
            assert!(
                line.starts_with(&format!("layer {layer} "))
                    && line.chars().count() == lines[at].chars().count(),
                "{table}"
            );
        }
    }
}

#[test]
fn a_run_brings_its_task_and_keeps_its_analysis() {
    let folder = folder();
    let run = folder.path().join("run");
    fs::create_dir(&run).unwrap();
    copy_model("bert_bare", &run.join("model"));
    let options = TrainOptions {
        data: Some("data".into()),
        max_length: Some(6),
        seed: Some(4),
        ..TrainOptions::default()
    };
    fs::write(
        run.join("config.toml"),
        toml::to_string(&TrainSettings::resolve(options)).unwrap(),
    )
    .unwrap();

    let printed = succeed(folder.path(), &["analyze", "run", "--json"]);
    let of_run: Value = serde_json::from_str(&printed).unwrap();
    let of_model = analyze(folder.path(), "bert", &["--max-length", "6"]);
    assert_eq!(of_run["layers"], of_model["layers"]);
    assert_eq!(
        (&of_run["task"], &of_run["rows"]),
        (&json!("data"), &json!(ROWS))
    );
    assert_eq!(names(&run), ["analysis.json", "config.toml", "model"]);
    assert_eq!(
        fs::read_to_string(run.join("analysis.json")).unwrap(),
        printed
    );
}

#[test]
fn equal_points_and_a_single_one_have_no_geometry() {
    let folder = folder();
    let one = analyze(folder.path(), "bert", &["--limit", "1"]);
    assert!(
        one["layers"]
            .as_array()
            .unwrap()
            .iter()
            .all(|layer| layer["sentences"].is_null() && layer["tokens"].is_object())
    );

    let equal = "sentence\tlabel\nw5 w6\t0\nw5 w6\t1\nw5 w6\t0\n";
    fs::write(folder.path().join("data/dev.tsv"), equal).unwrap();
    let equal = analyze(folder.path(), "bert", &[]);
    assert!(
        equal["layers"]
            .as_array()
            .unwrap()
            .iter()
            .all(|layer| layer["sentences"].is_null() && layer["tokens"].is_object())
    );
    let table = succeed(folder.path(), &["analyze", "bert", "--data", "data"]);
    assert!(
        table
            .lines()
            .last()
            .unwrap()
            .split_whitespace()
            .skip(2)
            .all(|cell| cell == "-"),
        "{table}"
    );
}
