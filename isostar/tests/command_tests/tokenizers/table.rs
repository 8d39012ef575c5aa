//! Folders whose files disagree about the tokenizer, before and after training: scripts/tokenizer_table.py.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::prelude::*;
use isostar_models::{Encoder, ModelConfig, Pretrained, SequenceClassifier};
use isostar_train::data::{TextEncoder, TextRow};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokenizers::Tokenizer;

use crate::command::{names, succeed};

const FILES: [&str; 4] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// The texts, alone or with their pairs, and the length to which they are cut.
#[derive(Deserialize)]
struct Rows {
    cut: usize,
    rows: Vec<Vec<String>>,
}

/// What transformers makes of the rows: all ids, those that are left of them, and how many of all are of the second segment.
#[derive(Deserialize, Debug, PartialEq)]
struct Ids {
    whole: Vec<Vec<u32>>,
    cut: Vec<Vec<u32>>,
    second: Vec<usize>,
}

impl Rows {
    fn read() -> Self {
        read_json(&table().join("rows.json"))
    }

    fn texts(&self) -> Vec<TextRow> {
        let row = |(at, row): (usize, &Vec<String>)| TextRow {
            text: row[0].clone(),
            pair: row.get(1).cloned(),
            label: String::new(),
            line: at + 1,
        };
        self.rows.iter().enumerate().map(row).collect()
    }

    /// What isostar makes of them.
    fn ids(&self, tokenizer: &Tokenizer) -> Ids {
        const LONG: usize = 1_000;
        let [whole, cut] = [LONG, self.cut].map(|length| {
            let encoder = TextEncoder::new(tokenizer.clone(), length).unwrap();
            let encode = |row| encoder.encode_row(&row).unwrap();
            self.texts().into_iter().map(encode).collect::<Vec<_>>()
        });
        let ids = |encodings: &[tokenizers::Encoding]| {
            encodings
                .iter()
                .map(|encoding| encoding.get_ids().to_vec())
                .collect()
        };
        let second = whole
            .iter()
            .map(|encoding| {
                encoding
                    .get_type_ids()
                    .iter()
                    .filter(|segment| **segment == 1)
                    .count()
            })
            .collect();
        Ids {
            whole: ids(&whole),
            cut: ids(&cut),
            second,
        }
    }

    /// Compares row by row, so that a failure names the text.
    fn check(&self, name: &str, tokenizer: &Tokenizer) {
        let (expected, found): (Ids, Ids) = (
            read_json(&table().join(name).join("expected.json")),
            self.ids(tokenizer),
        );
        for (at, row) in self.rows.iter().enumerate() {
            assert_eq!(found.whole[at], expected.whole[at], "{name}: {row:?}");
            assert_eq!(found.cut[at], expected.cut[at], "{name}: {row:?}, cut");
            assert_eq!(
                found.second[at], expected.second[at],
                "{name}: {row:?}, tokens of the second segment"
            );
        }
        assert_eq!(found, expected, "{name}");
    }
}

fn table() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../isostar-models/tests/fixtures/tokenizer_table")
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn folders() -> Vec<String> {
    let folders: Vec<String> = names(&table())
        .into_iter()
        .filter(|name| table().join(name).is_dir())
        .collect();
    assert!(folders.len() >= 10);
    folders
}

/// The tokenizer's files of a folder of the table, beside fresh weights.
fn model(name: &str) -> TempDir {
    let (source, folder) = (table().join(name), tempfile::tempdir().unwrap());
    let config = ModelConfig::from_json(&fs::read(source.join("config.json")).unwrap()).unwrap();
    let tokenizer = Tokenizer::from_file(source.join("tokenizer.json")).unwrap();
    Pretrained::<SequenceClassifier>::from_scratch(config, tokenizer, &Device::flex())
        .unwrap()
        .write(folder.path())
        .unwrap();
    fs::remove_file(folder.path().join("tokenizer_config.json")).unwrap();
    for file in names(&source) {
        if !["config.json", "expected.json"].contains(&file.as_str()) {
            fs::copy(source.join(&file), folder.path().join(&file)).unwrap();
        }
    }
    folder
}

