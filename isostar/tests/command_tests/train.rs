//! End-to-end tests of `isostar train` and `isostar evaluate`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

mod command_line;
mod control;
mod diverged;
mod no_tokens;
mod parts;
mod progress;
mod refused;
mod resumed;
mod schema;
use crate::command::{isostar, succeed};

/// Writes rows of the vendored headlines to a train and a dev file in a folder.
fn rows(folder: &Path, train: usize, dev: usize) -> PathBuf {
    let all = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/dev.tsv")).unwrap();
    let mut lines = all.lines();
    let header = lines.next().unwrap();
    let data = folder.join("data");
    fs::create_dir_all(&data).unwrap();
    for (name, count) in [("train.tsv", train), ("dev.tsv", dev)] {
        let rows: Vec<&str> = lines.by_ref().take(count).collect();
        fs::write(data.join(name), format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    }
    data
}

const SMALL: [&str; 8] = [
    "train",
    "--data",
    "data",
    "--epochs",
    "2",
    "--batch-size",
    "16",
    "--json",
];

fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SMALL.iter().copied().chain(more.iter().copied()).collect()
}

#[test]
fn a_run_fills_its_folder_and_evaluate_agrees_with_it() {
    let folder = TempDir::new().unwrap();
    rows(folder.path(), 96, 48);
    let printed = succeed(folder.path(), &small(&["--out", "run", "--weight", "-0.5"]));
    let result: Value = serde_json::from_str(&printed).expect("stdout is JSON alone");

    let run = folder.path().join("run");
    let written: Value =
        serde_json::from_str(&fs::read_to_string(run.join("result.json")).unwrap()).unwrap();
    assert_eq!(written, result);
    let keys = [
        "calibration_seconds",
        "device",
        "epochs",
        "isoscore",
        "layers",
        "metrics",
        "model",
        "regularizer",
        "seconds",
        "seed",
        "shrinkage",
        "task",
        "task_loss",
        "tokens_per_second",
        "weight",
    ];
    assert_eq!(result.as_object().unwrap().keys().collect::<Vec<_>>(), keys);
    assert_eq!(
        (&result["weight"], &result["task"], &result["epochs"]),
        (&(-0.5).into(), &"data".into(), &2.into())
    );
    assert_eq!(result["isoscore"]["layers"].as_array().unwrap().len(), 4);

    let lines = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |line: &Value| {
        (
            line["epoch"].as_u64().unwrap(),
            line["split"].as_str().unwrap().to_string(),
        )
    };
    let expected = [(1, "train"), (1, "valid"), (2, "train"), (2, "valid")]
        .map(|(epoch, split)| (epoch, split.to_string()));
    assert_eq!(lines.iter().map(of).collect::<Vec<_>>(), expected);
    for key in ["task_loss", "accuracy", "penalty", "isoscore_star"] {
        assert!(lines[0]["metrics"][key].is_f64(), "{key} in {}", lines[0]);
    }
    let close =
        |one: &Value, other: &Value| (one.as_f64().unwrap() - other.as_f64().unwrap()).abs() < 1e-6;
    assert!(
        close(&lines[3]["metrics"]["isoscore"], &result["isoscore"]["all"]),
        "{} {result}",
        lines[3]
    );
    assert!(
        close(&lines[3]["metrics"]["task_loss"], &result["task_loss"]),
        "{} {result}",
        lines[3]
    );

    let predictions = folder.path().join("predictions.jsonl");
    let arguments = [
        "evaluate",
        "run",
        "--json",
        "--predictions",
        predictions.to_str().unwrap(),
    ];
    let evaluation: Value = serde_json::from_str(&succeed(folder.path(), &arguments)).unwrap();
    assert_eq!(
        evaluation["metrics"]["accuracy"],
        result["metrics"]["accuracy"]
    );
    assert!(close(
        &evaluation["metrics"]["task_loss"],
        &result["task_loss"]
    ));
    assert_eq!(
        (&evaluation["rows"], &evaluation["split"]),
        (&48.into(), &"dev".into())
    );

    let truth = fs::read_to_string(folder.path().join("data/dev.tsv")).unwrap();
    let truth: Vec<&str> = truth
        .lines()
        .skip(1)
        .map(|line| line.rsplit('\t').next().unwrap())
        .collect();
    let predictions = fs::read_to_string(predictions).unwrap();
    let mut right = 0;
    for (at, line) in predictions.lines().enumerate() {
        let row: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&row["index"], row["scores"].as_array().unwrap().len()),
            (&at.into(), 2)
        );
        right += usize::from(row["label"] == truth[at]);
    }
    assert_eq!(
        right as f64 / 48.0,
        result["metrics"]["accuracy"].as_f64().unwrap()
    );
}

