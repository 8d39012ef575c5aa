//! model.safetensors.index.json in a folder with the shards of a tiny BERT.

#![no_main]

use std::sync::LazyLock;

use burn::prelude::*;
use isostar_fuzz::{Folder, bounded, check_error};
use isostar_models::{Encoder, ModelError, Pretrained};
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new("index");
    for file in ["config.json", "tokenizer.json"] {
        folder.copy("bert_sharded", file);
    }
    for number in 1..=3 {
        folder.copy(
            "bert_sharded",
            &format!("model-0000{number}-of-00003.safetensors"),
        );
    }
    folder
});

fuzz_target!(|content: &[u8]| {
    let folder = &*FOLDER;
    folder.write("model.safetensors.index.json", content);
    let read: Result<Pretrained<Encoder>, ModelError> = bounded(content.len(), || {
        Pretrained::read(folder.path(), &Device::flex())
    });
    match read {
        Ok(pretrained) => assert!(pretrained.fresh.is_empty(), "an encoder has no head"),
        Err(error) => check_error(&error),
    }
});