fn tokenizer(folder: &Path) -> Tokenizer {
    Pretrained::<Encoder>::read(folder, &Device::flex())
        .unwrap()
        .tokenizer
}

/// A run of the command that trains such a model: its folder holds `model`.
fn trained(name: &str) -> TempDir {
    let (model, folder) = (model(name), tempfile::tempdir().unwrap());
    let labels = ["yes", "no"].into_iter().cycle();
    let rows = Rows::read()
        .rows
        .into_iter()
        .filter(|row| row.len() == 1 && !row[0].trim().is_empty())
        .filter(|row| {
            row[0]
                .chars()
                .all(|character| character.is_alphanumeric() || character == ' ')
        });
    let lines: Vec<String> = rows
        .zip(labels)
        .map(|(row, label)| format!("{},{label}", row[0]))
        .take(20)
        .collect();
    fs::write(
        folder.path().join("rows.csv"),
        format!("text,label\n{}\n", lines.join("\n")),
    )
    .unwrap();
    let model = model.path().to_str().unwrap();
    let base = [
        "train",
        "--task",
        "rows.csv",
        "--model",
        model,
        "--epochs",
        "1",
        "--batch-size",
        "4",
        "--max-length",
        "16",
    ];
    succeed(
        folder.path(),
        &[&base[..], &["--regularizer", "none", "--out", "run"]].concat(),
    );
    folder
}

#[test]
fn texts_get_the_ids_that_transformers_gives_them() {
    let rows = Rows::read();
    assert_eq!(rows.rows.len(), 200);
    for name in folders() {
        rows.check(&name, &tokenizer(model(&name).path()));
    }
}

#[test]
fn a_trained_model_gives_texts_the_ids_of_the_one_it_was_trained_from() {
    let rows = Rows::read();
    for name in folders() {
        let folder = trained(&name);
        let model = folder.path().join("run/model");
        rows.check(&name, &tokenizer(&model));
        assert_eq!(names(&model), FILES, "{name}: transformers reads these");
        let [written, settings]: [Value; 2] =
            ["tokenizer.json", "tokenizer_config.json"].map(|file| read_json(&model.join(file)));
        let source: Value = fs::read(table().join(&name).join("tokenizer_config.json"))
            .map_or(Value::Null, |file| serde_json::from_slice(&file).unwrap());
        for (field, value) in source
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(field, _)| *field != "added_tokens_decoder")
        {
            assert_eq!(&settings[field], value, "{name}: {field}");
        }
        let listed: BTreeMap<String, Value> =
            serde_json::from_value(settings["added_tokens_decoder"].clone()).unwrap();
        let added = written["added_tokens"].as_array().unwrap();
        assert_eq!(listed.len(), added.len(), "{name}");
        for token in added {
            let listed = &listed[&token["id"].to_string()];
            assert!(
                listed
                    .as_object()
                    .unwrap()
                    .iter()
                    .all(|(field, value)| token[field] == *value),
                "{name}: {token}, {listed}"
            );
        }
    }
}

#[test]
fn files_of_an_older_tokenizer_beside_a_written_one_change_nothing() {
    let rows = Rows::read();
    let folder = model("roberta_legacy");
    Pretrained::<Encoder>::read(model("gpt2_prefix").path(), &Device::flex())
        .unwrap()
        .write(folder.path())
        .unwrap();
    assert!(
        folder.path().join("added_tokens.json").exists()
            && folder.path().join("special_tokens_map.json").exists()
    );
    rows.check("gpt2_prefix", &tokenizer(folder.path()));
}

/// `ISOSTAR_OUT=FOLDER cargo test --workspace --test tokenizers -- --ignored`, and then scripts/tokenizer_table.py FOLDER.
#[test]
#[ignore = "writes trained models to the folder named by ISOSTAR_OUT, for scripts/tokenizer_table.py"]
fn trained_models_for_transformers() {
    let out = PathBuf::from(std::env::var_os("ISOSTAR_OUT").expect("ISOSTAR_OUT names a folder"));
    for name in folders() {
        let (folder, target) = (trained(&name), out.join(&name));
        fs::create_dir_all(&target).unwrap();
        for file in FILES {
            fs::copy(
                folder.path().join("run/model").join(file),
                target.join(file),
            )
            .unwrap();
        }
    }
}
