//! Runs that go on from a snapshot.

use std::fs;
use std::path::Path;

use burn_pack::Reader;
use serde_json::Value;
use tempfile::TempDir;

use super::{rows, small};
use crate::command::{fails, isostar, names, succeed};

/// The tensors of a burnpack file in the order of their names, each with its bytes.
fn tensors(file: &Path) -> Vec<(String, Vec<u8>)> {
    let tensors = Reader::from_file(file).unwrap().into_tensors().unwrap();
    let named = tensors.into_iter().map(|tensor| {
        let (name, _, _, _, bytes) = tensor.into_parts().unwrap();
        (name, bytes.to_vec())
    });
    named.collect()
}

#[test]
fn a_resumed_run_ends_in_the_weights_of_an_uninterrupted_one() {
    let folder = TempDir::new().unwrap();
    rows(folder.path(), 64, 16);
    succeed(folder.path(), &small(&["--out", "whole"]));
    succeed(folder.path(), &small(&["--out", "halted"]));
    let weights =
        |run: &str| fs::read(folder.path().join(run).join("model/model.safetensors")).unwrap();
    assert!(
        weights("whole") == weights("halted"),
        "the same seed gives the same weights"
    );

    // Simulates a run that was killed during its second epoch.
    let halted = folder.path().join("halted");
    assert_eq!(names(&halted.join("checkpoint")), ["step-4", "step-8"]);
    fs::remove_dir_all(halted.join("checkpoint/step-8")).unwrap();
    fs::remove_dir_all(halted.join("model")).unwrap();
    fs::remove_file(halted.join("result.json")).unwrap();
    succeed(
        folder.path(),
        &["train", "--resume", "--out", "halted", "--json"],
    );
    assert!(weights("whole") == weights("halted"));
    for file in ["model.bpk", "optimizer.bpk"] {
        let of = |run: &str| tensors(&folder.path().join(run).join("checkpoint/step-8").join(file));
        assert!(of("whole") == of("halted"), "{file}");
    }

    // Simulates a run that was killed after its last snapshot.
    let result = |run: &str| -> Value {
        serde_json::from_str(
            &fs::read_to_string(folder.path().join(run).join("result.json")).unwrap(),
        )
        .unwrap()
    };
    let before = result("halted");
    fs::remove_dir_all(halted.join("model")).unwrap();
    fs::remove_file(halted.join("result.json")).unwrap();
    succeed(
        folder.path(),
        &["train", "--resume", "--out", "halted", "--json"],
    );
    assert!(weights("whole") == weights("halted"));
    assert_eq!(
        result("halted"),
        before,
        "its seconds, too, are those of the legs before"
    );

    // The same line once more changes nothing.
    let again = isostar(
        folder.path(),
        &["train", "--resume", "--out", "halted", "--json"],
    );
    assert!(
        again.status.success()
            && String::from_utf8_lossy(&again.stderr).contains("the run is complete"),
        "{again:?}"
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&again.stdout).unwrap(),
        before
    );
}

#[test]
fn the_line_that_begins_a_run_also_resumes_it_and_other_settings_are_refused() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 64, 16);
    let line = small(&["--resume", "--out", "run", "--weight", "-0.5"]);
    succeed(at, &line);
    succeed(at, &line);
    let with = |more: &[&'static str]| {
        line.iter()
            .copied()
            .chain(more.iter().copied())
            .collect::<Vec<_>>()
    };
    fails(
        at,
        &with(&["--seed", "2"]),
        &[
            "run was begun with other settings",
            "seed is 1 in the run and 2 now",
        ],
    );
    fails(
        at,
        &[
            "train", "--data", "other", "--epochs", "1", "--out", "run", "--resume",
        ],
        &["data is \"data\"", "epochs is 2 in the run and 1 now"],
    );

    // More epochs go on from the last snapshot; how often to save may change.
    let longer = [
        "train",
        "--resume",
        "--out",
        "run",
        "--epochs",
        "3",
        "--keep",
        "1",
        "--snapshot-every",
        "2",
        "--json",
    ];
    let result: Value = serde_json::from_str(&succeed(at, &longer)).unwrap();
    assert_eq!(result["epochs"], 3);
    let lines = fs::read_to_string(at.join("run/metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 6, "{lines}");
}

#[test]
fn the_seconds_of_a_resumed_run_are_those_of_all_its_legs() {
    let folder = TempDir::new().unwrap();
    rows(folder.path(), 64, 16);
    succeed(folder.path(), &small(&["--out", "run"]));
    let run = folder.path().join("run");
    fs::remove_dir_all(run.join("checkpoint/step-8")).unwrap();
    fs::remove_file(run.join("result.json")).unwrap();
    let first: Value =
        serde_json::from_slice(&fs::read(run.join("checkpoint/step-4/state.json")).unwrap())
            .unwrap();
    let result: Value = serde_json::from_str(&succeed(
        folder.path(),
        &["train", "--resume", "--out", "run", "--json"],
    ))
    .unwrap();
    for (key, stored) in [
        ("seconds", "training"),
        ("calibration_seconds", "calibration"),
    ] {
        let (sum, first) = (
            result[key].as_f64().unwrap(),
            first["seconds"][stored].as_f64().unwrap(),
        );
        assert!(
            first > 0.0 && sum > first && sum < first + 60.0,
            "{key}: {sum} after {first}"
        );
    }
    let last: Value =
        serde_json::from_slice(&fs::read(run.join("checkpoint/step-8/state.json")).unwrap())
            .unwrap();
    assert_eq!(result["seconds"], last["seconds"]["training"]);
}
