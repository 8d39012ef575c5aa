//! Running the commands on custom files and folders: regression in every format, compressed text,
//! folders without a dev file.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use isostar_train::score;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::fixtures::{folder, read};
use super::runs::{isostar, metrics, refused};

/// Twelve pairs with one number each, enough for rows to be held out.
fn rows() -> Vec<(String, String, f32)> {
    let nouns = ["dog", "mill", "river", "boat"];
    (0..12)
        .map(|at| {
            (
                format!("A {} rests.", nouns[at % 4]),
                format!("The {} sleeps.", nouns[at / 3]),
                at as f32 / 4.0 - 1.0,
            )
        })
        .collect()
}

fn write(at: &Path, name: &str) {
    let text = match Path::new(name)
        .extension()
        .and_then(|extension| extension.to_str())
    {
        Some("jsonl") => rows()
            .into_iter()
            .map(|(one, two, stars)| json!({"one": one, "two": two, "stars": stars}).to_string())
            .collect(),
        extension => {
            let separator = if extension == Some("csv") { "," } else { "\t" };
            let lines = rows()
                .into_iter()
                .map(|(one, two, stars)| [one, two, stars.to_string()].join(separator));
            std::iter::once(["one", "two", "stars"].join(separator))
                .chain(lines)
                .collect::<Vec<String>>()
        }
    };
    fs::write(at.join(name), text.join("\n")).unwrap();
}

/// Settings for regression on the column `stars` of a pair of texts.
const PAIRS: &str = r#"
epochs = 1
batch_size = 4
max_length = 32
regularizer = "none"

[columns]
text = "one"
pair = "two"
label = "stars"
kind = "regression"
"#;

#[test]
fn regression_gives_the_same_result_for_every_format() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("numbers.toml"), PAIRS).unwrap();
    let mut results: Vec<Value> = Vec::new();
    for name in ["rows.csv", "rows.tsv", "rows.jsonl"] {
        write(folder.path(), name);
        let (stdout, stderr) = isostar(
            folder.path(),
            &[
                "train",
                "numbers.toml",
                "--task",
                name,
                "--out",
                name.trim_start_matches("rows."),
                "--json",
            ],
        );
        let result: Value = serde_json::from_str(&stdout).unwrap();
        assert!(
            stderr.contains("10 training rows, 2 validation rows"),
            "{stderr}"
        );
        assert!(stderr.contains("numbers "), "{stderr}");
        results.push(json!([result["metrics"], result["task_loss"]]));
        assert_eq!(metrics(&result), ["pearson", "spearman"]);
    }
    assert!(
        results.iter().all(|result| *result == results[0]),
        "{results:?}"
    );
}

/// Evaluates the run; returns the evaluation and the prediction of each row.
fn evaluated(at: &Path, more: &[&str]) -> (Value, Vec<f64>) {
    let (stdout, _) = isostar(
        at,
        &[
            &["evaluate", "run", "--predictions", "lines.jsonl", "--json"],
            more,
        ]
        .concat(),
    );
    let lines = fs::read_to_string(at.join("lines.jsonl")).unwrap();
    let value = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["value"]
            .as_f64()
            .unwrap()
    };
    (
        serde_json::from_str(&stdout).unwrap(),
        lines.lines().map(value).collect(),
    )
}

#[test]
fn a_regression_run_is_evaluated_analyzed_and_resumed() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    write(at, "rows.csv");
    fs::write(at.join("numbers.toml"), PAIRS).unwrap();
    isostar(
        at,
        &[
            "train",
            "numbers.toml",
            "--task",
            "rows.csv",
            "--out",
            "run",
        ],
    );
    let config = fs::read_to_string(at.join("run/config.toml")).unwrap();
    assert!(
        config.contains("[columns]") && config.contains("kind = \"regression\""),
        "{config}"
    );
    let model: Value =
        serde_json::from_slice(&fs::read(at.join("run/model/config.json")).unwrap()).unwrap();
    assert_eq!(
        (&model["problem_type"], &model["id2label"]["0"]),
        (&"regression".into(), &"stars".into())
    );

    let (evaluation, values) = evaluated(at, &["--split", "train"]);
    assert_eq!((values.len(), &evaluation["rows"]), (10, &10.into()));
    // Rows of another folder are read with the run's settings and evaluated against their own
    // numbers.
    fs::create_dir(at.join("other")).unwrap();
    for split in ["other/train.csv", "other/dev.csv"] {
        write(at, split);
    }
    let (evaluation, values) = evaluated(at, &["--task", "others", "--data", "other"]);
    let right: Vec<f64> = rows()
        .into_iter()
        .map(|(.., stars)| f64::from(stars))
        .collect();
    let loss = values
        .iter()
        .zip(&right)
        .map(|(value, right)| (value - right).powi(2))
        .sum::<f64>()
        / 12.0;
    assert!(
        (evaluation["metrics"]["task_loss"].as_f64().unwrap() - loss).abs() < 1e-5 * loss,
        "{evaluation} {loss}"
    );
    // The predictions are 32-bit numbers.
    let pearson = score::pearson(&right, &values).unwrap();
    assert!(
        (evaluation["metrics"]["pearson"].as_f64().unwrap() - pearson).abs() < 1e-5,
        "{evaluation} {pearson}"
    );

    let (stdout, _) = isostar(at, &["analyze", "run", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap()["rows"], 2);

    let (stdout, stderr) = isostar(
        at,
        &[
            "train", "--resume", "--epochs", "2", "--out", "run", "--json",
        ],
    );
    assert!(
        stderr.contains("epoch 2 of 2") && !stderr.contains("epoch 1 of 2"),
        "{stderr}"
    );
    assert_eq!(
        metrics(&serde_json::from_str(&stdout).unwrap()),
        ["pearson", "spearman"]
    );
}

