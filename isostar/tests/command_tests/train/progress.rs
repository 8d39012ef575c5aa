//! What `isostar train` says of its progress on stderr, which is no terminal here.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use super::{rows, small};
use crate::command::{isostar, isostar_command, names};

/// The lines on stderr of a run that ends.
fn progress(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let output = isostar(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    stderr.lines().map(String::from).collect()
}

/// A number as the console writes it.
fn written(name: &str, value: &Value) -> String {
    format!("{name} {:.4}", value.as_f64().unwrap())
}

#[test]
fn each_epoch_ends_in_a_line_with_its_numbers_its_rate_and_the_time_left() {
    let folder = TempDir::new().unwrap();
    rows(folder.path(), 64, 16);
    let lines = progress(folder.path(), &small(&["--out", "run"]));
    let epochs: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains("validation: "))
        .collect();
    assert_eq!(epochs.len(), 2, "{lines:?}");
    let metrics = fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap();
    let metrics: Vec<Value> = metrics
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["metrics"].take())
        .collect();
    for (epoch, line) in epochs.into_iter().enumerate() {
        let parts: Vec<&str> = line.split(" | ").collect();
        let [training, validation] = [&metrics[2 * epoch], &metrics[2 * epoch + 1]];
        let numbers = |of: &Value| {
            format!(
                "{}, {}",
                written("loss", &of["task_loss"]),
                written("accuracy", &of["accuracy"])
            )
        };
        assert!(
            parts[0].starts_with(&format!("epoch {} of 2: {}", epoch + 1, numbers(training))),
            "{line}"
        );
        assert!(
            parts[0].ends_with(&written("IsoScore*", &training["isoscore_star"])),
            "{line}"
        );
        assert!(
            parts[1].starts_with(&format!("validation: {}", numbers(validation))),
            "{line}"
        );
        assert!(
            parts[1].ends_with(&written("IsoScore", &validation["isoscore"])),
            "{line}"
        );
        assert!(
            parts[2].contains(" s, ") && parts[2].contains(" rows/s"),
            "{line}"
        );
        assert_eq!(
            parts[2].ends_with(" left"),
            epoch == 0,
            "nothing is left after the last epoch: {line}"
        );
    }
}

#[test]
fn without_a_terminal_a_training_writes_a_line_every_tenth_of_an_epoch() {
    let folder = TempDir::new().unwrap();
    rows(folder.path(), 480, 16);
    let arguments = [
        "train",
        "--data",
        "data",
        "--batch-size",
        "4",
        "--max-length",
        "8",
        "--regularizer",
        "none",
        "--epochs",
    ];
    let lines = progress(
        folder.path(),
        &[&arguments[..], &["1", "--out", "many"]].concat(),
    );
    // 120 steps of 4 rows: a line every 12 steps, but for the last of them, which ends the epoch.
    let of: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains(" of 480 rows, loss 0."))
        .collect();
    let expected: Vec<String> = (1..10)
        .map(|tenth| format!("epoch 1 of 1: {} of 480 rows, ", 48 * tenth))
        .collect();
    assert_eq!(of.len(), 9, "{lines:?}");
    assert!(
        of.iter()
            .zip(expected)
            .all(|(line, start)| line.starts_with(&start) && line.ends_with(" left in this epoch")),
        "{of:?}"
    );
}

#[test]
fn without_a_terminal_few_steps_write_no_line_each() {
    let folder = TempDir::new().unwrap();
    rows(folder.path(), 60, 16);
    let arguments = [
        "train",
        "--data",
        "data",
        "--batch-size",
        "4",
        "--max-length",
        "8",
        "--regularizer",
        "none",
        "--epochs",
        "1",
    ];
    // 15 steps: a line would stand for 1.5 of them.
    let lines = progress(folder.path(), &arguments);
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.contains(" of 60 rows, "))
            .count(),
        1,
        "{lines:?}"
    );
}

#[test]
fn a_reader_that_closes_stdout_and_stderr_does_not_end_a_run() {
    let folder = TempDir::new().unwrap();
    rows(folder.path(), 16, 16);
    let arguments = [
        "train",
        "--data",
        "data",
        "--max-length",
        "8",
        "--epochs",
        "1",
        "--out",
        "run",
    ];
    let evaluate = ["evaluate", "run"];
    let report = ["report", "run", "--figures", "figures"];
    for arguments in [&arguments[..], &evaluate, &report] {
        let mut command = isostar_command(folder.path(), arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert!(child.wait().unwrap().success(), "{arguments:?}");
    }
    assert!(names(&folder.path().join("run")).contains(&"result.json".into()));
}