/// Percentages in a line.
fn percentages(line: &str) -> Vec<f64> {
    let before = |at: usize| {
        line[..at]
            .rsplit([' ', '('])
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    line.match_indices('%').map(|(at, _)| before(at)).collect()
}

#[test]
fn a_reference_of_padded_states_holds_as_much_padding_as_the_training_batches() {
    let folder = TempDir::new().unwrap();
    rows(folder.path(), 500, 16);
    for batching in ["random", "length"] {
        let arguments = [
            "--padding",
            "keep",
            "--batching",
            batching,
            "--calibration-states",
            "20000",
            "--out",
            batching,
        ];
        let output = isostar(folder.path(), &small(&arguments));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        let references: Vec<&str> = stderr
            .lines()
            .filter(|line| line.starts_with("reference from"))
            .collect();
        assert_eq!(references.len(), 2, "{stderr}");
        for line in references {
            let [calibration, training] = percentages(line)[..] else {
                panic!("{line}")
            };
            assert!((calibration - training).abs() <= 2.0, "{line}");
            assert_eq!(training > 20.0, batching == "random", "{line}");
        }
    }
}

#[test]
fn the_paper_s_optimizer_is_that_of_its_code_and_each_number_names_its_source() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 8, 8);
    let arguments = [
        "train",
        "--data",
        "data",
        "--preset",
        "paper",
        "--model",
        "scratch",
        "--epochs",
        "1",
        "--max-length",
        "16",
        "--out",
        "run",
    ];
    let output = isostar(at, &arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    for line in [
        "weight_decay 0: the default of transformers.AdamW",
        "adam_epsilon 1e-6: the default of transformers.AdamW",
    ] {
        assert!(stderr.contains(line), "{stderr}");
    }
    let config: toml::Table =
        toml::from_str(&fs::read_to_string(at.join("run/config.toml")).unwrap()).unwrap();
    assert_eq!(
        (
            config["weight_decay"].as_float(),
            config["adam_epsilon"].as_float()
        ),
        (Some(0.0), Some(1e-6))
    );

    // Without the preset, the defaults are PyTorch's; explicit settings override both.
    succeed(
        at,
        &[
            "train",
            "--data",
            "data",
            "--epochs",
            "1",
            "--out",
            "own",
            "--weight-decay",
            "0.1",
            "--json",
        ],
    );
    let config: toml::Table =
        toml::from_str(&fs::read_to_string(at.join("own/config.toml")).unwrap()).unwrap();
    assert_eq!(
        (
            config["weight_decay"].as_float(),
            config["adam_epsilon"].as_float()
        ),
        (Some(0.1), Some(1e-8))
    );
}

#[test]
fn settings_come_from_a_file_and_flags_go_before_it() {
    let folder = TempDir::new().unwrap();
    rows(folder.path(), 32, 16);
    fs::write(
        folder.path().join("run.toml"),
        "data = \"data\"\nepochs = 1\nweight = 0.5\nlayers = \"last\"\nregularizer = \"cosreg\"\n",
    )
    .unwrap();
    let printed = succeed(
        folder.path(),
        &[
            "train", "run.toml", "--weight", "0.25", "--out", "run", "--json",
        ],
    );
    let result: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&result["weight"], &result["layers"], &result["regularizer"]),
        (&0.25.into(), &"last".into(), &"cosreg".into())
    );
    let config = fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    assert!(
        config.contains("weight = 0.25") && config.contains("epochs = 1"),
        "{config}"
    );
}
