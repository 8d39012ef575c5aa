//! Targets, limits, ramps and the monitor of a run.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::{rows, small};
use crate::command::{fails, isostar_command, succeed};

#[test]
fn a_target_excludes_the_settings_that_it_replaces() {
    let folder = TempDir::new().unwrap();
    rows(folder.path(), 32, 16);
    for (flags, message) in [
        (
            &["--target", "0.3", "--weight", "-0.1"][..],
            "weight is -0.1; it must be 0 with a target",
        ),
        (
            &["--target", "0.3", "--regularizer", "cosreg"],
            "it must be istar with a target",
        ),
        (&["--target", "0.3", "--layers", "each"], "layers is each"),
        (&["--target", "1:0.3,9:0.2"], "there is no layer 9"),
        (
            &[
                "--target",
                "0.3",
                "--accumulate",
                "2",
                "--accumulate-score",
                "micro",
            ],
            "accumulate_score is micro; it must be full with a target",
        ),
    ] {
        fails(
            folder.path(),
            &small(&[flags, &["--out", "run"]].concat()),
            &[message],
        );
    }
    assert!(!folder.path().join("run").exists());
}

#[test]
fn a_run_ends_at_a_limit_with_status_3_and_goes_on_with_another() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 64, 16);
    let line = |limit: &str| {
        let flags = ["--out", "run", "--resume", "--stop-above", limit];
        isostar_command(at, &small(&flags)).output().unwrap()
    };
    let output = line("task_loss=0.1");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("above 0.1, after step 1"), "{stderr}");
    assert!(
        stderr.contains("--resume --out run --stop-below"),
        "{stderr}"
    );
    assert!(at.join("run/checkpoint/step-1").is_dir() && !at.join("run/result.json").exists());
    let output = line("task_loss=100");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_monitor_writes_every_few_steps_and_changes_no_number() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 64, 16);
    let weights = |name: &str| fs::read(at.join(name).join("model/model.safetensors")).unwrap();
    succeed(at, &small(&["--out", "plain", "--regularizer", "none"]));
    succeed(
        at,
        &small(&[
            "--out",
            "watched",
            "--regularizer",
            "none",
            "--monitor",
            "3",
        ]),
    );
    assert!(weights("plain") == weights("watched"));
    let text = fs::read_to_string(at.join("watched/geometry.jsonl")).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let steps: Vec<&Value> = lines.iter().map(|line| &line["step"]).collect();
    assert_eq!(steps, [1, 4, 7]);
    for line in &lines {
        let layers = line["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 4);
        for layer in layers {
            assert!(
                layer["trace"].as_f64().unwrap() > 0.0
                    && layer["mean_norm"].as_f64().unwrap() > 0.0
            );
            let share = layer["outlier_share"].as_f64().unwrap();
            assert!(share > 1.0 / 128.0 && share < 1.0, "{share}");
        }
    }
    assert!(!at.join("plain/geometry.jsonl").exists());

    let flags = [
        "--out",
        "limited",
        "--regularizer",
        "none",
        "--monitor",
        "3",
        "--stop-below",
        "mean_norm=1e9",
    ];
    let output = isostar_command(at, &small(&flags)).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("mean_norm of layer 1 in step 1 is"),
        "{stderr}"
    );
}

#[test]
fn a_monitor_of_steps_in_parts_is_refused_before_anything_is_written() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 16, 8);
    for parts in [["--accumulate", "2"], ["--device", "flex,flex"]] {
        let flags = small(&[&["--out", "run", "--monitor", "3"][..], &parts].concat());
        fails(at, &flags, &["computed in parts"]);
    }
    assert!(!at.join("run").exists());
}

#[test]
fn a_limit_of_something_that_is_not_measured_is_refused_before_anything_is_written() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 16, 8);
    let refused = |limit: &[&str]| {
        let output = isostar_command(at, &small(limit)).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(!at.join("run").exists());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let unknown = refused(&["--out", "run", "--stop-below", "isoscor=0.1"]);
    assert!(
        unknown.contains("stop_below names isoscor, which this run does not measure; it measures"),
        "{unknown}"
    );
    assert!(unknown.contains("--stop-below"), "{unknown}");
    // A monitor would measure it.
    let unmonitored = refused(&["--out", "run", "--stop-above", "mean_norm=1"]);
    assert!(unmonitored.contains("need --monitor"), "{unmonitored}");
}

#[test]
fn a_ramp_begins_with_a_part_of_the_penalty() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 64, 16);
    let penalty = |name: &str, share: &str| -> f64 {
        succeed(
            at,
            &small(&["--out", name, "--weight", "-1", "--weight-warmup", share]),
        );
        let text = fs::read_to_string(at.join(name).join("metrics.jsonl")).unwrap();
        let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        line["metrics"]["penalty"].as_f64().unwrap()
    };
    // Four of eight steps, with an eighth to four eighths of the weight.
    let (whole, ramped) = (penalty("whole", "0"), penalty("ramped", "1"));
    assert!(
        whole < 0.0 && (ramped / whole - 0.3125).abs() < 0.1,
        "{whole}, {ramped}"
    );
}
