//! `isostar embed`: what it writes, what it refuses, and that `isostar measure` reads it.

use std::path::{Path, PathBuf};

use burn::prelude::*;
use isostar_models::{Encoder, Pretrained, TokenBatch};
use safetensors::{Dtype, SafeTensors};
use serde_json::json;

use super::files::{Folder, f32_bytes, isostar, measure, measure_one, npy, safetensors};
use super::refused::cause_of;

/// Of values of size 1; padding and batching change the order of f32 sums. Largest difference observed: 1e-6.
const STATES: f32 = 1e-5;

/// Rows of different lengths, the longest neither first nor last.
const IDS: &str =
    "[2, 5, 9, 3]\n[2, 3]\n[2, 20, 31, 32, 33, 40, 3]\n[2, 7, 7, 3]\n[2, 11, 12, 13, 3]\n";

/// A random BERT of two layers of width 16, with 41 ids and 12 positions.
fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../isostar-models/tests/fixtures/bert_bare")
}

fn embed(arguments: &[&str], out: &Path) {
    let output = isostar(["embed"])
        .arg(model())
        .args(arguments)
        .arg("--out")
        .arg(out)
        .assert()
        .success()
        .get_output()
        .clone();
    assert!(
        output.stderr.is_empty(),
        "no bar where stderr is no terminal"
    );
}

fn floats(file: &SafeTensors, name: &str) -> Vec<f32> {
    file.tensor(name)
        .unwrap()
        .data()
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

#[test]
fn the_states_of_every_row_are_those_of_the_row_alone() {
    let folder = Folder::new();
    let (ids, out) = (
        folder.write("ids.jsonl", IDS),
        folder.path("states.safetensors"),
    );
    embed(&["--ids", ids.to_str().unwrap(), "--batch-size", "2"], &out);
    let bytes = std::fs::read(&out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort();
    assert_eq!(names, ["layer.0", "layer.1", "layer.2", "mask"]);
    assert_eq!(
        (
            file.tensor("mask").unwrap().dtype(),
            file.tensor("mask").unwrap().shape()
        ),
        (Dtype::BOOL, &[5, 7][..])
    );

    let device = Device::flex();
    let encoder = Pretrained::<Encoder>::read(model(), &device).unwrap().model;
    for (row, line) in IDS.lines().enumerate() {
        let ids: Vec<i32> = serde_json::from_str(line).unwrap();
        let tokens = ids.len();
        let alone = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, tokens]), &device);
        let states = encoder.forward(TokenBatch::unpadded(alone));
        for layer in 0..=2 {
            let name = format!("layer.{layer}");
            assert_eq!(file.tensor(&name).unwrap().shape(), [5, 7, 16]);
            let found = &floats(&file, &name)[row * 7 * 16..(row + 1) * 7 * 16];
            let expected: Vec<f32> = states.layer(layer).try_to_vec_as().unwrap();
            let (found, padding) = found.split_at(tokens * 16);
            assert!(padding.iter().all(|state| *state == 0.0));
            let largest = found
                .iter()
                .zip(&expected)
                .map(|(found, expected)| (found - expected).abs())
                .fold(0.0, f32::max);
            assert!(largest <= STATES, "row {row}, {name}: {largest}");
        }
        let mask = &file.tensor("mask").unwrap().data()[row * 7..(row + 1) * 7];
        assert!(
            mask.iter()
                .enumerate()
                .all(|(token, flag)| *flag == u8::from(token < tokens)),
            "row {row}: {mask:?}"
        );
    }
}

