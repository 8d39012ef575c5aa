//! Regression on rows of your own, in every format.

use std::fs;
use std::path::Path;

use isostar_train::score;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::fixtures::folder;
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

pub fn write(at: &Path, name: &str) {
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
pub const PAIRS: &str = r#"
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
