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
pub const ROWS: usize = 40;

pub fn class(row: usize) -> usize {
    usize::from(row % 5 > 2)
}

/// Writes a folder `data` with a train and a dev file; `line` formats a row from its number and
/// class.
pub fn write_data(at: &Path, header: &str, line: impl Fn(usize, usize) -> String) {
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
pub fn text(row: usize, class: usize) -> String {
    format!(
        "area man {} {}",
        ["trump", "women"][class],
        ["says", "report", "new"][row % 3]
    )
}

pub const TRAIN: [&str; 14] = [
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
pub fn reordered(model: &Path, copy: &Path, order: &[usize], names: &[&str]) {
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
pub fn evaluated(at: &Path, model: &str, more: &[&str]) -> (Value, Vec<Value>, String) {
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

pub fn labels(predictions: &[Value]) -> Vec<&str> {
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