#[test]
fn what_is_embedded_can_be_measured() {
    let folder = Folder::new();
    let (ids, out) = (
        folder.write("ids.jsonl", IDS),
        folder.path("states.safetensors"),
    );
    embed(&["--ids", ids.to_str().unwrap()], &out);
    let measured = measure(&out, &[]);
    assert_eq!(measured.len(), 3);

    let bytes = std::fs::read(&out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mask = file.tensor("mask").unwrap().data();
    for (layer, found) in measured.iter().enumerate() {
        let name = format!("layer.{layer}");
        assert_eq!(
            (&found["tensor"], &found["points"]),
            (&json!(name), &json!(22)),
            "only tokens count"
        );
        let states = floats(&file, &name);
        let tokens = states
            .chunks_exact(16)
            .zip(mask)
            .filter(|(_, flag)| **flag == 1)
            .flat_map(|(state, _)| state.to_vec());
        let tokens = measure_one(
            &folder.write(
                "tokens.npy",
                npy("<f4", false, &[22, 16], &f32_bytes(tokens)),
            ),
            &[],
        );
        for key in ["isoscore", "isoscore_unbiased", "mean_cosine", "cosreg"] {
            let (found, expected) = (found[key].as_f64().unwrap(), tokens[key].as_f64().unwrap());
            assert!(
                (found - expected).abs() <= 1e-9,
                "{name}, {key}: {found} and {expected}"
            );
        }
    }
}

#[test]
fn every_architecture_can_be_embedded() {
    let folder = Folder::new();
    let ids = folder.write("ids.jsonl", "[5, 7, 6]\n[5, 6]\n");
    for architecture in ["roberta", "distilbert", "albert", "gpt2"] {
        let model = model().with_file_name(format!("{architecture}_classes"));
        let out = folder.path(&format!("{architecture}.safetensors"));
        isostar(["embed"])
            .arg(model)
            .arg("--ids")
            .arg(&ids)
            .arg("--out")
            .arg(&out)
            .assert()
            .success();
        let measured = measure(&out, &[]);
        assert_eq!(measured.len(), 3, "{architecture}");
        assert!(measured.iter().all(|layer| layer["points"] == json!(5)));
    }
}

#[test]
fn texts_are_tokenized_and_cut_and_layers_chosen() {
    let folder = Folder::new();
    let texts = folder.write("texts.txt", "w5 w9\n\nw20 w31 w32 w33 w40 w5 w6 w7\n");
    let out = folder.path("states.safetensors");
    let texts = texts.to_str().unwrap();
    embed(
        &["--texts", texts, "--layers", "last", "--max-length", "7"],
        &out,
    );
    let ids = folder.write(
        "ids.jsonl",
        "[2, 5, 9, 3]\n[2, 3]\n[2, 20, 31, 32, 33, 40, 3]\n",
    );
    let same = folder.path("same.safetensors");
    embed(&["--ids", ids.to_str().unwrap(), "--layers", "2"], &same);
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&same).unwrap());

    let utf16 = [0xfeff]
        .into_iter()
        .chain("w5 w9\r\n\r\nw20 w31 w32 w33 w40 w5 w6 w7\r\n".encode_utf16())
        .flat_map(u16::to_be_bytes);
    let utf16 = folder.write("utf16.txt", utf16.collect::<Vec<u8>>());
    embed(
        &[
            "--texts",
            utf16.to_str().unwrap(),
            "--layers",
            "last",
            "--max-length",
            "7",
        ],
        &out,
    );
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&same).unwrap());

    embed(&["--texts", texts, "--layers", "2,0"], &out);
    let lines = measure(&out, &[]);
    assert_eq!(
        lines
            .iter()
            .map(|line| line["tensor"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["layer.0", "layer.2"]
    );
    assert_eq!(lines[0]["points"], json!(4 + 2 + 10));
}

#[test]
fn bad_input_is_refused_and_leaves_no_file() {
    let folder = Folder::new();
    let (model, out) = (model(), folder.path("out.safetensors"));
    let (model, out) = (model.to_str().unwrap(), out.to_str().unwrap());
    let refuses = |arguments: &[&str], cause: &str| {
        let found = cause_of(&[&["embed"], arguments].concat());
        assert!(
            found.contains(cause),
            "{found:?} does not contain {cause:?}"
        );
    };
    let ids = |content: &str| {
        folder
            .write("ids.jsonl", content)
            .to_str()
            .unwrap()
            .to_string()
    };
    let refuses_ids =
        |content: &str, cause: &str| refuses(&[model, "--ids", &ids(content), "--out", out], cause);
    let good = folder.write("good.jsonl", IDS);
    let good = good.to_str().unwrap();

    refuses(
        &["nowhere", "--ids", good, "--out", out],
        "there is no folder nowhere, and the hub could not provide it: nowhere is not in the cache",
    );
    refuses(
        &[model, "--texts", "nowhere.txt", "--out", out],
        "nowhere.txt: no such file",
    );
    let empty = folder.write("empty.txt", "");
    refuses(
        &[model, "--texts", empty.to_str().unwrap(), "--out", out],
        "empty.txt: the file is empty",
    );
    let latin = folder.write("latin.txt", b"one\ncaf\xe9\n");
    refuses(
        &[model, "--texts", latin.to_str().unwrap(), "--out", out],
        "latin.txt, line 2: not UTF-8 text",
    );
    let mark = folder.write("mark.txt", b"\xef\xbb\xbf");
    refuses(
        &[model, "--texts", mark.to_str().unwrap(), "--out", out],
        "mark.txt: the file is empty",
    );
    let unmarked = folder.write("unmarked.txt", b"w\x005\x00\n\x00");
    refuses(
        &[model, "--texts", unmarked.to_str().unwrap(), "--out", out],
        "unmarked.txt, line 1: UTF-16 text without a byte-order mark",
    );
    refuses(
        &[model, "--ids", unmarked.to_str().unwrap(), "--out", out],
        "unmarked.txt, line 1: UTF-16 text without a byte-order mark",
    );
    refuses_ids("", "ids.jsonl: the file is empty");
    refuses_ids("\n\n", "ids.jsonl: the file is empty");
    refuses_ids(
        "[2, 3]\n[2, 61, 3]\n",
        "line 2: the id 61 is outside the model's vocabulary, 0 to 40",
    );
    refuses_ids(
        "[2, -1, 3]\n",
        "line 1: the id -1 is outside the model's vocabulary, 0 to 40",
    );
    refuses_ids(
        "[2, 3]\nhello\n",
        "line 2: not a JSON array of token ids (at column 1)",
    );
    refuses_ids(
        "[2, 3]\n\n[2, 3]\n",
        "line 2: not a JSON array of token ids",
    );
    refuses_ids("[2, 1.5]\n", "line 1: not a JSON array of token ids");
    refuses_ids("[2, 3]\n[]\n", "line 2: a sequence without tokens");
    refuses_ids(
        &format!("{:?}\n", [5; 13]),
        "line 1: 13 tokens exceed the maximum of 12",
    );
    refuses(
        &[model, "--ids", good, "--max-length", "6", "--out", out],
        "line 3: 7 tokens exceed the maximum of 6",
    );
    refuses(
        &[model, "--ids", good, "--max-length", "13", "--out", out],
        "a maximum length of 13 tokens was requested, but the model has 12 positions",
    );
    refuses(
        &[model, "--texts", good, "--max-length", "2", "--out", out],
        "a maximum length of 2 tokens leaves no room for text",
    );
    refuses(
        &[model, "--ids", good, "--layers", "3", "--out", out],
        "there is no layer 3: the model has layers 1 to 2",
    );
    refuses(
        &[model, "--ids", good, "--batch-size", "0", "--out", out],
        "the batch size is 0",
    );
    refuses(
        &[model, "--ids", good, "--out", "nowhere/out.safetensors"],
        "nowhere/out.safetensors: cannot be written",
    );
    let place = folder.path("");
    refuses(
        &[model, "--ids", good, "--out", place.to_str().unwrap()],
        "cannot be written: is a directory",
    );

    let mut names = folder.names();
    names.sort();
    assert_eq!(
        names,
        [
            "empty.txt",
            "good.jsonl",
            "ids.jsonl",
            "latin.txt",
            "mark.txt",
            "unmarked.txt"
        ],
        "nothing half-written"
    );
    for usage in [
        &["--ids", good, "--texts", good][..],
        &[],
        &["--ids", good, "--layers", "some"],
    ] {
        isostar(["embed", model, "--out", out])
            .args(usage)
            .assert()
            .code(2)
            .stdout("");
    }
}

#[test]
fn a_failed_run_leaves_the_file_of_an_earlier_one() {
    let folder = Folder::new();
    let (ids, out) = (
        folder.write("ids.jsonl", IDS),
        folder.path("states.safetensors"),
    );
    let earlier = safetensors(&[(
        "layer.0",
        Dtype::F32,
        &[2, 2],
        f32_bytes([1.0, 2.0, 3.0, 5.0]),
    )]);
    std::fs::write(&out, &earlier).unwrap();
    let model = model();
    let arguments = [
        "embed",
        model.to_str().unwrap(),
        "--layers",
        "9",
        "--ids",
        ids.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    cause_of(&arguments);
    assert_eq!(std::fs::read(&out).unwrap(), earlier);
    embed(&["--ids", ids.to_str().unwrap()], &out);
    assert_ne!(
        std::fs::read(&out).unwrap(),
        earlier,
        "and a successful one replaces it"
    );
}
