//! End-to-end tests of `isostar train` and `isostar evaluate`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

mod command_line;
mod control;
mod no_tokens;
mod progress;
mod schema;
use crate::command::{fails, isostar, isostar_command, names, succeed};

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

#[test]
fn a_resumed_run_ends_in_the_weights_of_an_uninterrupted_one() {
    let folder = TempDir::new().unwrap();
    rows(folder.path(), 64, 16);
    succeed(folder.path(), &small(&["--out", "whole"]));
    succeed(folder.path(), &small(&["--out", "halted"]));
    let weights =
        |run: &str| fs::read(folder.path().join(run).join("model/model.safetensors")).unwrap();
    assert!(
        weights("whole") == weights("halted"),
        "the same seed gives the same weights"
    );

    // Simulates a run that was killed during its second epoch.
    let halted = folder.path().join("halted");
    assert_eq!(names(&halted.join("checkpoint")), ["step-4", "step-8"]);
    fs::remove_dir_all(halted.join("checkpoint/step-8")).unwrap();
    fs::remove_dir_all(halted.join("model")).unwrap();
    fs::remove_file(halted.join("result.json")).unwrap();
    succeed(
        folder.path(),
        &["train", "--resume", "--out", "halted", "--json"],
    );
    assert!(weights("whole") == weights("halted"));
    for file in ["model.bpk", "optimizer.bpk"] {
        let of = |run: &str| {
            fs::read(folder.path().join(run).join("checkpoint/step-8").join(file)).unwrap()
        };
        assert!(of("whole") == of("halted"), "{file}");
    }

    // Simulates a run that was killed after its last snapshot.
    let result = |run: &str| -> Value {
        serde_json::from_str(
            &fs::read_to_string(folder.path().join(run).join("result.json")).unwrap(),
        )
        .unwrap()
    };
    let before = result("halted");
    fs::remove_dir_all(halted.join("model")).unwrap();
    fs::remove_file(halted.join("result.json")).unwrap();
    succeed(
        folder.path(),
        &["train", "--resume", "--out", "halted", "--json"],
    );
    assert!(weights("whole") == weights("halted"));
    assert_eq!(
        result("halted"),
        before,
        "its seconds, too, are those of the legs before"
    );

    // The same line once more changes nothing.
    let again = isostar(
        folder.path(),
        &["train", "--resume", "--out", "halted", "--json"],
    );
    assert!(
        again.status.success()
            && String::from_utf8_lossy(&again.stderr).contains("the run is complete"),
        "{again:?}"
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&again.stdout).unwrap(),
        before
    );
}