#[test]
fn regression_works_on_a_parquet_file_of_the_hub() {
    let at = TempDir::new().unwrap();
    let settings = PAIRS.replace("text = \"one\"\npair = \"two\"\nlabel = \"stars\"\n", "");
    fs::write(at.path().join("numbers.toml"), settings).unwrap();
    let file = folder("hub").join("stsb/train-00000-of-00001.parquet");
    let arguments = [
        "train",
        "numbers.toml",
        "--task",
        file.to_str().unwrap(),
        "--out",
        "run",
        "--json",
    ];
    let (stdout, stderr) = isostar(at.path(), &arguments);
    assert_eq!(
        metrics(&serde_json::from_str(&stdout).unwrap()),
        ["pearson", "spearman"]
    );
    assert!(
        stderr.contains("2 training rows, 1 validation rows"),
        "{stderr}"
    );
}

#[test]
fn regression_on_labels_that_are_not_numbers_is_rejected() {
    let at = TempDir::new().unwrap();
    fs::write(
        at.path().join("numbers.toml"),
        "[columns]\nkind = \"regression\"\n",
    )
    .unwrap();
    fs::write(
        at.path().join("rows.csv"),
        "text,label\na,1.5\nb,many\nc,many\n",
    )
    .unwrap();
    let data = folder("sst2");
    for (arguments, cause, remedy) in [
        (
            ["--task", "rows.csv", "--seed", "1"],
            "\"many\" is not a finite number",
            "write a number",
        ),
        (
            ["--task", "sst2", "--data", data.to_str().unwrap()],
            "the labels of sst2 are not numbers",
            "[columns]",
        ),
    ] {
        let stderr = refused(
            at.path(),
            &[&["train", "numbers.toml"], &arguments[..]].concat(),
        );
        assert!(
            stderr.contains(cause) && stderr.contains(remedy),
            "{stderr}"
        );
    }
    fs::write(
        at.path().join("numbers.toml"),
        "[columns]\nkind = \"numbers\"\n",
    )
    .unwrap();
    let stderr = refused(at.path(), &["train", "numbers.toml", "--task", "rows.csv"]);
    assert!(
        stderr.contains("line 2") && stderr.contains("`classification` or `regression`"),
        "{stderr}"
    );
}

/// Replaces a file by a gzip-compressed copy.
fn compress(path: &Path) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&fs::read(path).unwrap()).unwrap();
    fs::write(path.with_added_extension("gz"), encoder.finish().unwrap()).unwrap();
    fs::remove_file(path).unwrap();
}

/// Trains for one epoch without a regularizer.
fn train(at: &Path, arguments: &[&str]) -> (Value, String) {
    let common = [
        "train",
        "--epochs",
        "1",
        "--batch-size",
        "2",
        "--max-length",
        "32",
        "--regularizer",
        "none",
        "--json",
    ];
    let (stdout, stderr) = isostar(at, &[&common[..], arguments].concat());
    (serde_json::from_str(&stdout).unwrap(), stderr)
}

#[test]
fn compressed_files_give_the_same_result_as_plain_ones() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    fs::write(at.join("numbers.toml"), PAIRS).unwrap();
    for name in ["rows.csv", "rows.tsv", "rows.jsonl"] {
        write(at, name);
        let of_file = |name: &str, out: &str| {
            let (stdout, _) = isostar(
                at,
                &[
                    "train",
                    "numbers.toml",
                    "--task",
                    name,
                    "--out",
                    out,
                    "--json",
                ],
            );
            serde_json::from_str::<Value>(&stdout).unwrap()
        };
        let plain = of_file(name, &format!("{name}-plain"));
        compress(&at.join(name));
        let compressed = of_file(&format!("{name}.gz"), &format!("{name}-compressed"));
        assert_eq!(
            (
                &compressed["task"],
                &compressed["metrics"],
                &compressed["task_loss"]
            ),
            (&"rows".into(), &plain["metrics"], &plain["task_loss"])
        );
    }
}

