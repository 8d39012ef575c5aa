//! What is wrong with settings, data or a model, before a run begins.

use std::fs;

use tempfile::TempDir;

use super::rows;
use crate::command::{fails, succeed};

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
    // Also where no penalty uses them.
    fails(
        at,
        &["train", "--regularizer", "none", "--layers", "5"],
        &["no layer 5", "1 to 4"],
    );
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
