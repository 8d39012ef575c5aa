//! Sentence vectors, and the segments of pairs.

use std::fs;
use std::path::Path;

use burn::prelude::*;
use isostar_models::{Encoder, Pretrained, TokenBatch};
use isostar_train::data::{TextEncoder, TextRow};
use isostar_train::embed::{Sequences, embed, embed_in_memory, sentence_vectors};
use safetensors::SafeTensors;

use super::rows::{ROWS, analyze, folder, model};
use crate::command::succeed;

/// Of means below 4: rounded to f32 once, by half a unit in the last place at most. Largest difference observed: 9.5e-8.
const ROUNDING: f64 = 1.2e-7;
/// Of scores: vectors, deviations and their products in f32. Largest difference observed: 1.0e-8.
const SCORES: f64 = 1e-7;
/// Of values of size 1; padding and batching may change the order of f32 sums. Largest difference observed: 0.
const STATES: f64 = 1e-5;

fn row(text: &str, pair: Option<&str>, line: usize) -> TextRow {
    TextRow {
        text: text.into(),
        pair: pair.map(String::from),
        label: String::new(),
        line,
    }
}

fn sequences(model: &Pretrained<Encoder>, rows: &[TextRow]) -> Sequences {
    let encoder = TextEncoder::new(model.tokenizer.clone(), 12)
        .unwrap()
        .for_model(&model.config);
    Sequences::from_rows(rows, Path::new("rows.tsv"), &encoder).unwrap()
}

fn floats(file: &[u8], name: &str) -> Vec<f64> {
    let file = SafeTensors::deserialize(file).unwrap();
    file.tensor(name)
        .unwrap()
        .data()
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes).into())
        .collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

fn largest_difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (found - expected).abs())
        .fold(0.0, f64::max)
}

/// The f64 means of the rows of `states`, which holds `lengths` tokens of each row, padded to the longest.
fn means(states: &[f64], lengths: &[usize], width: usize) -> Vec<Vec<f64>> {
    let longest = states.len() / (lengths.len() * width);
    let mean = |(row, &tokens): (usize, &usize)| {
        let state = |token: usize| &states[(row * longest + token) * width..][..width];
        (0..width)
            .map(|column| {
                (0..tokens).map(|token| state(token)[column]).sum::<f64>() / tokens as f64
            })
            .collect()
    };
    lengths.iter().enumerate().map(mean).collect()
}

#[test]
fn a_sentence_vector_is_the_mean_of_its_tokens_without_padding() {
    let device = Device::flex();
    let bert = Pretrained::<Encoder>::read(model("bert_bare"), &device).unwrap();
    let rows = [
        row("w5", None, 2),
        row("w9 w10 w11 w12 w13 w14 w15", None, 3),
        row("w20 w31 w5", None, 4),
    ];
    let sequences = sequences(&bert, &rows);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("states");
    let layers = [0, 1, 2];
    embed(&bert, &sequences, &layers, 2, &file, &|_| ()).unwrap();
    let file = fs::read(&file).unwrap();
    let in_memory = embed_in_memory(&bert, &sequences, &layers, 2, &|_| ()).unwrap();

    let lengths: Vec<usize> = sequences
        .lengths()
        .into_iter()
        .map(|length| length as usize)
        .collect();
    assert_eq!(lengths, [3, 9, 5]);
    for layer in layers {
        let name = format!("layer.{layer}");
        let [tokens, found] = [
            in_memory[layer].clone(),
            sentence_vectors(&in_memory[layer], &sequences),
        ]
        .map(|states| wide(&states));
        let padded = floats(&file, &name);
        let of_file = (0..3).flat_map(|row| &padded[row * 9 * 16..][..lengths[row] * 16]);
        assert!(of_file.eq(&tokens), "the states are those of embed");
        let expected = means(&padded, &lengths, 16);
        assert!(
            largest_difference(&found, &expected.concat()) <= ROUNDING,
            "{name}"
        );

        for (at, expected) in expected.iter().enumerate() {
            let ids: Vec<i32> = sequences.ids(at).iter().map(|id| *id as i32).collect();
            let alone =
                Tensor::<2, Int>::from_data(TensorData::new(ids, [1, lengths[at]]), &device);
            let states: Vec<f64> = bert
                .model
                .forward(TokenBatch::unpadded(alone))
                .layer(layer)
                .try_to_vec_as()
                .unwrap();
            assert!(
                largest_difference(expected, &means(&states, &lengths[at..=at], 16)[0]) <= STATES,
                "{name}, row {at}"
            );
        }
    }
}

