//! Steps in micro-batches and on several devices against steps on whole batches.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::rows;
use crate::command::{fails, isostar, succeed};

/// Largest difference of a metric over two epochs of six steps, with dropout. Largest observed:
/// 2e-8.
const TOLERANCE: f64 = 1e-6;

/// The command line of two epochs; the batch size is 16 unless `more` names one.
fn line<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut line = vec!["train", "--data", "data", "--epochs", "2", "--json"];
    if !more.contains(&"--batch-size") {
        line.extend(["--batch-size", "16"]);
    }
    [&line[..], more].concat()
}

/// The metrics of a run, by epoch, split and name.
fn metrics(folder: &Path, name: &str, more: &[&str]) -> BTreeMap<String, f64> {
    succeed(folder, &line(&[&["--out", name][..], more].concat()));
    let lines = fs::read_to_string(folder.join(name).join("metrics.jsonl")).unwrap();
    let mut found = BTreeMap::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for (metric, value) in line["metrics"].as_object().unwrap() {
            let key = format!("{} {} {metric}", line["epoch"], line["split"]);
            found.insert(key, value.as_f64().unwrap());
        }
    }
    found
}

fn largest_difference(one: &BTreeMap<String, f64>, other: &BTreeMap<String, f64>) -> f64 {
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        other.keys().collect::<Vec<_>>()
    );
    let differences = one.iter().map(|(key, value)| (value - other[key]).abs());
    differences.fold(0.0, f64::max)
}

#[test]
fn micro_batches_and_devices_give_the_run_of_whole_batches_with_its_dropout() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    // The last batch of an epoch has 10 rows, in micro-batches of 4, 4 and 2.
    rows(at, 90, 24);
    let weight = ["--weight", "-0.5", "--learning-rate", "1e-4"];
    let run = |name: &str, more: &[&str]| metrics(at, name, &[&weight[..], more].concat());
    let whole = run("whole", &[]);
    let cut: [(&str, &[&str]); 4] = [
        ("accumulated", &["--batch-size", "4", "--accumulate", "4"]),
        ("two", &["--device", "flex,flex"]),
        (
            "three",
            &[
                "--device",
                "flex,flex,flex",
                "--batch-size",
                "8",
                "--accumulate",
                "2",
            ],
        ),
        ("clipped", &["--device", "flex,flex", "--clip-norm", "1e6"]),
    ];
    for (name, more) in cut {
        let apart = largest_difference(&run(name, more), &whole);
        println!("{name}: {apart:e}");
        assert!(apart <= TOLERANCE, "{name}: {apart}");
    }
    let micro = [
        "--batch-size",
        "4",
        "--accumulate",
        "4",
        "--accumulate-score",
        "micro",
    ];
    let micro = run("micro", &micro);
    let [biased, exact] = [&micro, &whole].map(|run| run["1 \"train\" isoscore_star"]);
    assert!(
        biased < exact - 1000.0 * TOLERANCE,
        "{biased} instead of {exact}"
    );
    let clipped = run("limited", &["--clip-norm", "1e-3"]);
    assert!(largest_difference(&clipped, &whole) > 1000.0 * TOLERANCE);
}

#[test]
fn every_estimator_and_target_gives_the_run_of_whole_batches() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 90, 24);
    let weight = ["--weight", "-0.5", "--learning-rate", "1e-4"];
    let auto = [&weight[..], &["--shrinkage", "auto"]].concat();
    let unbiased = [&weight[..], &["--estimator", "unbiased"]].concat();
    let sampled = [&weight[..], &["--penalty-tokens", "100"]].concat();
    let ramp = [&weight[..], &["--weight-warmup", "0.5"]].concat();
    let all: [(&str, &[&str]); 6] = [
        ("auto", &auto),
        ("unbiased", &unbiased),
        ("sampled", &sampled),
        ("ramp", &ramp),
        ("target", &["--target", "0.3", "--target-warmup", "0.5"]),
        ("targets", &["--target", "1:0.5,4:0.1"]),
    ];
    for (name, more) in all {
        let run = |parts: &str, cut: &[&str]| {
            metrics(at, &format!("{name}-{parts}"), &[more, cut].concat())
        };
        let whole = run("whole", &[]);
        let two = run("two", &["--device", "flex,flex"]);
        let accumulated = run("accumulated", &["--batch-size", "4", "--accumulate", "4"]);
        for (parts, found) in [("two devices", two), ("accumulated", accumulated)] {
            let apart = largest_difference(&found, &whole);
            println!("{name}, {parts}: {apart:e}");
            assert!(apart <= TOLERANCE, "{name}, {parts}: {apart}");
        }
    }
}

#[test]
fn snapshots_hold_between_the_steps_of_several_devices() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 60, 20);
    let parts = [
        "--device",
        "flex,flex",
        "--batch-size",
        "6",
        "--accumulate",
        "2",
        "--target",
        "0.4",
    ];
    let more = [&["--out", "run", "--snapshot-every", "3"][..], &parts].concat();
    succeed(at, &line(&more));
    let verified = isostar(at, &["verify", "run"]);
    let stdout = String::from_utf8(verified.stdout).unwrap();
    let stderr = String::from_utf8(verified.stderr).unwrap();
    assert!(verified.status.success(), "{stdout}{stderr}");
}

#[test]
fn wrong_devices_and_limits_are_refused() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 20, 10);
    fails(
        at,
        &line(&["--device", "flex,tpu", "--out", "run"]),
        &["\"tpu\""],
    );
    fails(
        at,
        &line(&["--clip-norm", "0", "--out", "run"]),
        &["clip_norm"],
    );
    fails(
        at,
        &line(&["--accumulate", "0", "--out", "run"]),
        &["accumulate"],
    );
}
