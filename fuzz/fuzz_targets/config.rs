//! config.json: parsed alone, and if accepted, read again in a folder with the weights of a tiny
//! model of its architecture.

#![no_main]

use std::sync::LazyLock;

use burn::prelude::*;
use isostar_fuzz::{Folder, bounded, check_error};
use isostar_models::{MODELS, ModelConfig, ModelError, Pretrained};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

static FOLDERS: LazyLock<Vec<Folder>> = LazyLock::new(|| {
    MODELS
        .iter()
        .map(|model| folder(model.model_type))
        .collect()
});
static COPY: LazyLock<Folder> = LazyLock::new(|| Folder::new("copy"));

fn folder(model_type: &str) -> Folder {
    let folder = Folder::new(model_type);
    for file in ["model.safetensors", "tokenizer.json"] {
        folder.copy(&format!("{model_type}_classes"), file);
    }
    folder
}

fuzz_target!(|content: &[u8]| {
    LazyLock::force(&FOLDERS);
    LazyLock::force(&COPY);
    match bounded(content.len(), || ModelConfig::from_json(content)) {
        Ok(config) => bounded(content.len(), || check_config(config, content)),
        Err(error) => check_error(&error),
    }
});

fn check_config(config: ModelConfig, content: &[u8]) {
    config.validate().expect("what was read is valid");
    let sizes = config.sizes();
    assert!(sizes.width > 0 && sizes.layers > 0 && sizes.positions > 0);
    assert!(
        config
            .padding()
            .is_none_or(|padding| padding < sizes.vocabulary)
    );
    if config.labels().validate().is_ok() {
        assert_eq!(config.labels().names().len(), config.labels().len());
    }
    config.labels().problem();
    let written = to_json(&config);
    let again = ModelConfig::from_json(written.to_string().as_bytes())
        .expect("what was written can be read");
    assert!(is_same(&to_json(&again), &written), "{written}");

    let at = MODELS
        .iter()
        .position(|model| model.model_type == config.model().model_type);
    let folder = &FOLDERS[at.expect("every type has a name")];
    folder.write("config.json", content);
    let device = Device::flex();
    let read: Result<Pretrained, ModelError> = Pretrained::read(folder.path(), &device);
    match read {
        Ok(pretrained) => {
            assert!(is_same(&to_json(&pretrained.config), &written));
            pretrained.write(COPY.path()).expect("there is room");
            let copy: Pretrained =
                Pretrained::read(COPY.path(), &device).expect("what was written can be read");
            assert_eq!(copy.config.sizes(), sizes);
            assert_eq!(copy.config.labels().names(), config.labels().names());
            assert_eq!(copy.config.labels().problem(), config.labels().problem());
        }
        Err(error) => check_error(&error),
    }
}

/// Whether two values are equal except for the last digits of long numbers, which serde_json does
/// not parse exactly.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let in_other = |(name, one): (&String, &Value)| {
                other.get(name).is_some_and(|other| is_same(one, other))
            };
            one.len() == other.len() && one.iter().all(in_other)
        }
        _ => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() <= 1e-14 * other.abs(),
            _ => one == other,
        },
    }
}

/// The settings as JSON, as [`Pretrained::write`] starts from.
fn to_json(config: &ModelConfig) -> Value {
    let fields = match config {
        ModelConfig::Bert(config) => serde_json::to_value(config),
        ModelConfig::Roberta(config) | ModelConfig::XlmRoberta(config) => {
            serde_json::to_value(config)
        }
        ModelConfig::DistilBert(config) => serde_json::to_value(config),
        ModelConfig::Albert(config) => serde_json::to_value(config),
        ModelConfig::Gpt2(config) => serde_json::to_value(config),
    };
    let mut fields = fields.expect("settings are JSON");
    fields["model_type"] = json!(config.model().model_type);
    fields
}
