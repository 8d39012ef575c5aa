//! Mapping of a model's outputs to the labels of rows: by name in any order, and by position if the
//! labels are numbers.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::runs::isostar;
use crate::command::fails;

/// Number of rows; classes alternate between three rows of class 0 and two of class 1.
const ROWS: usize = 40;

fn class(row: usize) -> usize {
    usize::from(row % 5 > 2)
}

/// Writes a folder `data` with a train and a dev file; `line` formats a row from its number and
/// class.
fn write_data(at: &Path, header: &str, line: impl Fn(usize, usize) -> String) {
    fs::create_dir_all(at.join("data")).unwrap();
    for split in ["train.tsv", "dev.tsv"] {
        let lines: Vec<String> = (0..ROWS).map(|row| line(row, class(row))).collect();
        fs::write(
            at.join("data").join(split),
            format!("{header}\n{}\n", lines.join("\n")),
        )
        .unwrap();
    }
}

/// Text that identifies the class of a row.
fn text(row: usize, class: usize) -> String {
    format!(
        "area man {} {}",
        ["trump", "women"][class],
        ["says", "report", "new"][row % 3]
    )
}

const TRAIN: [&str; 14] = [
    "train",
    "--data",
    "data",
    "--epochs",
    "6",
    "--batch-size",
    "4",
    "--learning-rate",
    "0.001",
    "--max-length",
    "16",
    "--regularizer",
    "none",
    "--json",
];

/// Copies a model with its outputs reordered and renamed: output i of the copy is output `order[i]`
/// of `model`.
fn reordered(model: &Path, copy: &Path, order: &[usize], names: &[&str]) {
    fs::create_dir(copy).unwrap();
    let mut config: Value =
        serde_json::from_slice(&fs::read(model.join("config.json")).unwrap()).unwrap();
    config["id2label"] = names
        .iter()
        .enumerate()
        .map(|(at, name)| (at.to_string(), json!(name)))
        .collect();
    config["label2id"] = names
        .iter()
        .enumerate()
        .map(|(at, name)| (name.to_string(), json!(at)))
        .collect();
    fs::write(copy.join("config.json"), config.to_string()).unwrap();
    fs::copy(model.join("tokenizer.json"), copy.join("tokenizer.json")).unwrap();

    let bytes = fs::read(model.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let moved: Vec<(String, Vec<u8>, TensorView<'_>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let data = tensor.data();
            let row = data.len() / tensor.shape()[0];
            let rows = || {
                order
                    .iter()
                    .flat_map(|at| &data[at * row..(at + 1) * row])
                    .copied()
                    .collect()
            };
            (
                name.to_string(),
                if name.starts_with("classifier.") {
                    rows()
                } else {
                    data.to_vec()
                },
                tensor,
            )
        })
        .collect();
    let views = moved.iter().map(|(name, data, old)| {
        (
            name,
            TensorView::new(old.dtype(), old.shape().to_vec(), data).unwrap(),
        )
    });
    fs::write(
        copy.join("model.safetensors"),
        safetensors::serialize(views, None).unwrap(),
    )
    .unwrap();
}

/// Runs `evaluate`; returns its JSON result, its predictions and its stderr.
fn evaluated(at: &Path, model: &str, more: &[&str]) -> (Value, Vec<Value>, String) {
    let arguments = [
        &[
            "evaluate",
            model,
            "--data",
            "data",
            "--max-length",
            "16",
            "--predictions",
            "lines.jsonl",
            "--json",
        ],
        more,
    ]
    .concat();
    let (stdout, stderr) = isostar(at, &arguments);
    let lines = fs::read_to_string(at.join("lines.jsonl")).unwrap();
    (
        serde_json::from_str(&stdout).unwrap(),
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        stderr,
    )
}

fn labels(predictions: &[Value]) -> Vec<&str> {
    predictions
        .iter()
        .map(|line| line["label"].as_str().unwrap())
        .collect()
}

