//! Training and evaluating the tasks whose targets are spans with the command.

use std::collections::BTreeMap;
use std::fs;

use isostar_train::score;
use serde_json::Value;
use tempfile::TempDir;

use super::fixtures::read;
use super::runs::{isostar, lines, metrics, trained};

#[test]
fn squad_metrics_match_those_of_the_predictions_file() {
    let folder = TempDir::new().unwrap();
    let more = ["--max-length", "48", "--stride", "12", "--weight", "0.1"];
    let (result, evaluation, stderr) = trained(folder.path(), "squad", &more, "predictions.json");
    assert_eq!(metrics(&result), ["exact_match", "f1"]);
    assert_eq!(result["isoscore"]["layers"].as_array().unwrap().len(), 4);
    assert!(stderr.contains("windows"), "{stderr}");

    let task = read("squad", &super::fixtures::folder("squad")).unwrap();
    let predictions: BTreeMap<String, String> =
        serde_json::from_str(&fs::read_to_string(folder.path().join("predictions.json")).unwrap())
            .unwrap();
    assert_eq!(predictions.keys().collect::<Vec<_>>(), ["m1", "m2"]);
    let golds: Vec<Vec<&str>> = task.questions[1]
        .iter()
        .map(|question| {
            question
                .answers
                .iter()
                .map(|answer| answer.text.as_str())
                .collect()
        })
        .collect();
    let answers = task.questions[1]
        .iter()
        .map(|question| predictions.get(&question.id).map(String::as_str));
    let official = score::squad_score(answers.zip(golds.iter().map(Vec::as_slice))).unwrap();
    assert_eq!(evaluation["metrics"]["f1"].as_f64(), Some(official.f1));
    assert_eq!(
        evaluation["metrics"]["exact_match"].as_f64(),
        Some(official.exact_match)
    );
    let epochs = lines(folder.path(), "run/metrics.jsonl");
    assert_eq!(epochs[1]["metrics"]["f1"], result["metrics"]["f1"]);

    isostar(
        folder.path(),
        &["evaluate", "run", "--predictions", "lines.jsonl"],
    );
    let lines = lines(folder.path(), "lines.jsonl");
    assert_eq!(
        (&lines[1]["id"], &lines[1]["index"]),
        (&"m2".into(), &1.into())
    );
    assert_eq!(lines[0]["text"], predictions["m1"].as_str());
    assert!(lines[0]["scores"].as_array().unwrap().len() <= 20);
}

#[test]
fn squad2_metrics_match_those_of_the_predictions_file() {
    let folder = TempDir::new().unwrap();
    let more = ["--max-length", "48", "--stride", "12", "--weight", "0.1"];
    let (result, evaluation, _) = trained(folder.path(), "squad2", &more, "predictions.json");
    let names = [
        "exact_match",
        "f1",
        "has_answer_exact_match",
        "has_answer_f1",
        "no_answer_exact_match",
        "no_answer_f1",
    ];
    assert_eq!(metrics(&result), names);
    assert_eq!(metrics(&evaluation), [&names[..], &["task_loss"]].concat());

    let task = read("squad2", &super::fixtures::folder("squad2")).unwrap();
    let predictions: BTreeMap<String, String> =
        serde_json::from_str(&fs::read_to_string(folder.path().join("predictions.json")).unwrap())
            .unwrap();
    assert_eq!(predictions.keys().collect::<Vec<_>>(), ["n1", "n2", "n3"]);
    let golds: Vec<Vec<&str>> = task.questions[1]
        .iter()
        .map(|question| {
            question
                .answers
                .iter()
                .map(|answer| answer.text.as_str())
                .collect()
        })
        .collect();
    let answers = task.questions[1]
        .iter()
        .map(|question| predictions[&question.id].as_str());
    let official = score::squad2_score(answers.zip(golds.iter().map(Vec::as_slice))).unwrap();
    let expected = [
        official.all,
        official.has_answer.unwrap(),
        official.no_answer.unwrap(),
    ]
    .map(|part| [part.exact_match, part.f1]);
    for (name, expected) in names.iter().zip(expected.as_flattened()) {
        assert_eq!(
            evaluation["metrics"][name].as_f64(),
            Some(*expected),
            "{name}"
        );
    }
    let epochs = lines(folder.path(), "run/metrics.jsonl");
    assert_eq!(epochs[1]["metrics"]["f1"], result["metrics"]["f1"]);

    // Without unanswerable questions, their metrics are null.
    let data = TempDir::new().unwrap();
    for split in ["train", "dev"] {
        let file = super::fixtures::folder("squad").join(format!("{split}-v1.1.json"));
        fs::copy(file, data.path().join(format!("{split}-v2.0.json"))).unwrap();
    }
    let arguments = [
        "evaluate",
        "run",
        "--task",
        "SQuAD-v2",
        "--data",
        data.path().to_str().unwrap(),
        "--json",
    ];
    let evaluation: Value = serde_json::from_str(&isostar(folder.path(), &arguments).0).unwrap();
    assert_eq!(
        (&evaluation["task"], &evaluation["metrics"]["no_answer_f1"]),
        (&"squad2".into(), &Value::Null)
    );
    assert_eq!(
        evaluation["metrics"]["has_answer_f1"],
        evaluation["metrics"]["f1"]
    );
}
