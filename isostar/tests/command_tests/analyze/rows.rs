//! Rows for the tiny models, whose words are w5 to w40.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::succeed;

/// The number of rows of the dev split.
pub const ROWS: usize = 40;

/// A random model with 41 ids and 12 positions: BERT of two layers of width 16 and two segments if it is `bert_bare`.
pub fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../isostar-models/tests/fixtures")
        .join(name)
}

/// A folder that holds the model `bert`, and in `data` a train and a dev split; the texts of dev are also in `texts.txt`.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_model("bert_bare", &folder.path().join("bert"));
    let texts = texts(ROWS);
    let labelled = |texts: &[String]| {
        let rows = texts
            .iter()
            .enumerate()
            .map(|(at, text)| format!("{text}\t{}\n", at % 2));
        format!("sentence\tlabel\n{}", rows.collect::<String>())
    };
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/train.tsv"), labelled(&texts[..8])).unwrap();
    fs::write(folder.path().join("data/dev.tsv"), labelled(&texts)).unwrap();
    fs::write(folder.path().join("texts.txt"), texts.join("\n") + "\n").unwrap();
    folder
}

pub fn copy_model(name: &str, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(model(name).join(file), to.join(file)).unwrap();
    }
}

/// One to nine words each, from a generator of one line.
fn texts(rows: usize) -> Vec<String> {
    let mut state = 7_u64;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let text = |_| {
        let words: Vec<String> = (0..1 + draw(9))
            .map(|_| format!("w{}", 5 + draw(36)))
            .collect();
        words.join(" ")
    };
    (0..rows).map(text).collect()
}

/// What `isostar analyze --json` says of a model on the folder's data.
pub fn analyze(folder: &Path, model: &str, more: &[&str]) -> Value {
    let printed = succeed(
        folder,
        &[&["analyze", model, "--data", "data", "--json"], more].concat(),
    );
    assert_eq!(printed.lines().count(), 1);
    serde_json::from_str(&printed).unwrap()
}
