//! Random draws of rows: validation rows held out from a file, and rows selected by `--limit`.

use isostar::remedy::Remedy;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use isostar_train::data::{Columns, LabelKind, Split, TextRow};
use isostar_train::progress::Silent;
use isostar_train::task::{Task, TaskError, TaskSource};
use serde_json::Value;
use tempfile::TempDir;

use super::fixtures::folder;
use super::runs::isostar;
use crate::command::{fails, succeed};

/// Writes rows with two frequent labels and twelve labels that occur once.
fn write_rows(path: &Path) {
    let label = |row: usize| {
        if row % 5 == 4 {
            format!("rare_{row}")
        } else {
            ["play", "stop"][row % 2].into()
        }
    };
    let rows: String = (0..60)
        .map(|row| format!("row {row},{}\n", label(row)))
        .collect();
    fs::write(path, format!("text,label\n{rows}")).unwrap();
}

fn read(file: &Path, limit: Option<usize>, seed: u64) -> Result<Task, TaskError> {
    Task::read(
        TaskSource {
            name: file.to_str(),
            limit,
            seed,
            ..TaskSource::default()
        },
        &Silent,
    )
}

fn counts(split: &Split) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    split
        .rows
        .iter()
        .for_each(|row| *counts.entry(row.label.as_str()).or_default() += 1);
    counts
}

fn texts(rows: &[TextRow]) -> Vec<&str> {
    rows.iter().map(|row| row.text.as_str()).collect()
}

#[test]
fn the_only_row_of_a_label_is_a_training_row_for_every_seed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("intents.csv");
    write_rows(&path);
    let mut held_out = BTreeSet::new();
    for seed in 0..50 {
        let task = read(&path, None, seed).unwrap();
        assert_eq!(
            (
                task.splits.train.rows.len(),
                task.splits.dev.rows.len(),
                task.labels.len()
            ),
            (54, 6, 14),
            "seed {seed}"
        );
        assert!(
            task.splits
                .dev
                .rows
                .iter()
                .all(|row| task.labels.names().contains(&row.label)),
            "seed {seed}"
        );
        held_out.insert(
            task.splits
                .dev
                .rows
                .iter()
                .map(|row| row.line)
                .collect::<Vec<_>>(),
        );
    }
    assert!(
        held_out.len() > 45,
        "different seeds hold out different rows"
    );

    let rows: String = (0..12).map(|row| format!("row {row},{row}\n")).collect();
    fs::write(&path, format!("text,label\n{rows}")).unwrap();
    fails(
        folder.path(),
        &["train", "--task", "intents.csv"],
        &[
            "intents.csv: no row can be held out",
            "each of the 12 labels occurs once",
        ],
    );
    let columns = Columns {
        kind: LabelKind::Regression,
        ..Columns::default()
    };
    let numbers = Task::read(
        TaskSource {
            name: path.to_str(),
            columns,
            ..TaskSource::default()
        },
        &Silent,
    )
    .unwrap();
    assert_eq!(numbers.splits.dev.rows.len(), 2, "a number may occur once");
}

#[test]
fn a_limit_keeps_the_share_of_each_class() {
    let read_default = |limit, seed| {
        Task::read(
            TaskSource {
                limit: Some(limit),
                seed,
                ..TaskSource::default()
            },
            &Silent,
        )
        .unwrap()
    };
    let task = read_default(64, 1);
    assert_eq!(
        counts(&task.splits.train),
        BTreeMap::from([("0", 32), ("1", 32)])
    );
    assert!(
        task.splits.train.rows.is_sorted_by_key(|row| row.line),
        "in the order of the file"
    );
    assert_eq!(task.splits.dev.rows.len(), 1000);
    assert_eq!(read_default(64, 1).splits, task.splits);
    assert_ne!(read_default(64, 2).splits.train, task.splits.train);
    assert_eq!(read_default(20_000, 1).splits.train.rows.len(), 10_000);

    let folder = TempDir::new().unwrap();
    let path = folder.path().join("intents.csv");
    write_rows(&path);
    let task = read(&path, Some(16), 3).unwrap();
    assert_eq!(
        (task.splits.train.rows.len(), task.labels.len()),
        (16, 14),
        "no class is lost"
    );
    let error = read(&path, Some(13), 3).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}: 13 training rows cannot hold all 14 labels",
            path.display()
        )
    );
    assert_eq!(error.remedy(), "choose --limit 14 or more");
}