/// Compressed copy of a task's files.
fn compressed(task: &str) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in fs::read_dir(folder(task)).unwrap() {
        let entry = entry.unwrap();
        let path = copy.path().join(entry.file_name());
        fs::copy(entry.path(), &path).unwrap();
        compress(&path);
    }
    copy
}

#[test]
fn the_official_files_of_a_task_may_be_compressed() {
    for task in ["cola", "sst5", "squad", "squad2", "mnli"] {
        let (plain, copy) = (read(task, &folder(task)).unwrap(), compressed(task));
        let read = read(task, copy.path()).unwrap();
        assert_eq!(
            (&read.splits.train.rows, &read.splits.dev.rows),
            (&plain.splits.train.rows, &plain.splits.dev.rows),
            "{task}"
        );
        assert_eq!(read.questions, plain.questions);
        assert!(
            read.splits
                .train
                .path
                .extension()
                .is_some_and(|extension| extension == "gz")
        );
    }
    let lines = compressed("hub/lines");
    for (split, shard) in [
        ("train", "train-00000-of-00001"),
        ("validation", "validation-00000-of-00001"),
    ] {
        fs::rename(
            lines.path().join(format!("{split}.jsonl.gz")),
            lines.path().join(format!("{shard}.jsonl.gz")),
        )
        .unwrap();
    }
    assert_eq!(
        read("squad", lines.path()).unwrap().questions,
        read("squad", &folder("squad")).unwrap().questions
    );

    let cut = compressed("sst2");
    let path = cut.path().join("dev.tsv.gz");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 4]).unwrap();
    let error = read("sst2", cut.path()).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{}: not a complete gzip file: ", path.display())),
        "{error}"
    );
}

#[test]
fn a_folder_without_a_dev_file_holds_out_the_same_rows_as_its_train_file() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("reviews")).unwrap();
    let rows: String = (0..20)
        .map(|row| format!("row {row} is {},{}\n", ["poor", "fine"][row % 2], row % 2))
        .collect();
    fs::write(at.join("reviews/train.csv"), format!("text,label\n{rows}")).unwrap();
    fs::write(
        at.join("reviews/test.csv"),
        "text,label\nnobody reads this,2\n",
    )
    .unwrap();
    let (of_folder, stderr) = train(at, &["--data", "reviews", "--seed", "3", "--out", "folder"]);
    assert!(stderr.contains("reviews has no dev file: 2 of the 20 rows of reviews/train.csv are held out, chosen by seed 3\n"), "{stderr}");
    assert!(
        stderr.contains("reviews: 18 training rows, 2 validation rows, 2 classes"),
        "{stderr}"
    );
    let (of_file, stderr) = train(
        at,
        &[
            "--task",
            "reviews/train.csv",
            "--seed",
            "3",
            "--out",
            "file",
        ],
    );
    assert!(!stderr.contains("no dev file"), "{stderr}");
    assert_eq!(
        (&of_folder["metrics"], &of_folder["task_loss"]),
        (&of_file["metrics"], &of_file["task_loss"])
    );

    // Evaluating the run holds out the same rows again.
    let (stdout, stderr) = isostar(at, &["evaluate", "folder", "--json"]);
    let evaluation: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&evaluation["rows"], &evaluation["metrics"]["accuracy"]),
        (&2.into(), &of_folder["metrics"]["accuracy"])
    );
    assert!(stderr.contains("held out, chosen by seed 3"), "{stderr}");

    fs::write(
        at.join("reviews/valid.csv"),
        "text,label\nfine,1\npoor,0\nfine,1\n",
    )
    .unwrap();
    let (_, stderr) = train(at, &["--data", "reviews", "--out", "valid"]);
    assert!(
        stderr.contains("reviews: 20 training rows, 3 validation rows")
            && !stderr.contains("held out"),
        "{stderr}"
    );

    fs::remove_file(at.join("reviews/valid.csv")).unwrap();
    let stderr = refused(at, &["train", "--task", "sst2", "--data", "reviews"]);
    assert!(
        stderr.contains("reviews: there is no dev split"),
        "{stderr}"
    );
    fs::write(at.join("reviews/train.csv"), "text,label\nalone,1\n").unwrap();
    let stderr = refused(at, &["train", "--data", "reviews"]);
    assert!(
        stderr.contains(
            "reviews/train.csv: too few rows to split into training and validation rows: 1"
        ),
        "{stderr}"
    );
}
