//! Writes models for transformers to read.

use std::fs;
use std::path::{Path, PathBuf};

use burn::prelude::*;
use isostar_models::{
    AlbertConfig, BertConfig, DistilBertConfig, Encoder, Gpt2Config, ModelConfig, Pretrained,
    PretrainedModel, RobertaConfig, SpanExtractor,
};
use safetensors::Dtype;

use super::read;
use crate::common::{ARCHITECTURES, Expected, Tensors, fixture, values, write_tensors};

/// Writes a model, the batch of a fixture and the logits.
fn export<M: PretrainedModel>(
    folder: PathBuf,
    pretrained: &Pretrained<M>,
    batch: &Expected,
    logits: Vec<(&str, Tensor<2>)>,
) {
    pretrained.write(&folder).unwrap();
    let mut tensors = Tensors::new();
    for name in ["ids", "type_ids", "mask"] {
        let data = batch.ints(name, &Device::flex()).into_data();
        let bytes = data.iter::<i64>().flat_map(i64::to_le_bytes).collect();
        tensors.insert(name.to_string(), (Dtype::I64, data.shape().to_vec(), bytes));
    }
    for (name, logits) in logits {
        let shape = logits.dims().to_vec();
        let bytes = values(logits)
            .into_iter()
            .flat_map(f32::to_le_bytes)
            .collect();
        tensors.insert(name.to_string(), (Dtype::F32, shape, bytes));
    }
    write_tensors(&folder.join("logits.safetensors"), &tensors);
}

fn export_both(
    folder: &Path,
    classifier: &Pretrained,
    span: &Pretrained<SpanExtractor>,
    batch: &Expected,
) {
    let input = batch.batch(&Device::flex());
    let logits = vec![("logits", classifier.model.forward(input.clone()).0)];
    export(folder.join("classifier"), classifier, batch, logits);
    let [starts, ends] = span.model.forward(input).0;
    export(
        folder.join("span"),
        span,
        batch,
        vec![("start_logits", starts), ("end_logits", ends)],
    );
}

/// A configuration created in code. For all other fields, transformers must use the same defaults.
fn small(architecture: &str) -> ModelConfig {
    let bert = BertConfig {
        vocab_size: 41,
        hidden_size: 16,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        ..BertConfig::default()
    };
    match architecture {
        "bert" => ModelConfig::Bert(bert),
        "roberta" => ModelConfig::Roberta(RobertaConfig(BertConfig {
            pad_token_id: Some(1),
            ..bert
        })),
        "distilbert" => ModelConfig::DistilBert(DistilBertConfig {
            vocab_size: 41,
            dim: 16,
            n_layers: 2,
            n_heads: 4,
            ..Default::default()
        }),
        "albert" => ModelConfig::Albert(AlbertConfig {
            vocab_size: 41,
            hidden_size: 16,
            num_attention_heads: 4,
            ..Default::default()
        }),
        _ => ModelConfig::Gpt2(Gpt2Config {
            vocab_size: 41,
            n_embd: 16,
            n_layer: 2,
            n_head: 4,
            ..Default::default()
        }),
    }
}

/// Run `ISOSTAR_OUT=FOLDER cargo test --workspace --test models_tests -- --ignored folders::`, then
/// scripts/transformers_round_trip.py FOLDER.
#[test]
#[ignore = "writes models to the folder named by ISOSTAR_OUT, for scripts/transformers_round_trip.py"]
fn models_for_transformers() {
    let out = PathBuf::from(std::env::var_os("ISOSTAR_OUT").expect("ISOSTAR_OUT names a folder"));
    Device::flex().seed(1);
    for entry in fs::read_dir(fixture("")).unwrap() {
        let (folder, name) = (
            entry.as_ref().unwrap().path(),
            entry.unwrap().file_name().into_string().unwrap(),
        );
        if folder.join("config.json").exists() {
            let batch = Expected::read(&format!("{name}/expected.safetensors"));
            export_both(&out.join(name), &read(&folder), &read(&folder), &batch);
        }
    }
    for architecture in ARCHITECTURES {
        let name = format!("{architecture}_classes");
        let (config, tokenizer) = (
            small(architecture),
            read::<Encoder>(fixture(&name)).tokenizer,
        );
        let classifier =
            Pretrained::from_scratch(config.clone(), tokenizer.clone(), &Device::flex()).unwrap();
        let span = Pretrained::from_scratch(config, tokenizer, &Device::flex()).unwrap();
        let batch = Expected::read(&format!("{name}/expected.safetensors"));
        export_both(
            &out.join(format!("{architecture}_fresh")),
            &classifier,
            &span,
            &batch,
        );
    }
}
