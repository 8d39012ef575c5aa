//! Spikes of the loss.

use std::fs;

use crate::command::isostar;
use crate::run::{line_with, prepared, stderr};

/// Settings under which the weights explode in the second step.
const WILD: [&str; 4] = ["--learning-rate", "1e12", "--warmup", "0"];

#[test]
fn a_loss_that_is_not_finite_is_left_out_until_too_many_follow() {
    let folder = prepared();
    let at = folder.path();
    let output = line_with(at, "run", &[&WILD[..], &["--on-spike", "skip"]].concat())
        .output()
        .unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    let left_out: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("the batch is left out"))
        .collect();
    assert!(
        left_out.len() == 10 && left_out[0].contains("the loss is NaN in step 2 of epoch 1, rows "),
        "{text}"
    );
    assert!(text.contains("try: go on without the batch"), "{text}");
}

#[test]
fn a_spike_returns_to_the_newest_snapshot() {
    let folder = prepared();
    let at = folder.path();
    // Every loss after the twentieth is a spike of this factor.
    let flags = ["--spike-factor", "0.0001", "--snapshot-every", "3"];
    let output = line_with(
        at,
        "run",
        &[&flags[..], &["--on-spike", "rollback"]].concat(),
    )
    .output()
    .unwrap();
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    let back: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("back to the weights after step "))
        .collect();
    assert!(
        !back.is_empty() && back[0].contains("in step 9 of epoch 2, rows "),
        "{text}"
    );

    let output = line_with(
        at,
        "stopped",
        &[&flags[..], &["--on-spike", "stop"]].concat(),
    )
    .output()
    .unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        at.join("stopped/checkpoint/step-20/manifest.json").exists(),
        "{text}"
    );
    let warned = isostar(
        at,
        &[
            "train",
            "--resume",
            "--out",
            "stopped",
            "--on-spike",
            "warn",
        ],
    );
    assert!(warned.status.success(), "{}", stderr(&warned));
    assert!(
        fs::read_to_string(at.join("stopped/metrics.jsonl"))
            .unwrap()
            .lines()
            .count()
            == 4
    );
}