#[test]
fn a_limit_draws_regression_rows_and_questions_by_seed() {
    let drawn = |name: &'static str, limit, seed| {
        let data = folder(name);
        Task::read(
            TaskSource {
                name: Some(name),
                folder: Some(&data),
                limit: Some(limit),
                seed,
                ..TaskSource::default()
            },
            &Silent,
        )
        .unwrap()
    };
    let whole = drawn("squad", 10, 1);
    let mut seen = BTreeSet::new();
    for seed in 0..20 {
        let task = drawn("squad", 1, seed);
        let [row] = &task.splits.train.rows[..] else {
            panic!("one row")
        };
        let at = whole
            .splits
            .train
            .rows
            .iter()
            .position(|other| other == row)
            .unwrap();
        assert_eq!(
            task.questions[0],
            whole.questions[0][at..=at],
            "answers stay with their question"
        );
        assert_eq!(task.questions[1], whole.questions[1]);
        seen.insert(at);
    }
    assert_eq!(
        seen.len(),
        whole.questions[0].len(),
        "every row is drawn by at least one seed"
    );
    let numbers: BTreeSet<usize> = (0..20)
        .map(|seed| drawn("stsb", 1, seed).splits.train.rows[0].line)
        .collect();
    assert_eq!(numbers.len(), 3);
    // A known task keeps all of its classes.
    assert_eq!(drawn("sst2", 1, 1).splits.train.rows.len(), 1);
}

#[test]
fn the_limit_of_a_command_draws_rows_by_label_and_seed() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let common = [
        "train",
        "--limit",
        "64",
        "--epochs",
        "1",
        "--max-length",
        "16",
        "--regularizer",
        "none",
        "--out",
        "run",
        "--json",
    ];
    let (_, stderr) = isostar(at, &common);
    assert!(
        stderr.contains("headlines: 64 training rows")
            && stderr.contains("train: \"0\" 32 times, \"1\" 32 times"),
        "{stderr}"
    );
    let task = Task::read(
        TaskSource {
            seed: 1,
            ..TaskSource::default()
        },
        &Silent,
    )
    .unwrap();
    let analyzed = |seed: &str| -> Value {
        let stdout = succeed(
            at,
            &["analyze", "run", "--limit", "10", "--seed", seed, "--json"],
        );
        serde_json::from_str(&stdout).unwrap()
    };
    let drawn: Vec<TextRow> = task
        .draw(&task.splits.dev, 10, 7)
        .into_iter()
        .map(|row| task.splits.dev.rows[row].clone())
        .collect();
    assert_eq!(drawn.iter().filter(|row| row.label == "1").count(), 5);
    fs::write(at.join("texts.txt"), texts(&drawn).join("\n")).unwrap();
    let embedded = succeed(
        at,
        &[
            "embed",
            "run/model",
            "--texts",
            "texts.txt",
            "--max-length",
            "16",
            "--out",
            "states.safetensors",
        ],
    );
    assert!(embedded.contains("10 sequences"), "{embedded}");
    let measured = succeed(
        at,
        &[
            "measure",
            "states.safetensors",
            "--tensor",
            "layer.2",
            "--json",
        ],
    );
    let measured: Value = serde_json::from_str(&measured).unwrap();
    let seventh = analyzed("7");
    let layer = |analysis: &Value| analysis["layers"][2]["tokens"]["isoscore"].clone();
    assert_eq!(
        layer(&seventh),
        measured["isoscore"],
        "analyze measures the drawn rows"
    );
    assert_ne!(layer(&analyzed("8")), layer(&seventh));
}
