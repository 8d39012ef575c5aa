//! Checkpoints with unusual fields, tensors or label numbers.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::TempDir;

use super::{fixture, isostar, json, rows};

/// A copy of the BERT with three classes, with other fields and tensors.
fn bert(
    folder: &Path,
    name: &str,
    fields: impl FnOnce(&mut Value),
    tensor: impl Fn(&str) -> Vec<String>,
) {
    let (source, target) = (fixture("bert_classes"), folder.join(name));
    fs::create_dir(&target).unwrap();
    fs::copy(source.join("tokenizer.json"), target.join("tokenizer.json")).unwrap();
    let mut config = json(&fs::read(source.join("config.json")).unwrap());
    fields(&mut config);
    fs::write(target.join("config.json"), config.to_string()).unwrap();
    let bytes = fs::read(source.join("model.safetensors")).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let tensors: Vec<_> = stored
        .iter()
        .flat_map(|(name, view)| {
            tensor(name)
                .into_iter()
                .map(move |name| (name, view.clone()))
        })
        .collect();
    fs::write(
        target.join("model.safetensors"),
        safetensors::serialize(tensors, None).unwrap(),
    )
    .unwrap();
}

#[test]
fn what_is_unusual_in_a_checkpoint_is_said_by_every_command() {
    let folder = TempDir::new().unwrap();
    let rows = rows(folder.path());
    let rows = rows.to_str().unwrap();
    bert(
        folder.path(),
        "unusual",
        |_| (),
        |name| match name {
            "classifier.bias" => vec![
                format!("_orig_mod.{name}"),
                "second.bias".into(),
                "third.bias".into(),
            ],
            _ => vec![format!("_orig_mod.{name}")],
        },
    );
    fs::write(folder.path().join("ids.jsonl"), "[5, 7, 6]\n").unwrap();
    fs::write(folder.path().join("lines.txt"), "w5 w6\n").unwrap();
    fs::write(
        folder.path().join("classes.csv"),
        "text,label\nw5,cold\nw6,mild\nw7,hot\n",
    )
    .unwrap();
    for arguments in [
        &[
            "embed",
            "unusual",
            "--ids",
            "ids.jsonl",
            "--out",
            "ids.safetensors",
        ][..],
        &[
            "embed",
            "unusual",
            "--texts",
            "lines.txt",
            "--out",
            "lines.safetensors",
        ],
        &["analyze", "unusual", "--task", rows],
        &["evaluate", "unusual", "--task", "classes.csv"],
        &[
            "train",
            "--model",
            "unusual",
            "--task",
            rows,
            "--epochs",
            "1",
            "--regularizer",
            "none",
        ],
    ] {
        let stderr = isostar(folder.path())
            .args(arguments)
            .assert()
            .success()
            .get_output()
            .stderr
            .clone();
        let stderr = String::from_utf8(stderr).unwrap();
        let notes: Vec<&str> = stderr
            .lines()
            .filter(|line| line.contains("ignoring"))
            .collect();
        let expected = [
            "ignoring _orig_mod. in the names of the model's tensors: a PyTorch wrapper added it",
            "ignoring 2 tensors that are not part of the model: second.bias, third.bias",
        ];
        assert_eq!(notes, expected, "{arguments:?}: {stderr}");
    }
}

#[test]
fn label_numbers_with_gaps_are_in_the_way_of_nothing_but_their_use() {
    let folder = TempDir::new().unwrap();
    let rows = rows(folder.path());
    let rows = rows.to_str().unwrap();
    let gaps =
        |config: &mut Value| config["id2label"] = json(br#"{"1": "one", "2": "two", "5": "five"}"#);
    bert(folder.path(), "gaps", gaps, |name| vec![name.to_string()]);
    fs::write(folder.path().join("lines.txt"), "w5 w6\n").unwrap();
    let train = [
        "train",
        "--model",
        "gaps",
        "--task",
        rows,
        "--epochs",
        "1",
        "--regularizer",
        "none",
        "--out",
        "run",
    ];
    for arguments in [
        &[
            "embed",
            "gaps",
            "--texts",
            "lines.txt",
            "--out",
            "states.safetensors",
        ][..],
        &["analyze", "gaps", "--task", rows],
        &train,
    ] {
        isostar(folder.path()).args(arguments).assert().success();
    }
    let trained = json(&fs::read(folder.path().join("run/model/config.json")).unwrap());
    assert_eq!(
        (
            &trained["id2label"]["0"],
            trained["id2label"].as_object().unwrap().len()
        ),
        (&"no".into(), 2)
    );
    let refused = isostar(folder.path())
        .args(["evaluate", "gaps", "--task", rows])
        .assert()
        .code(1)
        .get_output()
        .stderr
        .clone();
    let refused = String::from_utf8(refused).unwrap();
    assert!(
        refused.contains("gaps/config.json: id2label is") && refused.contains("without gaps"),
        "{refused}"
    );
}
