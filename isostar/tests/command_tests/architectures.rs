//! Every architecture through the commands, from a folder and from the hub's cache.

mod unusual;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../isostar-models/tests/fixtures")
        .join(name)
}

/// The command in a folder, with a cache of the hub in it and nobody to ask.
fn isostar(folder: &Path) -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("isostar");
    command
        .current_dir(folder)
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HOME", folder.join("huggingface"));
    command
}

/// Forty rows whose class is a word of theirs.
fn rows(folder: &Path) -> PathBuf {
    let row = |number: usize| {
        format!(
            "w{} w{} w{},{}\n",
            10 + number % 9,
            5 + number % 2,
            20 + number % 7,
            ["no", "yes"][number % 2]
        )
    };
    let path = folder.join("rows.csv");
    fs::write(
        &path,
        format!("text,label\n{}", (0..40).map(row).collect::<String>()),
    )
    .unwrap();
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
        let train = [
            "--max-length",
            "8",
            "--epochs",
            "2",
            "--batch-size",
            "8",
            "--weight",
            "0.1",
            "--out",
            "run",
            "--json",
        ];
        let mut command = isostar(folder.path());
        let output = command
            .arg("train")
            .arg("--model")
            .arg(&model)
            .arg("--task")
            .arg(&data)
            .args(train)
            .assert()
            .success();
        let result = json(&output.get_output().stdout);
        assert_eq!(
            result["isoscore"]["layers"].as_array().unwrap().len(),
            2,
            "{architecture}"
        );
        assert!(result["task_loss"].as_f64().unwrap().is_finite());

        let evaluation = json(
            &isostar(folder.path())
                .args(["evaluate", "run", "--json"])
                .assert()
                .success()
                .get_output()
                .stdout,
        );
        assert_eq!(
            evaluation["metrics"]["accuracy"], result["metrics"]["accuracy"],
            "{architecture}"
        );
        fs::write(folder.path().join("lines.txt"), "w5 w6\nw7\n").unwrap();
        let embed = [
            "embed",
            "run/model",
            "--texts",
            "lines.txt",
            "--out",
            "states.safetensors",
        ];
        isostar(folder.path()).args(embed).assert().success();
    }
}

/// Puts files of a fixture into the cache of the hub in a folder.
fn into_cache(folder: &Path, files: &[&str]) {
    let cache = folder.join("huggingface/hub/models--tiny--albert");
    let snapshot = cache.join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(cache.join("refs")).unwrap();
    fs::write(cache.join("refs/main"), COMMIT).unwrap();
    for file in files {
        fs::copy(fixture("albert_classes").join(file), snapshot.join(file)).unwrap();
    }
}

#[test]
fn ids_are_embedded_by_models_without_a_tokenizer() {
    let folder = TempDir::new().unwrap();
    let files = ["config.json", "model.safetensors"];
    into_cache(folder.path(), &files);
    fs::create_dir(folder.path().join("albert")).unwrap();
    for file in files {
        fs::copy(
            fixture("albert_classes").join(file),
            folder.path().join("albert").join(file),
        )
        .unwrap();
    }
    fs::write(folder.path().join("ids.jsonl"), "[5, 7, 6]\n[9]\n").unwrap();
    let embed = |model: &Path, out: &str| {
        isostar(folder.path())
            .arg("embed")
            .arg(model)
            .args(["--ids", "ids.jsonl", "--out", out])
            .assert()
            .success();
        fs::read(folder.path().join(out)).unwrap()
    };
    let whole = embed(&fixture("albert_classes"), "whole.safetensors");
    assert!(embed(Path::new("albert"), "folder.safetensors") == whole);
    assert!(embed(Path::new("tiny/albert"), "hub.safetensors") == whole);

    fs::write(folder.path().join("lines.txt"), "w5 w6\n").unwrap();
    for (model, cause) in [
        ("albert", "the model folder has no albert/tokenizer.json"),
        ("tiny/albert", "is not in the cache"),
    ] {
        let refused = isostar(folder.path())
            .args(["embed", model, "--texts", "lines.txt", "--out", "out"])
            .assert()
            .code(1);
        let refused = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
        assert!(refused.contains(cause), "{refused}");
    }
}

