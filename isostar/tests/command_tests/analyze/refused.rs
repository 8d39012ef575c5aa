//! Every fault ends in one line of cause and one of remedy, and leaves nothing behind.

use std::fs;
use std::process::Command;

use safetensors::SafeTensors;

use super::rows::{copy_model, folder};
use crate::command::{fails, names};

#[test]
fn bad_settings_data_and_models() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("file"), "no folder").unwrap();
    let refuses =
        |arguments: &[&str], named: &[&str]| fails(at, &[&["analyze"], arguments].concat(), named);
    let of_data = |arguments: &[&str], named: &[&str]| {
        refuses(&[&["bert", "--data", "data"], arguments].concat(), named)
    };

    of_data(&["--limit", "0"], &["limit is 0"]);
    of_data(&["--batch-size", "0"], &["batch_size is 0"]);
    of_data(&["--sample", "1"], &["sample is 1", "at least 2"]);
    of_data(
        &["--max-length", "2"],
        &["a maximum length of 2 tokens leaves no room for text"],
    );
    of_data(&["--device", "tpu"], &["tpu"]);
    of_data(
        &["--out", "file"],
        &["file/analysis.json: cannot be written"],
    );
    of_data(&["--against", "absent"], &["absent"]);
    of_data(
        &["--out", "new", "--against", "data"],
        &["data/config.json"],
    );
    refuses(&["absent"], &["absent"]);
    refuses(&["data"], &["data/config.json"]);
    refuses(&["bert", "--data", "nowhere"], &["nowhere"]);
    refuses(&["bert", "--task", "sst2"], &["sst2"]);
    refuses(&["bert", "--task", "absent.csv"], &["absent.csv"]);
}

#[test]
fn a_text_without_tokens_is_named_by_its_line() {
    let folder = folder();
    copy_model("gpt2_classes", &folder.path().join("gpt2"));
    fs::write(
        folder.path().join("data/dev.tsv"),
        "sentence\tlabel\nw5\t0\n \t1\n",
    )
    .unwrap();
    fails(
        folder.path(),
        &["analyze", "gpt2", "--data", "data"],
        &["data/dev.tsv, line 3: a sequence without tokens"],
    );
}

#[test]
fn a_diverged_model_is_named_by_layer_and_row() {
    let folder = folder();
    let weights = folder.path().join("bert/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let start = {
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let name = file
            .names()
            .into_iter()
            .find(|name| name.ends_with("layer.1.output.LayerNorm.bias"))
            .unwrap();
        file.tensor(name).unwrap().data().as_ptr() as usize - bytes.as_ptr() as usize
    };
    bytes[start..start + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&weights, bytes).unwrap();
    fails(
        folder.path(),
        &["analyze", "bert", "--data", "data", "--out", "new"],
        &["layer 2 gives NaN for row 0"],
    );
}

#[test]
fn analyze_writes_no_temporary_file() {
    let folder = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_isostar"));
    command
        .current_dir(&folder)
        .env("TMPDIR", "absent")
        .args(["analyze", "bert", "--data", "data", "--out", "new"]);
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(names(folder.path()), ["bert", "data", "new", "texts.txt"]);
}
