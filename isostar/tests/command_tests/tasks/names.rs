//! Names of columns, tasks and layers that mean nothing where they are given.

use std::fs;

use tempfile::TempDir;

use super::fixtures::folder;
use crate::command::{fails, isostar};

#[test]
fn columns_are_refused_where_none_can_be_named() {
    let at = TempDir::new().unwrap();
    let named = "[columns]\ntext = \"no such column\"\n";
    fs::write(at.path().join("named.toml"), named).unwrap();
    fails(
        at.path(),
        &["train", "named.toml"],
        &["data/train.tsv: its columns cannot be named"],
    );
    for task in ["squad", "sst5"] {
        let data = folder(task);
        let arguments = ["train", "named.toml", "--task", task, "--data"];
        let arguments = [&arguments[..], &[data.to_str().unwrap()]].concat();
        fails(at.path(), &arguments, &["its columns cannot be named"]);
    }
}

#[test]
fn a_header_is_refused_where_the_file_names_its_columns() {
    let at = TempDir::new().unwrap();
    let header = "[columns]\nheader = [\"label\", \"text\"]\n";
    fs::write(at.path().join("header.toml"), header).unwrap();
    let row = |text: &str, label| format!("{{\"text\": \"{text}\", \"label\": {label}}}\n");
    let rows = ["a", "b", "c", "d"].map(|text| row(text, 0) + &row(text, 1));
    fs::write(at.path().join("rows.jsonl"), rows.concat()).unwrap();
    fails(
        at.path(),
        &["train", "header.toml", "--task", "rows.jsonl"],
        &["rows.jsonl: a header is given"],
    );
}

#[test]
fn a_name_of_no_task_beside_a_folder_is_told() {
    let at = TempDir::new().unwrap();
    let data = folder("sst2");
    let told = |task: &str| {
        let arguments = ["train", "--task", task, "--data", data.to_str().unwrap()];
        let arguments = [&arguments[..], &["--layers", "99"]].concat();
        let stderr = isostar(at.path(), &arguments).stderr;
        String::from_utf8(stderr).unwrap()
    };
    let note = "no task has the name \"sts2\": the rows of";
    assert!(!told("sst2").contains("no task has the name"));
    assert!(told("sts2").contains(note), "{}", told("sts2"));
}

#[test]
fn embed_refuses_layers_with_weights() {
    let at = TempDir::new().unwrap();
    fs::write(at.path().join("ids.jsonl"), "[2, 5, 9, 3]\n").unwrap();
    let model = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../isostar-models/tests/fixtures/bert_bare"
    );
    let given = ["--ids", "ids.jsonl", "--out", "states.safetensors"];
    for layers in ["each", "1:0.5"] {
        let arguments = [&["embed", model, "--layers", layers][..], &given].concat();
        let output = isostar(at.path(), &arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("written without weights"), "{stderr}");
    }
}