#[test]
fn the_line_that_begins_a_run_also_resumes_it_and_other_settings_are_refused() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 64, 16);
    let line = small(&["--resume", "--out", "run", "--weight", "-0.5"]);
    succeed(at, &line);
    succeed(at, &line);
    let with = |more: &[&'static str]| {
        line.iter()
            .copied()
            .chain(more.iter().copied())
            .collect::<Vec<_>>()
    };
    fails(
        at,
        &with(&["--seed", "2"]),
        &[
            "run was begun with other settings",
            "seed is 1 in the run and 2 now",
        ],
    );
    fails(
        at,
        &[
            "train", "--data", "other", "--epochs", "1", "--out", "run", "--resume",
        ],
        &["data is \"data\"", "epochs is 2 in the run and 1 now"],
    );

    // More epochs go on from the last snapshot; how often to save may change.
    let longer = [
        "train",
        "--resume",
        "--out",
        "run",
        "--epochs",
        "3",
        "--keep",
        "1",
        "--snapshot-every",
        "2",
        "--json",
    ];
    let result: Value = serde_json::from_str(&succeed(at, &longer)).unwrap();
    assert_eq!(result["epochs"], 3);
    let lines = fs::read_to_string(at.join("run/metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 6, "{lines}");
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
fn the_seconds_of_a_resumed_run_are_those_of_all_its_legs() {
    let folder = TempDir::new().unwrap();
    rows(folder.path(), 64, 16);
    succeed(folder.path(), &small(&["--out", "run"]));
    let run = folder.path().join("run");
    fs::remove_dir_all(run.join("checkpoint/step-8")).unwrap();
    fs::remove_file(run.join("result.json")).unwrap();
    let first: Value =
        serde_json::from_slice(&fs::read(run.join("checkpoint/step-4/state.json")).unwrap())
            .unwrap();
    let result: Value = serde_json::from_str(&succeed(
        folder.path(),
        &["train", "--resume", "--out", "run", "--json"],
    ))
    .unwrap();
    for (key, stored) in [
        ("seconds", "training"),
        ("calibration_seconds", "calibration"),
    ] {
        let (sum, first) = (
            result[key].as_f64().unwrap(),
            first["seconds"][stored].as_f64().unwrap(),
        );
        assert!(
            first > 0.0 && sum > first && sum < first + 60.0,
            "{key}: {sum} after {first}"
        );
    }
    let last: Value =
        serde_json::from_slice(&fs::read(run.join("checkpoint/step-8/state.json")).unwrap())
            .unwrap();
    assert_eq!(result["seconds"], last["seconds"]["training"]);
}

#[test]
fn a_run_that_diverges_stops_within_a_step_with_status_3() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 64, 16);
    // The learning rate is 0 in the first of eight steps; the second leaves parameters whose
    // products overflow.
    let output = isostar(at, &small(&["--learning-rate", "1e12", "--out", "run"]));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(3), 0),
        "{stderr}"
    );
    assert!(
        !stderr.contains("epoch 1 of 2"),
        "an epoch that was cut short has no line: {stderr}"
    );
    let lines: Vec<&str> = stderr.lines().rev().take(2).collect();
    let cause =
        "error: run: the run diverged: the task loss is not finite in step 3 of epoch 1, rows ";
    assert!(
        lines[1].starts_with(cause)
            && lines[1].contains("the last finite task losses: ")
            && lines[1].contains("learning rate"),
        "{stderr}"
    );
    assert!(
        lines[0].starts_with("  try: ")
            && lines[0].contains("--out")
            && lines[0].contains("--learning-rate"),
        "{stderr}"
    );

    let run = at.join("run");
    let result: Value =
        serde_json::from_str(&fs::read_to_string(run.join("result.json")).unwrap()).unwrap();
    let stopped = &result["stopped"];
    assert_eq!(
        (&stopped["cause"], &stopped["epoch"], &stopped["step"]),
        (&"task_loss".into(), &1.into(), &3.into())
    );
    assert_eq!(
        ["rows", "task_losses", "penalties"].map(|key| stopped[key].as_array().unwrap().len()),
        [16, 2, 2]
    );
    assert_eq!(
        (
            &result["task_loss"],
            &result["metrics"]["accuracy"],
            &result["epochs"]
        ),
        (&Value::Null, &Value::Null, &0.into())
    );
    assert!(result["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(
        names(&run),
        [
            "config.toml",
            "lock",
            "manifest.json",
            "metrics.jsonl",
            "result.json"
        ]
    );
    assert_eq!(fs::read_to_string(run.join("metrics.jsonl")).unwrap(), "");

    let again = isostar(at, &["train", "--resume", "--out", "run"]);
    let stderr = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.starts_with(cause)
            && stderr
                .contains("\n  try: train again with another --out and a lower --learning-rate"),
        "{stderr}"
    );
}

#[test]
fn a_run_whose_validation_loss_is_not_finite_has_diverged() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 16, 16);
    // The only step leaves parameters that are finite in single precision, and hidden states that
    // are not.
    let arguments = [
        "train",
        "--data",
        "data",
        "--epochs",
        "1",
        "--batch-size",
        "16",
        "--warmup",
        "0",
        "--learning-rate",
        "1e18",
        "--out",
        "run",
    ];
    let output = isostar(at, &arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("the validation loss is not finite after epoch 1"),
        "{stderr}"
    );
    assert!(!at.join("run/model").exists());
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

