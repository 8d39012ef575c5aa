//! Errors of broken model folders: each names the file and the defect. No folder makes the reader
//! allocate much more memory than its files take.

#[path = "../common/mod.rs"]
mod common;
mod settings;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::Path;

use burn::prelude::*;
use common::{Tensors, adapter, change_json, copy, fixture, read_tensors, set, write_tensors};
use isostar_models::{ModelError, Pretrained, SequenceClassifier};
use safetensors::Dtype;
use serde_json::{Value, json};

/// Many times the size of any of the folders, in bytes.
const MUCH: usize = 4 << 20;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// The system allocator, which also records the largest request of each thread.
struct Watched;

unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// A folder that is broken in one way.
struct Broken {
    fixture: &'static str,
    how: &'static str,
    damage: fn(&Path),
    /// The variant of [`ModelError`].
    error: &'static str,
    /// Texts that the message must contain. The first is the name of the file.
    says: &'static [&'static str],
}

/// Changes the tensors of a folder.
fn change_tensors(folder: &Path, change: impl FnOnce(&mut Tensors)) {
    let mut tensors = read_tensors(folder);
    change(&mut tensors);
    write_tensors(&folder.join("model.safetensors"), &tensors);
}

/// Writes a checkpoint with this header, followed by `bytes` zeros.
fn write_header(folder: &Path, header: &str, bytes: usize) {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.resize(file.len() + bytes, 0);
    fs::write(folder.join("model.safetensors"), file).unwrap();
}

fn name_shard(folder: &Path, key: &str, shard: Value) {
    change_json(&folder.join("model.safetensors.index.json"), |index| {
        index["weight_map"][key] = shard
    });
}

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

const WORD: &str = "bert.embeddings.word_embeddings.weight";