#[test]
fn the_geometry_of_sentences_is_that_of_their_vectors() {
    let folder = folder();
    let analysis = analyze(folder.path(), "bert", &[]);
    succeed(
        folder.path(),
        &[
            "embed",
            "bert",
            "--texts",
            "texts.txt",
            "--out",
            "states.safetensors",
        ],
    );
    let file = fs::read(folder.path().join("states.safetensors")).unwrap();
    let texts = fs::read_to_string(folder.path().join("texts.txt")).unwrap();
    let lengths: Vec<usize> = texts
        .lines()
        .map(|text| 2 + text.split(' ').count())
        .collect();
    for (at, layer) in analysis["layers"].as_array().unwrap().iter().enumerate() {
        let vectors = means(&floats(&file, &format!("layer.{at}")), &lengths, 16);
        assert_eq!(vectors.len(), ROWS);
        for (name, expected) in [
            ("isoscore", isoscore(&vectors)),
            ("mean_cosine", mean_cosine(&vectors)),
        ] {
            let found = layer["sentences"][name].as_f64().unwrap();
            assert!(
                (found - expected).abs() <= SCORES,
                "layer {at}, {name}: {found} and {expected}"
            );
        }
        let found: Vec<f64> = layer["sentences"]["mean"]
            .as_array()
            .unwrap()
            .iter()
            .map(|mean| mean.as_f64().unwrap())
            .collect();
        let expected: Vec<f64> = (0..16)
            .map(|column| vectors.iter().map(|vector| vector[column]).sum::<f64>() / ROWS as f64)
            .collect();
        assert!(
            largest_difference(&found, &expected) <= ROUNDING,
            "layer {at}"
        );
    }
}

/// (t²/F − 1)/(d − 1) of the sample covariance, entry by entry.
fn isoscore(points: &[Vec<f64>]) -> f64 {
    let (n, d) = (points.len() as f64, points[0].len());
    let mean: Vec<f64> = (0..d)
        .map(|column| points.iter().map(|point| point[column]).sum::<f64>() / n)
        .collect();
    let entry = |i: usize, j: usize| {
        points
            .iter()
            .map(|point| (point[i] - mean[i]) * (point[j] - mean[j]))
            .sum::<f64>()
            / (n - 1.0)
    };
    let trace: f64 = (0..d).map(|i| entry(i, i)).sum();
    let squares: f64 = (0..d * d).map(|at| entry(at / d, at % d).powi(2)).sum();
    (trace * trace / squares - 1.0) / (d as f64 - 1.0)
}

/// The mean over all pairs of two different points, pair by pair.
fn mean_cosine(points: &[Vec<f64>]) -> f64 {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let cosine = |x: &[f64], y: &[f64]| dot(x, y) / (dot(x, x) * dot(y, y)).sqrt();
    let pairs = (0..points.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let (sum, count) = pairs.fold((0.0, 0), |(sum, count), (i, j)| {
        (sum + cosine(&points[i], &points[j]), count + 1)
    });
    sum / f64::from(count)
}

#[test]
fn pairs_are_embedded_with_their_segments() {
    let device = Device::flex();
    let bert = Pretrained::<Encoder>::read(model("bert_bare"), &device).unwrap();
    let sequences = sequences(
        &bert,
        &[
            row("w5 w6", Some("w7 w8 w9"), 2),
            row("w10", Some("w11"), 3),
        ],
    );
    assert_eq!(sequences.type_ids(0), Some(&[0, 0, 0, 0, 1, 1, 1, 1][..]));
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("states");
    embed(&bert, &sequences, &[0, 2], 2, &out, &|_| ()).unwrap();
    let file = fs::read(&out).unwrap();

    let ids = Tensor::<2, Int>::from_data([[2, 5, 6, 3, 7, 8, 9, 3]], &device);
    let type_ids = Tensor::<2, Int>::from_data([[0, 0, 0, 0, 1, 1, 1, 1]], &device);
    let states = bert.model.forward(TokenBatch {
        type_ids,
        ..TokenBatch::unpadded(ids.clone())
    });
    let without = bert.model.forward(TokenBatch::unpadded(ids));
    for layer in [0, 2] {
        let found = &floats(&file, &format!("layer.{layer}"))[..8 * 16];
        let expected: Vec<f64> = states.layer(layer).try_to_vec_as().unwrap();
        assert!(
            largest_difference(found, &expected) <= STATES,
            "layer {layer}"
        );
        let without: Vec<f64> = without.layer(layer).try_to_vec_as().unwrap();
        assert!(
            largest_difference(found, &without) > 0.1,
            "layer {layer} depends on segments"
        );
    }
}