#[test]
fn rows_are_cut_to_the_model_s_positions_unless_more_are_asked_for() {
    let folder = TempDir::new().unwrap();
    let rows = rows(folder.path());
    let rows = rows.to_str().unwrap();
    // It has 12 positions, and a row 256 tokens by default.
    let model = fixture("bert_classes");
    let train = [
        "train",
        "--model",
        model.to_str().unwrap(),
        "--task",
        rows,
        "--epochs",
        "1",
        "--regularizer",
        "none",
    ];
    let run = |arguments: &[&str]| isostar(folder.path()).args(arguments).assert();
    run(&[&train[..], &["--out", "run"]].concat()).success();
    let config = fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    assert!(
        config.contains("\nmax_length = 12\nstride = 4\n"),
        "{config}"
    );
    run(&["evaluate", "run"]).success();

    for more in [
        &[&train[..], &["--out", "other"]].concat()[..],
        &["evaluate", "run"],
        &["analyze", "run"],
    ] {
        let refused = run(&[more, &["--max-length", "13"]].concat())
            .code(1)
            .get_output()
            .stderr
            .clone();
        let expected = "error: a maximum length of 13 tokens was requested, but the model has 12 positions\n  try: choose --max-length 12 or less\n";
        assert_eq!(String::from_utf8(refused).unwrap(), expected);
    }
    assert!(!folder.path().join("other").exists());
}

#[test]
fn a_file_is_evaluated_whole_unless_the_model_learned_from_it() {
    let folder = TempDir::new().unwrap();
    rows(folder.path());
    fs::copy(
        folder.path().join("rows.csv"),
        folder.path().join("others.csv"),
    )
    .unwrap();
    let model = fixture("bert_classes");
    let model = model.to_str().unwrap();
    let train = [
        "train",
        "--model",
        model,
        "--task",
        "rows.csv",
        "--epochs",
        "1",
        "--regularizer",
        "none",
        "--out",
        "run",
    ];
    isostar(folder.path()).args(train).assert().success();
    for (arguments, split, rows) in [
        (&["run", "--task", "others.csv"][..], "all", 40),
        (&["run/model", "--task", "others.csv"], "all", 40),
        (
            &["run/model", "--task", "others.csv", "--split", "dev"],
            "dev",
            4,
        ),
        (
            &["run/model", "--task", "others.csv", "--split", "train"],
            "train",
            36,
        ),
        (&["run"], "dev", 4),
        (&["run", "--task", "./rows.csv"], "dev", 4),
        (&["run/model", "--task", "rows.csv"], "dev", 4),
    ] {
        for command in ["evaluate", "analyze"] {
            let output = isostar(folder.path())
                .arg(command)
                .args(arguments)
                .arg("--json")
                .assert()
                .success();
            let found = json(&output.get_output().stdout);
            assert_eq!(
                (&found["split"], &found["rows"]),
                (&split.into(), &rows.into()),
                "{command} {arguments:?}"
            );
        }
    }
    isostar(folder.path())
        .args([
            "evaluate",
            "run",
            "--task",
            "others.csv",
            "--predictions",
            "lines.jsonl",
        ])
        .assert()
        .success();
    let lines = fs::read_to_string(folder.path().join("lines.jsonl")).unwrap();
    let index = |line: &str| json(line.as_bytes())["index"].as_u64().unwrap();
    assert!(
        lines.lines().map(index).eq(0..40),
        "in the order of the file"
    );
}

#[test]
fn a_model_is_known_by_its_name_on_the_hub() {
    let folder = TempDir::new().unwrap();
    into_cache(
        folder.path(),
        &["config.json", "model.safetensors", "tokenizer.json"],
    );
    fs::write(folder.path().join("lines.txt"), "w5 w6\n").unwrap();
    let embed = |model: &str| {
        let mut command = isostar(folder.path());
        command.args([
            "embed",
            model,
            "--texts",
            "lines.txt",
            "--out",
            "states.safetensors",
        ]);
        command
    };
    embed("tiny/albert").assert().success();
    embed(&format!("tiny/albert@{COMMIT}")).assert().success();
    let refused = embed("tiny/other@v2")
        .assert()
        .code(1)
        .get_output()
        .stderr
        .clone();
    let refused = String::from_utf8(refused).unwrap();
    assert!(
        refused.contains("there is no folder tiny/other@v2, and the hub could not provide it: tiny/other@v2 is not in the cache"),
        "{refused}"
    );
    assert!(refused.contains("HF_HUB_OFFLINE"), "{refused}");
}

#[test]
fn the_supported_models_are_listed() {
    let folder = TempDir::new().unwrap();
    let text = isostar(folder.path())
        .arg("models")
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    let text = String::from_utf8(text).unwrap();
    let lines = isostar(folder.path())
        .args(["models", "--json"])
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    let lines: Vec<Value> = String::from_utf8(lines)
        .unwrap()
        .lines()
        .map(|line| json(line.as_bytes()))
        .collect();
    assert_eq!(lines.len(), 6);
    for line in lines {
        let name = line["model_type"].as_str().unwrap();
        assert!(text.lines().any(|line| line.starts_with(name)), "{name}");
        let config = fs::read(fixture(&format!("{name}_classes/config.json"))).unwrap();
        assert!(
            line["classes"]
                .as_array()
                .unwrap()
                .contains(&json(&config)["architectures"][0]),
            "{name}"
        );
    }
}