#[test]
fn known_tasks_match_the_outputs_of_a_model_by_name() {
    let pair = |row, class| format!("{}\tman", text(row, class));
    for (task, header, line, swapped) in [
        (
            "rte",
            "index\tsentence1\tsentence2\tlabel",
            &(|row, class: usize| {
                format!(
                    "{row}\t{}\t{}",
                    pair(row, class),
                    ["entailment", "not_entailment"][class]
                )
            }) as &dyn Fn(usize, usize) -> String,
            &[
                ["not_entailment", "entailment"],
                ["NOT_ENTAILMENT", "Entailment"],
            ][..],
        ),
        (
            "mrpc",
            "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String",
            &|row, class| format!("{class}\t1\t2\t{}", pair(row, class)),
            &[["1", "0"], ["equivalent", "not_equivalent"]],
        ),
        (
            "sst2",
            "sentence\tlabel",
            &|row, class| format!("{}\t{class}", text(row, class)),
            &[["POSITIVE", "NEGATIVE"]],
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        write_data(at, header, line);
        isostar(
            at,
            &[&TRAIN[..], &["--task", task, "--out", "run"]].concat(),
        );
        let (expected, predictions, stderr) = evaluated(at, "run/model", &["--task", task]);
        assert!(
            expected["metrics"]["accuracy"].as_f64().unwrap() > 0.7,
            "{expected}"
        );
        assert_eq!(stderr, "");
        for (number, names) in swapped.iter().enumerate() {
            let model = format!("swapped-{number}");
            reordered(&at.join("run/model"), &at.join(&model), &[1, 0], names);
            let (found, of_swapped, stderr) = evaluated(at, &model, &["--task", task]);
            let loss = |evaluation: &Value| evaluation["metrics"]["task_loss"].as_f64().unwrap();
            // The order of summation changes the rounding of the loss.
            assert!(
                (loss(&found) - loss(&expected)).abs() < 1e-6,
                "{task}, {names:?}: {found} and {expected}"
            );
            for score in ["accuracy", "f1"] {
                assert_eq!(
                    found["metrics"][score], expected["metrics"][score],
                    "{task}, {names:?}"
                );
            }
            assert_eq!(
                labels(&of_swapped),
                labels(&predictions),
                "{task}, {names:?}"
            );
            let swapped_back = |line: &Value| json!([line["scores"][1], line["scores"][0]]);
            assert!(
                of_swapped
                    .iter()
                    .zip(&predictions)
                    .all(|(one, other)| swapped_back(one) == other["scores"])
            );
            assert_eq!(stderr, "");
        }
        // Names of another task cannot be matched: outputs are used by position, with a note on
        // stderr.
        reordered(
            &at.join("run/model"),
            &at.join("others"),
            &[0, 1],
            &["spam", "ham"],
        );
        let (found, _, stderr) = evaluated(at, "others", &["--task", task]);
        assert_eq!(found["metrics"], expected["metrics"]);
        assert!(
            stderr.starts_with(&format!("the model's labels \"spam\", \"ham\" are not those of {task}; its outputs are taken as ")),
            "{stderr}"
        );
        reordered(
            &at.join("run/model"),
            &at.join("unnamed"),
            &[0, 1],
            &["LABEL_0", "LABEL_1"],
        );
        let (found, _, stderr) = evaluated(at, "unnamed", &["--task", task]);
        assert_eq!(
            (&found["metrics"], stderr.as_str()),
            (&expected["metrics"], "")
        );
    }
}

#[test]
fn custom_labels_match_the_outputs_of_a_model_by_name_or_position() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let write = |names: &[&str]| {
        write_data(at, "text\tlabel", |row, class| {
            format!("{}\t{}", text(row, class), names[class])
        })
    };
    write(&["no", "yes"]);
    isostar(at, &[&TRAIN[..], &["--out", "run"]].concat());
    let (expected, predictions, _) = evaluated(at, "run/model", &[]);
    assert!(
        expected["metrics"]["accuracy"].as_f64().unwrap() > 0.7,
        "{expected}"
    );

    reordered(
        &at.join("run/model"),
        &at.join("upper"),
        &[1, 0],
        &["YES", "NO"],
    );
    let (found, of_upper, stderr) = evaluated(at, "upper", &[]);
    assert_eq!(
        (&found["metrics"]["accuracy"], &found["metrics"]["f1"]),
        (&expected["metrics"]["accuracy"], &expected["metrics"]["f1"])
    );
    assert_eq!(
        labels(&of_upper),
        labels(&predictions)
            .iter()
            .map(|label| label.to_uppercase())
            .collect::<Vec<_>>()
    );
    assert_eq!(stderr, "");

    reordered(
        &at.join("run/model"),
        &at.join("unnamed"),
        &[0, 1],
        &["LABEL_0", "LABEL_1"],
    );
    for numbers in [["0", "1"], ["0.0", "1.0"]] {
        write(&numbers);
        for (model, names) in [
            ("run/model", ["no", "yes"]),
            ("unnamed", ["LABEL_0", "LABEL_1"]),
        ] {
            let (found, of_numbers, stderr) = evaluated(at, model, &[]);
            assert_eq!(found["metrics"], expected["metrics"]);
            let named = |label: &&str| if *label == "no" { names[0] } else { names[1] };
            assert_eq!(
                labels(&of_numbers),
                labels(&predictions).iter().map(named).collect::<Vec<_>>()
            );
            let said = format!(
                "row labels 0 to 1 are taken as the model's labels {:?}, {:?}\n",
                names[0], names[1]
            );
            assert_eq!(stderr, said);
        }
    }

    // A custom file may have the name of a known task.
    let row = |row: usize| format!("{}\t{}\n", text(row, class(row)), class(row));
    fs::write(
        at.join("sst2.tsv"),
        format!("text\tlabel\n{}", (0..ROWS).map(row).collect::<String>()),
    )
    .unwrap();
    let (_, stderr) = isostar(
        at,
        &[
            "evaluate",
            "run/model",
            "--task",
            "sst2.tsv",
            "--predictions",
            "lines.jsonl",
        ],
    );
    assert!(
        stderr.starts_with("row labels 0 to 1 are taken as the model's labels \"no\", \"yes\""),
        "{stderr}"
    );
    assert!(
        fs::read_to_string(at.join("lines.jsonl"))
            .unwrap()
            .lines()
            .all(|line| line.contains("\"no\"") || line.contains("\"yes\""))
    );

    let refused = |names: &[&str], model: &str, label: &str| {
        write(names);
        let cause = format!("label {label:?} is not one of the model's labels: ");
        fails(
            at,
            &["evaluate", model, "--data", "data"],
            &["data/dev.tsv, line 2: ", &cause],
        );
    };
    refused(&["1", "2"], "run/model", "1");
    refused(&["1", "1"], "run/model", "1");
    refused(&["maybe", "yes"], "run/model", "maybe");
    refused(&["no", "yes"], "unnamed", "no");
    // If the model's outputs have no names, a label that is a number selects the output of that
    // index.
    write(&["1", "1"]);
    assert_eq!(labels(&evaluated(at, "unnamed", &[]).1).len(), ROWS);
}

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
