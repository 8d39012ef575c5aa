//! Training and evaluating known tasks with the command.

use std::fs;
use std::path::Path;

use isostar_train::score;
use serde_json::Value;
use tempfile::TempDir;

use super::fixtures::folder;
use crate::command;

/// Runs the command, which must succeed, and returns its stdout and stderr.
pub fn isostar(at: &Path, arguments: &[&str]) -> (String, String) {
    let output = command::isostar(at, arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    (stdout, stderr)
}

/// Runs the command, which must fail with status 1, and returns its stderr.
pub fn refused(at: &Path, arguments: &[&str]) -> String {
    let output = command::isostar(at, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Trains on a task's fixture and evaluates the run; returns both results and the stderr of
/// training.
pub fn trained(at: &Path, task: &str, more: &[&str], predictions: &str) -> (Value, Value, String) {
    let data = folder(task);
    let data = data.to_str().unwrap();
    let base = [
        "train",
        "--task",
        task,
        "--data",
        data,
        "--epochs",
        "1",
        "--batch-size",
        "2",
        "--out",
        "run",
        "--json",
    ];
    let (stdout, stderr) = isostar(at, &base.iter().chain(more).copied().collect::<Vec<_>>());
    let result: Value = serde_json::from_str(&stdout).unwrap();
    let (stdout, _) = isostar(
        at,
        &["evaluate", "run", "--json", "--predictions", predictions],
    );
    (result, serde_json::from_str(&stdout).unwrap(), stderr)
}

pub fn metrics(value: &Value) -> Vec<&str> {
    value["metrics"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

pub fn lines(at: &Path, name: &str) -> Vec<Value> {
    fs::read_to_string(at.join(name))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_task_reports_its_official_metrics_everywhere() {
    let folder = TempDir::new().unwrap();
    let (result, evaluation, stderr) = trained(
        folder.path(),
        "mrpc",
        &["--weight", "0.1"],
        "predictions.jsonl",
    );
    assert_eq!(metrics(&result), ["accuracy", "f1"]);
    assert_eq!(metrics(&evaluation), ["accuracy", "f1", "task_loss"]);
    assert_eq!(evaluation["metrics"]["f1"], result["metrics"]["f1"]);
    let epochs = lines(folder.path(), "run/metrics.jsonl");
    for line in &epochs {
        assert!(
            line["metrics"]["accuracy"].is_f64() && line["metrics"]["f1"].is_f64(),
            "{line}"
        );
    }
    assert_eq!(epochs[1]["metrics"]["f1"], result["metrics"]["f1"]);
    assert!(
        stderr.contains("mrpc: 2 training rows, 1 validation rows, 2 classes, majority 1.000"),
        "{stderr}"
    );
    assert!(
        stderr.contains("train: \"0\" 1 times, \"1\" 1 times, "),
        "{stderr}"
    );
}

#[test]
fn similarity_is_a_regression_task() {
    let folder = TempDir::new().unwrap();
    let (result, evaluation, stderr) = trained(
        folder.path(),
        "stsb",
        &["--regularizer", "none"],
        "predictions.jsonl",
    );
    assert_eq!(metrics(&result), ["pearson", "spearman"]);
    let config: Value = serde_json::from_str(
        &fs::read_to_string(folder.path().join("run/model/config.json")).unwrap(),
    )
    .unwrap();
    assert_eq!(
        (&config["problem_type"], &config["id2label"]["0"]),
        (&"regression".into(), &"score".into())
    );
    let predictions = lines(folder.path(), "predictions.jsonl");
    let values: Vec<f64> = predictions
        .iter()
        .map(|line| line["value"].as_f64().unwrap())
        .collect();
    let rows = [5.0, 0.25];
    let loss = values
        .iter()
        .zip(rows)
        .map(|(value, row)| (value - row) * (value - row))
        .sum::<f64>()
        / 2.0;
    assert!(
        (evaluation["metrics"]["task_loss"].as_f64().unwrap() - loss).abs() < 1e-5 * loss,
        "{evaluation} {loss}"
    );
    let found = evaluation["metrics"]["spearman"].as_f64().unwrap();
    assert_eq!(Some(found), score::spearman(&rows, &values));
    assert!(stderr.contains("numbers 2.433 ± 1.960"), "{stderr}");
}

#[test]
fn mnli_is_evaluated_on_both_validation_sets() {
    let folder = TempDir::new().unwrap();
    let (result, matched, stderr) = trained(
        folder.path(),
        "mnli",
        &["--regularizer", "none"],
        "predictions.jsonl",
    );
    assert_eq!(metrics(&result), ["accuracy", "accuracy_mismatched"]);
    assert!(
        stderr.contains("mnli: 3 training rows, 2 validation rows, 3 classes"),
        "{stderr}"
    );
    assert!(
        stderr.contains("before training: accuracy ") && stderr.contains("accuracy_mismatched "),
        "{stderr}"
    );
    assert_eq!(
        (&matched["rows"], &matched["metrics"]["accuracy"]),
        (&2.into(), &result["metrics"]["accuracy"])
    );
    assert_eq!(
        lines(folder.path(), "run/metrics.jsonl")[1]["metrics"]["accuracy"],
        result["metrics"]["accuracy"]
    );

    let evaluate = |more: &[&str]| -> Value {
        serde_json::from_str(
            &isostar(
                folder.path(),
                &[&["evaluate", "run", "--json"], more].concat(),
            )
            .0,
        )
        .unwrap()
    };
    let mismatched = evaluate(&["--split", "dev_mismatched"]);
    assert_eq!(
        (&mismatched["split"], &mismatched["rows"]),
        (&"dev_mismatched".into(), &3.into())
    );
    assert_eq!(
        mismatched["metrics"]["accuracy"],
        result["metrics"]["accuracy_mismatched"]
    );
    let data = super::fixtures::folder("mnli");
    let by_name = evaluate(&["--task", "MNLI-mm", "--data", data.to_str().unwrap()]);
    assert_eq!(
        (&by_name["task"], &by_name["metrics"]),
        (&"mnli_mm".into(), &mismatched["metrics"])
    );

    let (table, _) = isostar(
        folder.path(),
        &["evaluate", "run", "--split", "dev_mismatched"],
    );
    assert!(
        table.contains("dev_mismatched: 3 rows of ") && table.contains("dev_mismatched.tsv"),
        "{table}"
    );
    let stderr = refused(
        folder.path(),
        &[
            "evaluate",
            "run",
            "--task",
            "wnli",
            "--data",
            data.to_str().unwrap(),
        ],
    );
    assert!(stderr.contains("there is no dev split"), "{stderr}");
}

#[test]
fn an_unknown_split_is_rejected_with_the_list_of_splits() {
    let folder = TempDir::new().unwrap();
    trained(
        folder.path(),
        "wnli",
        &["--regularizer", "none"],
        "predictions.jsonl",
    );
    for command in ["evaluate", "analyze"] {
        let stderr = refused(
            folder.path(),
            &[command, "run", "--split", "dev_mismatched"],
        );
        assert!(
            stderr.contains(
                "the task wnli has no split dev_mismatched\n  try: name one of train, dev\n"
            ),
            "{stderr}"
        );
    }
}

#[test]
fn task_names_are_recognized_in_any_spelling() {
    let folder = TempDir::new().unwrap();
    let data = super::fixtures::folder("sst2");
    let train = [
        "train",
        "--task",
        "SST-2",
        "--data",
        data.to_str().unwrap(),
        "--epochs",
        "1",
        "--regularizer",
        "none",
        "--json",
    ];
    let (stdout, _) = isostar(folder.path(), &train);
    let result: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&result["task"], metrics(&result)),
        (&"sst2".into(), vec!["accuracy"]),
        "GLUE's spelling of the name"
    );
    let config = fs::read_to_string(folder.path().join("runs/sst2-1/config.toml")).unwrap();
    assert!(config.contains("task = \"sst2\""), "{config}");
    for wrong in ["sst-3", "sst2.0", "STS"] {
        let stderr = refused(folder.path(), &["train", "--task", wrong]);
        let known = "headlines, sst2, cola, mrpc, rte, qnli, qqp, stsb, sst5, squad, mnli, mnli_mm, wnli, squad2";
        assert!(
            stderr.contains(&format!("{wrong:?} is neither a task nor a file"))
                && stderr.contains(known),
            "{stderr}"
        );
    }
}

#[test]
fn skipped_rows_are_reported_with_their_number() {
    let folder = TempDir::new().unwrap();
    let (_, _, stderr) = trained(
        folder.path(),
        "qqp",
        &["--regularizer", "none"],
        "predictions.jsonl",
    );
    let file = super::fixtures::folder("qqp").join("train.tsv");
    assert!(
        stderr.contains(&format!(
            "1 row of {} is broken across lines and skipped\n",
            file.display()
        )),
        "{stderr}"
    );
    assert!(!stderr.contains("dev.tsv"), "{stderr}");
}
