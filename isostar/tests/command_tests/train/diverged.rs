//! Runs whose numbers are no longer finite.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::{rows, small};
use crate::command::{isostar, names};

#[test]
fn a_run_that_diverges_stops_within_a_step_with_status_3() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 64, 16);
    // The learning rate is 0 in the first of eight steps; the second leaves parameters whose
    // products overflow.
    let output = isostar(at, &small(&["--learning-rate", "1e12", "--out", "run"]));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(3), 0),
        "{stderr}"
    );
    assert!(
        !stderr.contains("epoch 1 of 2"),
        "an epoch that was cut short has no line: {stderr}"
    );
    let lines: Vec<&str> = stderr.lines().rev().take(2).collect();
    let cause =
        "error: run: the run diverged: the task loss is not finite in step 3 of epoch 1, rows ";
    assert!(
        lines[1].starts_with(cause)
            && lines[1].contains("the last finite task losses: ")
            && lines[1].contains("learning rate"),
        "{stderr}"
    );
    assert!(
        lines[0].starts_with("  try: ")
            && lines[0].contains("--out")
            && lines[0].contains("--learning-rate"),
        "{stderr}"
    );

    let run = at.join("run");
    let result: Value =
        serde_json::from_str(&fs::read_to_string(run.join("result.json")).unwrap()).unwrap();
    let stopped = &result["stopped"];
    assert_eq!(
        (&stopped["cause"], &stopped["epoch"], &stopped["step"]),
        (&"task_loss".into(), &1.into(), &3.into())
    );
    assert_eq!(
        ["rows", "task_losses", "penalties"].map(|key| stopped[key].as_array().unwrap().len()),
        [16, 2, 2]
    );
    assert_eq!(
        (
            &result["task_loss"],
            &result["metrics"]["accuracy"],
            &result["epochs"]
        ),
        (&Value::Null, &Value::Null, &0.into())
    );
    assert!(result["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(
        names(&run),
        [
            "config.toml",
            "lock",
            "manifest.json",
            "metrics.jsonl",
            "result.json"
        ]
    );
    assert_eq!(fs::read_to_string(run.join("metrics.jsonl")).unwrap(), "");

    let again = isostar(at, &["train", "--resume", "--out", "run"]);
    let stderr = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.starts_with(cause)
            && stderr
                .contains("\n  try: train again with another --out and a lower --learning-rate"),
        "{stderr}"
    );
}

#[test]
fn a_run_whose_validation_loss_is_not_finite_has_diverged() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 16, 16);
    // The only step leaves parameters that are finite in single precision, and hidden states that
    // are not.
    let arguments = [
        "train",
        "--data",
        "data",
        "--epochs",
        "1",
        "--batch-size",
        "16",
        "--warmup",
        "0",
        "--learning-rate",
        "1e18",
        "--out",
        "run",
    ];
    let output = isostar(at, &arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("the validation loss is not finite after epoch 1"),
        "{stderr}"
    );
    assert!(!at.join("run/model").exists());
}
