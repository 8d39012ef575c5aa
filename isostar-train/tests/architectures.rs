//! Every architecture through the commands, from a folder and from the hub's cache.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../isostar-models/tests/fixtures").join(name)
}

/// The command in a folder, with a cache of the hub in it and nobody to ask.
fn isostar(folder: &Path) -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("isostar");
    command.current_dir(folder).env("HF_HUB_OFFLINE", "1").env("HF_HOME", folder.join("huggingface"));
    command
}

/// Forty rows whose class is a word of theirs.
fn rows(folder: &Path) -> PathBuf {
    let row = |number: usize| format!("w{} w{} w{},{}\n", 10 + number % 9, 5 + number % 2, 20 + number % 7, ["no", "yes"][number % 2]);
    let path = folder.join("rows.csv");
    fs::write(&path, format!("text,label\n{}", (0..40).map(row).collect::<String>())).unwrap();
    path
}

fn json(output: &[u8]) -> Value {
    serde_json::from_slice(output).unwrap()
}

#[test]
fn every_architecture_is_trained_evaluated_and_embedded() {
    for architecture in ["bert", "roberta", "distilbert", "albert", "gpt2"] {
        let folder = TempDir::new().unwrap();
        let data = rows(folder.path());
        let model = fixture(&format!("{architecture}_classes"));
        let train = ["--max-length", "8", "--epochs", "2", "--batch-size", "8", "--weight", "0.1", "--out", "run", "--json"];
        let mut command = isostar(folder.path());
        let output = command.arg("train").arg("--model").arg(&model).arg("--task").arg(&data).args(train).assert().success();
        let result = json(&output.get_output().stdout);
        assert_eq!(result["isoscore"]["layers"].as_array().unwrap().len(), 2, "{architecture}");
        assert!(result["task_loss"].as_f64().unwrap().is_finite());

        let evaluation = json(&isostar(folder.path()).args(["evaluate", "run", "--json"]).assert().success().get_output().stdout);
        assert_eq!(evaluation["metrics"]["accuracy"], result["metrics"]["accuracy"], "{architecture}");
        fs::write(folder.path().join("lines.txt"), "w5 w6\nw7\n").unwrap();
        let embed = ["embed", "run/model", "--texts", "lines.txt", "--out", "states.safetensors"];
        isostar(folder.path()).args(embed).assert().success();
    }
}

#[test]
fn a_model_is_known_by_its_name_on_the_hub() {
    let folder = TempDir::new().unwrap();
    let cache = folder.path().join("huggingface/hub/models--tiny--albert");
    let snapshot = cache.join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(cache.join("refs")).unwrap();
    fs::write(cache.join("refs/main"), COMMIT).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(fixture("albert_classes").join(file), snapshot.join(file)).unwrap();
    }
    fs::write(folder.path().join("lines.txt"), "w5 w6\n").unwrap();
    let embed = |model: &str| {
        let mut command = isostar(folder.path());
        command.args(["embed", model, "--texts", "lines.txt", "--out", "states.safetensors"]);
        command
    };
    embed("tiny/albert").assert().success();
    embed(&format!("tiny/albert@{COMMIT}")).assert().success();
    let refused = embed("tiny/other@v2").assert().code(1).get_output().stderr.clone();
    let refused = String::from_utf8(refused).unwrap();
    assert!(refused.contains("there is no folder tiny/other@v2, and from the hub: tiny/other@v2 is not in the cache"), "{refused}");
    assert!(refused.contains("HF_HUB_OFFLINE"), "{refused}");
}

#[test]
fn the_supported_models_are_listed() {
    let folder = TempDir::new().unwrap();
    let text = isostar(folder.path()).arg("models").assert().success().get_output().stdout.clone();
    let text = String::from_utf8(text).unwrap();
    let lines = isostar(folder.path()).args(["models", "--json"]).assert().success().get_output().stdout.clone();
    let lines: Vec<Value> = String::from_utf8(lines).unwrap().lines().map(|line| json(line.as_bytes())).collect();
    assert_eq!(lines.len(), 5);
    for line in lines {
        let name = line["model_type"].as_str().unwrap();
        assert!(text.lines().any(|line| line.starts_with(name)), "{name}");
        let config = fs::read(fixture(&format!("{name}_classes/config.json"))).unwrap();
        assert!(line["classes"].as_array().unwrap().contains(&json(&config)["architectures"][0]), "{name}");
    }
}
