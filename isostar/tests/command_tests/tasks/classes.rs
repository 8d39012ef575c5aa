//! The classes of your own rows: their order, a single one, and their spellings.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::labels::{ROWS, TRAIN, class, evaluated, labels, reordered, text, write_data};
use super::runs::isostar;
use crate::command::fails;

#[test]
fn further_training_keeps_the_output_order_of_a_classifier() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write_data(at, "text\tlabel", |row, class| {
        format!("{}\t{}", text(row, class), ["no", "yes"][class])
    });
    let (result, _) = isostar(at, &[&TRAIN[..], &["--out", "run"]].concat());
    let result: Value = serde_json::from_str(&result).unwrap();
    reordered(
        &at.join("run/model"),
        &at.join("swapped"),
        &[1, 0],
        &["yes", "no"],
    );
    let (further, stderr) = isostar(
        at,
        &[&TRAIN[..], &["--model", "swapped", "--out", "further"]].concat(),
    );
    let [accuracy, f1] = ["accuracy", "f1"].map(|name| result["metrics"][name].as_f64().unwrap());
    assert!(
        accuracy > 0.7
            && stderr.contains(&format!(
                "before training: accuracy {accuracy:.4}, f1 {f1:.4}, "
            )),
        "{result} {stderr}"
    );
    let config: Value =
        serde_json::from_slice(&fs::read(at.join("further/model/config.json")).unwrap()).unwrap();
    assert_eq!(config["id2label"], json!({"0": "yes", "1": "no"}));
    let further: Value = serde_json::from_str(&further).unwrap();
    let (found, ..) = evaluated(at, "further", &[]);
    assert_eq!(
        (&found["metrics"]["accuracy"], &found["metrics"]["f1"]),
        (&further["metrics"]["accuracy"], &further["metrics"]["f1"])
    );
}

#[test]
fn rows_with_a_single_label_are_evaluated_and_analyzed_but_not_trained_on() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write_data(at, "text\tlabel", |row, class| {
        format!("{}\t{}", text(row, class), ["no", "yes"][class])
    });
    isostar(at, &[&TRAIN[..], &["--out", "run"]].concat());
    write_data(at, "text\tlabel", |row, class| {
        format!("{}\tyes", text(row, class))
    });
    let (found, predictions, _) = evaluated(at, "run/model", &[]);
    let right = labels(&predictions)
        .iter()
        .filter(|label| **label == "yes")
        .count();
    assert_eq!(
        found["metrics"]["accuracy"].as_f64(),
        Some(right as f64 / ROWS as f64)
    );
    isostar(
        at,
        &[
            "analyze",
            "run/model",
            "--data",
            "data",
            "--limit",
            "4",
            "--json",
        ],
    );
    fails(
        at,
        &["train", "--data", "data"],
        &["all 40 training rows have the label \"yes\""],
    );
}

#[test]
fn a_whole_number_is_one_class_in_every_spelling_and_format() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let spelled = |row: usize| [["0", "0.0"], ["1", "1.0"]][class(row)][row % 2];
    let csv: String = (0..ROWS)
        .map(|row| format!("{},{}\n", text(row, class(row)), spelled(row)))
        .collect();
    fs::write(at.join("rows.csv"), format!("text,label\n{csv}")).unwrap();
    let lines = |row| {
        format!(
            "{{\"text\": \"{}\", \"label\": {}}}\n",
            text(row, class(row)),
            spelled(row)
        )
    };
    fs::write(
        at.join("rows.jsonl"),
        (0..ROWS).map(lines).collect::<String>(),
    )
    .unwrap();
    for name in ["rows.csv", "rows.jsonl"] {
        let out = name.trim_start_matches("rows.");
        let common = [
            "train",
            "--task",
            name,
            "--epochs",
            "1",
            "--max-length",
            "16",
            "--regularizer",
            "none",
            "--json",
            "--out",
            out,
        ];
        let (_, stderr) = isostar(at, &common);
        assert!(
            stderr.contains("36 training rows, 4 validation rows, 2 classes, "),
            "{stderr}"
        );
        isostar(at, &["evaluate", out, "--predictions", "lines.jsonl"]);
        let predictions = fs::read_to_string(at.join("lines.jsonl")).unwrap();
        assert!(
            predictions
                .lines()
                .all(|line| line.contains("\"label\":\"0\"") || line.contains("\"label\":\"1\"")),
            "{predictions}"
        );
    }
}