#[test]
fn what_is_wrong_with_settings_is_said_before_anything_is_written() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 16, 8);
    fs::write(at.join("typo.toml"), "epochs = 1\nepoch = 2\n").unwrap();
    fails(at, &["train", "--shrinkage", "1.5"], &["shrinkage", "1.5"]);
    fails(at, &["train", "--weight", "inf"], &["weight", "inf"]);
    fails(at, &["train", "--epochs", "0"], &["epochs is 0"]);
    fails(at, &["train", "--batch-size", "0"], &["batch_size is 0"]);
    fails(at, &["train", "--limit", "0"], &["limit is 0"]);
    fails(
        at,
        &["train", "--learning-rate", "-1"],
        &["learning_rate is -1"],
    );
    fails(
        at,
        &["train", "--weight-decay", "-1"],
        &["weight_decay is -1"],
    );
    fails(
        at,
        &["train", "--adam-epsilon", "1e-60"],
        &["adam_epsilon is 0.000"],
    );
    fails(at, &["train", "--layers", "5"], &["no layer 5", "1 to 4"]);
    fails(at, &["train", "--max-length", "2"], &["2"]);
    fails(at, &["train", "--device", "tpu"], &["tpu"]);
    if cfg!(not(feature = "cuda")) {
        fails(
            at,
            &["train", "--device", "cuda"],
            &["\"cuda\" is not compiled in"],
        );
    }
    fails(
        at,
        &["train", "typo.toml"],
        &["typo.toml", "line 2", "epoch"],
    );
    fails(at, &["train", "absent.toml"], &["absent.toml"]);
    fails(at, &["train", "--out", "data"], &["data is not empty"]);
    fails(
        at,
        &["train", "--resume", "--out", "data"],
        &["no config.toml"],
    );
}

#[test]
fn what_is_wrong_with_data_names_the_file_and_the_line() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 16, 8);
    let write = |name: &str, train: &str, dev: &str| {
        fs::create_dir_all(at.join(name)).unwrap();
        fs::write(at.join(name).join("train.tsv"), train).unwrap();
        fs::write(at.join(name).join("dev.tsv"), dev).unwrap();
    };
    let good = "sentence\tlabel\ngood\t1\nbad\t0\n";
    write("short", "sentence\tlabel\ngood\t1\nbad\n", good);
    write("unseen", good, "sentence\tlabel\nso so\t2\n");
    write("empty", "", good);
    fs::write(at.join("one.csv"), "text,label\nalone,1\n").unwrap();
    fails(at, &["train", "--data", "nowhere"], &["nowhere"]);
    fails(
        at,
        &["train", "--data", "short"],
        &["short/train.tsv", "line 3"],
    );
    fails(
        at,
        &["train", "--data", "unseen"],
        &["unseen/dev.tsv", "line 2", "2"],
    );
    fails(
        at,
        &["train", "--data", "empty"],
        &["empty/train.tsv", "empty"],
    );
    fails(at, &["train", "--task", "sst2"], &["sst2"]);
    fails(at, &["train", "--task", "sst3"], &["sst3"]);
    fails(at, &["train", "--task", "absent.csv"], &["absent.csv"]);
    fails(at, &["train", "--task", "one.csv"], &["one.csv"]);
}

#[test]
fn what_is_wrong_with_a_model_names_its_file() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    rows(at, 16, 8);
    succeed(
        at,
        &[
            "train", "--data", "data", "--epochs", "1", "--out", "run", "--json",
        ],
    );
    let copy = |name: &str| {
        let to = at.join(name);
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(at.join("run/model")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        to
    };
    let truncated = copy("truncated").join("model.safetensors");
    let bytes = fs::read(&truncated).unwrap();
    fs::write(&truncated, &bytes[..bytes.len() / 2]).unwrap();
    let other = copy("other").join("config.json");
    let config = fs::read_to_string(&other).unwrap();
    fs::write(&other, config.replace("\"bert\"", "\"t5\"")).unwrap();

    for command in [
        &["train", "--data", "data", "--model"][..],
        &["evaluate"][..],
    ] {
        let with = |model| {
            command
                .iter()
                .copied()
                .chain([model])
                .collect::<Vec<&str>>()
        };
        fails(at, &with("absent"), &["absent"]);
        fails(at, &with("truncated"), &["truncated/model.safetensors"]);
        fails(at, &with("other"), &["other/config.json", "t5"]);
    }
    fails(
        at,
        &["evaluate", "run", "--task", "absent.csv"],
        &["absent.csv"],
    );
    fails(at, &["evaluate", "run", "--device", "tpu"], &["tpu"]);
}