#[rustfmt::skip]
const BROKEN: &[Broken] = &[
    Broken { fixture: "bert_classes", how: "no folder", error: "NoFolder", says: &["no model folder"],
        damage: |folder| fs::remove_dir_all(folder).unwrap() },
    Broken { fixture: "bert_classes", how: "a file instead of a folder", error: "NoFolder", says: &["no model folder"],
        damage: |folder| fs::remove_dir_all(folder).and_then(|_| fs::write(folder, "model")).unwrap() },
    Broken { fixture: "bert_classes", how: "no configuration", error: "NoFile", says: &["config.json"],
        damage: |folder| fs::remove_file(folder.join("config.json")).unwrap() },
    Broken { fixture: "bert_classes", how: "no weights", error: "NoFile", says: &["model.safetensors"],
        damage: |folder| fs::remove_file(folder.join("model.safetensors")).unwrap() },
    Broken { fixture: "bert_classes", how: "no tokenizer", error: "NoFile", says: &["tokenizer.json"],
        damage: |folder| fs::remove_file(folder.join("tokenizer.json")).unwrap() },
    Broken { fixture: "bert_classes", how: "only a pickle", error: "PickleOnly", says: &["pytorch_model.bin", "pickle"],
        damage: |folder| fs::rename(folder.join("model.safetensors"), folder.join("pytorch_model.bin")).unwrap() },
    Broken { fixture: "bert_classes", how: "only a sharded pickle", error: "PickleOnly", says: &["pytorch_model.bin.index.json", "pickle"],
        damage: |folder| fs::rename(folder.join("model.safetensors"), folder.join("pytorch_model.bin.index.json")).unwrap() },

    Broken { fixture: "bert_classes", how: "a pickle that is a Git LFS pointer", error: "GitLfsPointer", says: &["pytorch_model.bin is a Git LFS pointer"],
        damage: |folder| {
            fs::remove_file(folder.join("model.safetensors")).unwrap();
            fs::write(folder.join("pytorch_model.bin"), POINTER).unwrap();
        } },
    Broken { fixture: "bert_classes", how: "weights that are a Git LFS pointer", error: "GitLfsPointer", says: &["model.safetensors is a Git LFS pointer"],
        damage: |folder| fs::write(folder.join("model.safetensors"), POINTER).unwrap() },
    Broken { fixture: "bert_sharded", how: "a shard that is a Git LFS pointer", error: "GitLfsPointer",
        says: &["model-00002-of-00003.safetensors is a Git LFS pointer"],
        damage: |folder| fs::write(folder.join("model-00002-of-00003.safetensors"), POINTER).unwrap() },
    Broken { fixture: "bert_sharded", how: "an index that is a Git LFS pointer", error: "GitLfsPointer", says: &["index.json is a Git LFS pointer"],
        damage: |folder| fs::write(folder.join("model.safetensors.index.json"), POINTER).unwrap() },
    Broken { fixture: "bert_classes", how: "a configuration that is a Git LFS pointer", error: "GitLfsPointer",
        says: &["config.json is a Git LFS pointer"],
        damage: |folder| fs::write(folder.join("config.json"), POINTER).unwrap() },
    Broken { fixture: "bert_classes", how: "a tokenizer that is a Git LFS pointer", error: "GitLfsPointer",
        says: &["tokenizer.json is a Git LFS pointer"],
        damage: |folder| fs::write(folder.join("tokenizer.json"), POINTER).unwrap() },
    Broken { fixture: "bert_classes", how: "an adapter", error: "Adapter",
        says: &["adapter_config.json describes a PEFT adapter trained on org/base"],
        damage: |folder| adapter(folder, &json!({"base_model_name_or_path": "org/base", "task_type": "SEQ_CLS", "peft_type": "LORA"})) },
    Broken { fixture: "bert_classes", how: "an adapter and the configuration of a model", error: "Adapter", says: &["adapter_config.json", "PEFT"],
        damage: |folder| {
            adapter(folder, &json!({"base_model_name_or_path": "org/base"}));
            fs::copy(fixture("bert_classes/config.json"), folder.join("config.json")).unwrap();
        } },

    Broken { fixture: "bert_classes", how: "a truncated configuration", error: "Json", says: &["config.json", "EOF"],
        damage: |folder| fs::write(folder.join("config.json"), "{\"model_type\": \"be").unwrap() },
    Broken { fixture: "bert_classes", how: "a configuration that is a list", error: "Json", says: &["config.json", "sequence", "map"],
        damage: |folder| fs::write(folder.join("config.json"), "[1, 2]").unwrap() },
    Broken { fixture: "bert_classes", how: "an unsupported model type", error: "ModelType",
        says: &["config.json", "\"t5\"", "bert, roberta, xlm-roberta, distilbert, albert, gpt2"],
        damage: |folder| set(folder, "model_type", json!("t5")) },
    Broken { fixture: "bert_classes", how: "no model type", error: "NoModelType", says: &["config.json has no model_type"],
        damage: |folder| set(folder, "model_type", Value::Null) },
    Broken { fixture: "bert_classes", how: "an empty model type", error: "NoModelType", says: &["config.json has no model_type"],
        damage: |folder| set(folder, "model_type", json!("")) },
    Broken { fixture: "bert_classes", how: "a number as model type", error: "ModelType", says: &["config.json", "\"7\"", "bert, roberta"],
        damage: |folder| set(folder, "model_type", json!(7)) },

    Broken { fixture: "bert_classes", how: "a truncated file", error: "Checkpoint", says: &["model.safetensors", "incomplete"],
        damage: |folder| {
            let whole = fs::read(folder.join("model.safetensors")).unwrap();
            fs::write(folder.join("model.safetensors"), &whole[..whole.len() - 1]).unwrap();
        } },
    Broken { fixture: "bert_classes", how: "a file with trailing bytes", error: "Checkpoint", says: &["model.safetensors", "not fully covered"],
        damage: |folder| {
            let whole = fs::read(folder.join("model.safetensors")).unwrap();
            fs::write(folder.join("model.safetensors"), [whole, vec![0]].concat()).unwrap();
        } },
    Broken { fixture: "bert_classes", how: "an empty file", error: "Checkpoint", says: &["model.safetensors", "header too small"],
        damage: |folder| fs::write(folder.join("model.safetensors"), "").unwrap() },
    Broken { fixture: "bert_classes", how: "a header longer than the file", error: "Checkpoint",
        says: &["model.safetensors", "invalid header length"],
        damage: |folder| fs::write(folder.join("model.safetensors"), 99_000_000u64.to_le_bytes()).unwrap() },
    Broken { fixture: "bert_classes", how: "a header longer than the format allows", error: "Checkpoint", says: &["model.safetensors", "header too large"],
        damage: |folder| fs::write(folder.join("model.safetensors"), [0xff; 1000]).unwrap() },
    Broken { fixture: "bert_classes", how: "a header that is not JSON", error: "Checkpoint", says: &["model.safetensors", "invalid JSON"],
        damage: |folder| write_header(folder, "{{{{", 8) },
    Broken { fixture: "bert_classes", how: "a tensor far larger than the file", error: "Checkpoint", says: &["model.safetensors", "incomplete"],
        damage: |folder| write_header(folder, r#"{"a":{"dtype":"F32","shape":[1048576,1048576],"data_offsets":[0,4398046511104]}}"#, 64) },
    Broken { fixture: "bert_classes", how: "a size that overflows 64 bits", error: "Checkpoint", says: &["model.safetensors", "overflow"],
        damage: |folder| write_header(folder, r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]}}"#, 8) },
    Broken { fixture: "bert_classes", how: "a shape that does not match the number of bytes", error: "Checkpoint", says: &["model.safetensors", "shape"],
        damage: |folder| write_header(folder, r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8) },
    Broken { fixture: "bert_classes", how: "a gap between tensors", error: "Checkpoint", says: &["model.safetensors", "invalid offset", "`a`"],
        damage: |folder| write_header(folder, r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8) },

    Broken { fixture: "bert_classes", how: "a missing tensor", error: "MissingTensors",
        says: &["model.safetensors lacks bert.encoder.layer.1.output.dense.bias"],
        damage: |folder| change_tensors(folder, |tensors| drop(tensors.remove("bert.encoder.layer.1.output.dense.bias"))) },
    Broken { fixture: "roberta_classes", how: "an incomplete classifier", error: "MissingTensors",
        says: &["model.safetensors lacks classifier.out_proj.bias"],
        damage: |folder| change_tensors(folder, |tensors| drop(tensors.remove("classifier.out_proj.bias"))) },
    Broken { fixture: "gpt2_classes", how: "a missing tensor that holds three weights", error: "MissingTensors",
        says: &["model.safetensors lacks transformer.h.1.attn.c_attn.weight"],
        damage: |folder| change_tensors(folder, |tensors| drop(tensors.remove("transformer.h.1.attn.c_attn.weight"))) },
    Broken { fixture: "distilbert_classes", how: "a missing layer", error: "MissingTensors",
        says: &["model.safetensors lacks distilbert.transformer.layer.2.", "and 12 more"],
        damage: |folder| set(folder, "n_layers", json!(3)) },
    Broken { fixture: "bert_classes", how: "tensors of a layer that is not configured", error: "UnexpectedTensors",
        says: &["model.safetensors contains", "bert.encoder.layer.1.attention.output.LayerNorm.bias", "and 12 more"],
        damage: |folder| set(folder, "num_hidden_layers", json!(1)) },
    Broken { fixture: "bert_classes", how: "a tensor of the wrong shape", error: "TensorShape",
        says: &["model.safetensors", "bert.encoder.layer.0.intermediate.dense.weight", "[23, 16]", "[40, 16]"],
        damage: |folder| set(folder, "intermediate_size", json!(40)) },
    Broken { fixture: "gpt2_classes", how: "a tensor of three weights of the wrong shape", error: "TensorShape",
        says: &["model.safetensors", "transformer.h.1.attn.c_attn.weight", "[24, 32]", "[16, 48]"],
        damage: |folder| change_tensors(folder, |tensors| tensors.get_mut("transformer.h.1.attn.c_attn.weight").unwrap().1 = vec![24, 32]) },
    Broken { fixture: "gpt2_classes", how: "a transposed matrix", error: "TensorShape",
        says: &["model.safetensors", "transformer.h.0.mlp.c_fc.weight", "[23, 16]", "[16, 23]"],
        damage: |folder| change_tensors(folder, |tensors| tensors.get_mut("transformer.h.0.mlp.c_fc.weight").unwrap().1 = vec![23, 16]) },
    Broken { fixture: "gpt2_classes", how: "a classifier with another number of labels", error: "TensorShape",
        says: &["model.safetensors", "score.weight", "[3, 16]", "[2, 16]"],
        damage: |folder| set(folder, "id2label", json!({"0": "no", "1": "yes"})) },
    Broken { fixture: "bert_classes", how: "a vocabulary too large for memory", error: "TensorShape",
        says: &["model.safetensors", WORD, "[41, 16]", "[16777216, 16]"],
        damage: |folder| set(folder, "vocab_size", json!(1 << 24)) },
    Broken { fixture: "bert_classes", how: "a tensor with and without prefix", error: "TensorTwice",
        says: &["model.safetensors", "embeddings.word_embeddings.weight is stored twice", WORD],
        damage: |folder| change_tensors(folder, |tensors| {
            let word = tensors[WORD].clone();
            tensors.insert("embeddings.word_embeddings.weight".into(), word);
        }) },
    Broken { fixture: "bert_classes", how: "integer weights", error: "TensorType", says: &["model.safetensors", WORD, "I32", "BF16"],
        damage: |folder| change_tensors(folder, |tensors| tensors.get_mut(WORD).unwrap().0 = Dtype::I32) },

    Broken { fixture: "bert_sharded", how: "an index with a path to a parent folder", error: "Shard", says: &["index.json", "\"../x\""],
        damage: |folder| name_shard(folder, WORD, json!("../x")) },
    Broken { fixture: "bert_sharded", how: "an index with an absolute path", error: "Shard", says: &["index.json", "\"/etc/passwd\""],
        damage: |folder| name_shard(folder, WORD, json!("/etc/passwd")) },
    Broken { fixture: "bert_sharded", how: "an index with a path to a subfolder", error: "Shard", says: &["index.json", "\"a/b\""],
        damage: |folder| name_shard(folder, WORD, json!("a/b")) },
    Broken { fixture: "bert_sharded", how: "an index that names the parent folder", error: "Shard", says: &["index.json", "\"..\""],
        damage: |folder| name_shard(folder, WORD, json!("..")) },
    Broken { fixture: "bert_sharded", how: "an index with an empty name", error: "Shard", says: &["index.json", "\"\""],
        damage: |folder| name_shard(folder, WORD, json!("")) },
    Broken { fixture: "bert_sharded", how: "a missing shard", error: "NoFile", says: &["model-00002-of-00003.safetensors"],
        damage: |folder| fs::remove_file(folder.join("model-00002-of-00003.safetensors")).unwrap() },
    Broken { fixture: "bert_sharded", how: "a shard without its tensor", error: "MissingTensors", 
        says: &["model-00001-of-00003.safetensors lacks bert.elsewhere"],
        damage: |folder| name_shard(folder, "bert.elsewhere", json!("model-00001-of-00003.safetensors")) },
    Broken { fixture: "bert_sharded", how: "a tensor in another shard", error: "MissingTensors", says: &["model-00003-of-00003.safetensors lacks", WORD],
        damage: |folder| name_shard(folder, WORD, json!("model-00003-of-00003.safetensors")) },
    Broken { fixture: "bert_sharded", how: "a tensor in two shards", error: "TensorTwice",
        says: &["model-00002-of-00003.safetensors", "is stored twice", "model-00001-of-00003.safetensors"],
        damage: |folder| drop(fs::copy(folder.join("model-00001-of-00003.safetensors"), folder.join("model-00002-of-00003.safetensors"))) },
    Broken { fixture: "bert_sharded", how: "a truncated shard", error: "Checkpoint", says: &["model-00003-of-00003.safetensors"],
        damage: |folder| fs::write(folder.join("model-00003-of-00003.safetensors"), "short").unwrap() },
    Broken { fixture: "bert_sharded", how: "an index that is not JSON", error: "Json", says: &["index.json", "expected value"],
        damage: |folder| fs::write(folder.join("model.safetensors.index.json"), "model").unwrap() },
    Broken { fixture: "bert_sharded", how: "an index without a map", error: "Json", says: &["index.json", "`weight_map`"],
        damage: |folder| fs::write(folder.join("model.safetensors.index.json"), "{}").unwrap() },
    Broken { fixture: "bert_sharded", how: "a number as shard", error: "Json", says: &["index.json", "integer `7`"],
        damage: |folder| name_shard(folder, WORD, json!(7)) },

    Broken { fixture: "bert_classes", how: "a tokenizer that is not JSON", error: "Tokenizer", says: &["tokenizer.json", "expected value"],
        damage: |folder| fs::write(folder.join("tokenizer.json"), "words").unwrap() },
    Broken { fixture: "bert_classes", how: "an empty tokenizer", error: "Tokenizer", says: &["tokenizer.json"],
        damage: |folder| fs::write(folder.join("tokenizer.json"), "{}").unwrap() },
    Broken { fixture: "bert_classes", how: "a tokenizer of another model", error: "Vocabulary",
        says: &["tokenizer.json defines 51 tokens", "only 41 embeddings", "vocab_size"],
        damage: |folder| change_json(&folder.join("tokenizer.json"), |tokenizer| tokenizer["model"]["vocab"]["w40"] = json!(50)) },
    Broken { fixture: "bert_classes", how: "tokenizer settings that are not JSON", error: "Json",
        says: &["tokenizer_config.json", "expected value"],
        damage: |folder| fs::write(folder.join("tokenizer_config.json"), "pad").unwrap() },
    Broken { fixture: "bert_classes", how: "an invalid truncation side", error: "Setting",
        says: &["tokenizer_config.json", "truncation_side is \"up\"", "\"left\" or \"right\""],
        damage: |folder| fs::write(folder.join("tokenizer_config.json"), r#"{"truncation_side": "up"}"#).unwrap() },
    Broken { fixture: "bert_classes", how: "a flag that is not a boolean", error: "FieldType",
        says: &["tokenizer_config.json", "split_special_tokens", "integer `1`, expected a boolean"],
        damage: |folder| fs::write(folder.join("tokenizer_config.json"), r#"{"split_special_tokens": 1}"#).unwrap() },
    Broken { fixture: "bert_classes", how: "an added token without its text", error: "FieldType",
        says: &["tokenizer_config.json", "added_tokens_decoder", "a token must be a string, or an object with its content"],
        damage: |folder| fs::write(folder.join("tokenizer_config.json"), r#"{"added_tokens_decoder": {"41": {"special": true}}}"#).unwrap() },
    Broken { fixture: "bert_classes", how: "an added token without an embedding", error: "Vocabulary",
        says: &["tokenizer_config.json defines 42 tokens", "only 41 embeddings", "vocab_size"],
        damage: |folder| fs::write(folder.join("tokenizer_config.json"), r#"{"added_tokens_decoder": {"41": {"content": "<user>"}}}"#).unwrap() },
    Broken { fixture: "bert_classes", how: "an added token without an embedding in an older file", error: "Vocabulary",
        says: &["added_tokens.json defines 42 tokens", "only 41 embeddings"],
        damage: |folder| fs::write(folder.join("added_tokens.json"), r#"{"<user>": 41}"#).unwrap() },
    Broken { fixture: "bert_classes", how: "an older file that is not a JSON object", error: "Json", says: &["special_tokens_map.json"],
        damage: |folder| fs::write(folder.join("special_tokens_map.json"), "[]").unwrap() },
];

fn refusal(folder: &Path) -> ModelError {
    LARGEST.set(0);
    let error = Pretrained::<SequenceClassifier>::read(folder, &Device::flex())
        .expect_err("the folder is broken");
    assert!(
        LARGEST.get() < MUCH,
        "allocated {} bytes at once",
        LARGEST.get()
    );
    assert!(
        error.to_string().contains(folder.to_str().unwrap()),
        "the message contains the path"
    );
    error
}

#[test]
fn the_error_of_a_broken_folder_names_the_file_and_the_defect() {
    for Broken {
        fixture,
        how,
        damage,
        error,
        says,
    } in BROKEN
    {
        let folder = copy(fixture);
        damage(folder.path());
        let found = refusal(folder.path());
        assert_eq!(variant(&found), *error, "{how}");
        let message = found.to_string();
        assert!(
            says.iter().all(|part| message.contains(part)),
            "{how}: {message}"
        );
        if let ModelError::MissingTensors { keys, .. } = found {
            assert!(
                keys.is_sorted_by(|key, next| key < next),
                "{how}: every tensor is listed once"
            );
        }
    }
}

fn variant(error: &ModelError) -> String {
    format!("{error:?}")
        .chars()
        .take_while(|letter| letter.is_alphanumeric())
        .collect()
}

#[test]
fn a_truncated_checkpoint_is_an_error() {
    for name in ["bert_classes", "gpt2_classes"] {
        let folder = copy(name);
        let path = folder.path().join("model.safetensors");
        let whole = fs::read(&path).unwrap();
        for length in (0..whole.len()).step_by(97) {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(
                variant(&refusal(folder.path())),
                "Checkpoint",
                "cut to {length} bytes"
            );
        }
    }
}
