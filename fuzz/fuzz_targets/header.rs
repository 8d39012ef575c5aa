//! model.safetensors in the folder of a BERT with one layer of width 2.

#![no_main]

use std::sync::LazyLock;

use burn::prelude::*;
use isostar_fuzz::{Folder, bounded, check_error};
use isostar_models::{Encoder, ModelError, Pretrained};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

const CONFIG: &str = r#"{
    "model_type": "bert", "vocab_size": 41, "hidden_size": 2, "num_hidden_layers": 1, "num_attention_heads": 1,
    "intermediate_size": 3, "max_position_embeddings": 4, "type_vocab_size": 1
}"#;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new("header");
    folder.write("config.json", CONFIG.as_bytes());
    folder.copy("bert_classes", "tokenizer.json");
    folder
});

fuzz_target!(|content: &[u8]| {
    let folder = &*FOLDER;
    folder.write("model.safetensors", content);
    let read: Result<Pretrained<Encoder>, ModelError> = bounded(content.len(), || {
        Pretrained::read(folder.path(), &Device::flex())
    });
    let whole = SafeTensors::deserialize(content);
    match read {
        Ok(pretrained) => {
            whole.expect("what was read is a safetensors file");
            assert!(pretrained.fresh.is_empty(), "an encoder has no head");
        }
        Err(error) => {
            assert!(
                !matches!(error, ModelError::Checkpoint { .. }) || whole.is_err(),
                "{error}"
            );
            check_error(&error);
        }
    }
});

// Mutations of bytes invalidate the length of the header and its offsets, which are therefore
// repaired.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let parts = data[..size]
        .split_first_chunk()
        .and_then(|(length, rest)| rest.split_at_checked(u64::from_le_bytes(*length) as usize));
    let (Some((header, numbers)), false) = (parts, seed.is_multiple_of(4)) else {
        return fuzzer_mutate(data, size, max_size);
    };

    let mut numbers = numbers.to_vec();
    let mut header = header.to_vec();
    let length = header.len();
    header.resize(max_size.saturating_sub(8 + numbers.len()).max(length), 0);
    let room = header.len();
    let length = fuzzer_mutate(&mut header, length, room);
    header.truncate(length);
    if !seed.is_multiple_of(3) {
        if let Some((mended, bytes)) = mended(&header) {
            header = mended;
            numbers.resize(bytes, 0);
        }
    }
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &numbers].concat();
    let size = file.len().min(max_size);
    data[..size].copy_from_slice(&file[..size]);
    size
});

/// The header with offsets that are consistent with types and shapes, and the number of bytes of
/// data.
fn mended(header: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut header: Value = serde_json::from_slice(header).ok()?;
    let mut offset: usize = 0;
    for (_, tensor) in header
        .as_object_mut()?
        .iter_mut()
        .filter(|(name, _)| *name != "__metadata__")
    {
        let dtype: Dtype = serde_json::from_value(tensor.get("dtype")?.clone()).ok()?;
        let shape: Vec<usize> = serde_json::from_value(tensor.get("shape")?.clone()).ok()?;
        let count = shape.into_iter().try_fold(1usize, usize::checked_mul)?;
        let end = offset.checked_add(count.checked_mul(dtype.bitsize())? / 8)?;
        tensor["data_offsets"] = json!([offset, end]);
        offset = end;
    }
    (offset < 1 << 16).then(|| (header.to_string().into_bytes(), offset))
}
