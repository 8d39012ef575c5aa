//! Downloading the files of known tasks from the hub, here a local server with the fixtures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::fixtures::folder;
use crate::server::{Hub, State};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Hub with one dataset, whose files are fixtures.
fn hub(name: &str, files: &[(&str, &str)]) -> Hub {
    let content = |(name, fixture): &(&str, &str)| {
        (
            name.to_string(),
            fs::read(folder("hub").join(fixture)).unwrap(),
        )
    };
    Hub::start(State {
        name: name.to_string(),
        is_dataset: true,
        revisions: BTreeMap::from([("main".to_string(), COMMIT.to_string())]),
        files: files.iter().map(content).collect(),
        large: files
            .iter()
            .map(|(name, _)| name.to_string())
            .filter(|name| name.contains("train"))
            .collect(),
        ..State::default()
    })
}

fn glue() -> Hub {
    let files = [
        "sst2/train-00000-of-00001.parquet",
        "sst2/validation-00000-of-00001.parquet",
        "cola/train-00000-of-00001.parquet",
    ];
    hub("nyu-mll/glue", &files.map(|file| (file, file)))
}

/// Runs the command in a folder that also contains the cache.
fn isostar(at: &Path, hub: &Hub, is_offline: bool, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isostar"));
    for variable in [
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "TRANSFORMERS_OFFLINE",
    ] {
        command.env_remove(variable);
    }
    command
        .env("HF_ENDPOINT", &hub.endpoint)
        .env("HF_HOME", at.join("cache"))
        .env("HF_HUB_OFFLINE", if is_offline { "1" } else { "0" });
    command.current_dir(at).args(arguments).output().unwrap()
}

#[track_caller]
fn train(at: &Path, hub: &Hub, is_offline: bool, task: &str, out: &str) {
    let arguments = [
        "train",
        "--task",
        task,
        "--epochs",
        "1",
        "--batch-size",
        "2",
        "--max-length",
        "32",
        "--regularizer",
        "none",
        "--out",
        out,
    ];
    let output = isostar(at, hub, is_offline, &arguments);
    assert!(
        output.status.success(),
        "{task}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Checks for exit status 1 and returns the cause and the remedy, each in one line.
#[track_caller]
fn fails(at: &Path, hub: &Hub, is_offline: bool) -> (String, String) {
    let output = isostar(
        at,
        hub,
        is_offline,
        &["train", "--task", "sst2", "--out", "refused"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(!at.join("refused").exists());
    let stderr = String::from_utf8(output.stderr).unwrap();
    let (cause, remedy) = stderr.trim_end().split_once('\n').unwrap();
    (cause.to_string(), remedy.to_string())
}

#[test]
fn a_task_is_downloaded_once_and_then_read_offline() {
    let (folder, hub) = (TempDir::new().unwrap(), glue());
    train(folder.path(), &hub, false, "sst2", "first");
    let snapshot = folder
        .path()
        .join("cache/hub/datasets--nyu-mll--glue/snapshots")
        .join(COMMIT);
    assert!(
        snapshot
            .join("sst2/validation-00000-of-00001.parquet")
            .is_file()
    );
    assert!(
        !snapshot.join("cola").exists(),
        "files of other tasks are not downloaded"
    );
    assert!(hub.requests().iter().any(|request| request.by_cdn));

    train(folder.path(), &hub, true, "sst2", "second");
    let output = isostar(folder.path(), &hub, true, &["evaluate", "second", "--json"]);
    let evaluation: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        evaluation["rows"],
        1,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(hub.requests().is_empty());
}

#[test]
fn datasets_without_configurations_and_questions_are_downloaded() {
    let folder = TempDir::new().unwrap();
    let lines = hub(
        "SetFit/sst5",
        &[
            ("train.jsonl", "sst5/train.jsonl"),
            ("dev.jsonl", "sst5/dev.jsonl"),
        ],
    );
    train(folder.path(), &lines, false, "sst5", "sst5");
    let files = [
        "plain_text/train-00000-of-00001.parquet",
        "plain_text/validation-00000-of-00001.parquet",
    ];
    train(
        folder.path(),
        &hub("rajpurkar/squad", &files.map(|file| (file, file))),
        false,
        "squad",
        "squad",
    );
    let files = [
        "squad_v2/train-00000-of-00001.parquet",
        "squad_v2/validation-00000-of-00001.parquet",
    ];
    train(
        folder.path(),
        &hub("rajpurkar/squad_v2", &files.map(|file| (file, file))),
        false,
        "squad_v2",
        "squad2",
    );
}

#[test]
fn both_validation_sets_of_mnli_are_downloaded() {
    let folder = TempDir::new().unwrap();
    let files = ["train", "validation_matched", "validation_mismatched"]
        .map(|split| format!("mnli/{split}-00000-of-00001.parquet"));
    let hub = hub(
        "nyu-mll/glue",
        &files.each_ref().map(|file| (file.as_str(), file.as_str())),
    );
    train(folder.path(), &hub, false, "MNLI", "run");
    let result: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("run/result.json")).unwrap()).unwrap();
    assert!(
        result["metrics"]["accuracy"].is_f64() && result["metrics"]["accuracy_mismatched"].is_f64(),
        "{result}"
    );
}

#[test]
fn failed_downloads_name_the_cause_and_a_remedy() {
    let (folder, hub) = (TempDir::new().unwrap(), glue());
    let missing = "sst2/validation-00000-of-00001.parquet";
    let kept = hub.state().files.remove(missing).unwrap();
    let (cause, remedy) = fails(folder.path(), &hub, false);
    assert_eq!(
        cause,
        format!(
            "error: the task sst2 needs its data, which the hub could not provide: the dataset nyu-mll/glue has no {missing}"
        )
    );
    assert!(remedy.contains("--data DIR"), "{remedy}");
    hub.state().files.insert(missing.to_string(), kept);

    let (cause, remedy) = fails(folder.path(), &hub, true);
    assert!(
        cause.contains("nyu-mll/glue is not in the cache") && cause.contains("HF_HUB_OFFLINE"),
        "{cause}"
    );
    assert!(
        remedy.contains("--data DIR") && remedy.contains("HF_HUB_OFFLINE"),
        "{remedy}"
    );

    for status in [401, 404] {
        hub.state().status = Some(status);
        let (cause, remedy) = fails(folder.path(), &hub, false);
        assert!(
            cause.ends_with("the hub has no dataset nyu-mll/glue, or it is private"),
            "{cause}"
        );
        assert!(
            remedy.contains("--data DIR") && remedy.contains("HF_TOKEN"),
            "{remedy}"
        );
    }
    hub.state().status = None;
    train(folder.path(), &hub, false, "sst2", "run");
}
