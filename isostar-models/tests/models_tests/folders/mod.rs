//! Round trips of model folders: reading and writing preserves the model, with every head.

mod for_transformers;
mod heads;
mod unusual;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{ARCHITECTURES, change_json, copy, fixture, floats, read_json, read_tensors};
use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::prelude::*;
use isostar_models::{
    Encoder, Labels, ModelError, Pretrained, PretrainedModel, ProblemType, SequenceClassifier,
    SpanExtractor,
};
use safetensors::Dtype;
use serde_json::json;
use tempfile::TempDir;
use tokenizers::TruncationDirection;

const CLASSIFIERS: [&str; 3] = ["classes", "regression", "multi_label"];

fn read<M: PretrainedModel>(folder: impl AsRef<Path>) -> Pretrained<M> {
    Pretrained::read(folder, &Device::flex()).unwrap()
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.file_name().unwrap().into(), fs::read(&path).unwrap()))
        .collect()
}

/// Writes a model, reads it, and writes it again.
fn round_trip<M: PretrainedModel>(pretrained: &Pretrained<M>) -> TempDir {
    let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    pretrained.write(one.path()).unwrap();
    let again = read::<M>(one.path());
    assert!(again.fresh.is_empty());
    again.write(other.path()).unwrap();
    assert!(
        files(one.path()) == files(other.path()),
        "the same model is written as the same bytes"
    );
    one
}

/// The tensors with the names that `write` uses. The first BERT checkpoints have other names.
fn modern(folder: &Path, prefix: &str) -> BTreeMap<String, (Vec<usize>, Vec<u32>)> {
    let of_the_encoder =
        |name: &String| !name.ends_with("position_ids") && !name.contains("pooler");
    let rename = |name: String| match name.starts_with(prefix) {
        true => name,
        false => format!(
            "{prefix}{}",
            name.replace("gamma", "weight").replace("beta", "bias")
        ),
    };
    let tensors = read_tensors(folder)
        .into_iter()
        .filter(|(name, _)| of_the_encoder(name));
    tensors
        .map(|(name, (dtype, shape, bytes))| (rename(name), (shape, bits(dtype, &bytes))))
        .collect()
}

fn bits(dtype: Dtype, bytes: &[u8]) -> Vec<u32> {
    floats(dtype, bytes).into_iter().map(f32::to_bits).collect()
}

fn comes_back<M: PretrainedModel>(name: &str) {
    let (source, pretrained) = (fixture(name), read::<M>(fixture(name)));
    assert!(pretrained.fresh.is_empty());
    let target = round_trip(&pretrained);
    assert!(
        read_tensors(&source) == read_tensors(target.path()),
        "{name}: tensors differ"
    );

    let mut config = read_json(&source.join("config.json"));
    config["torch_dtype"] = json!("float32");
    assert_eq!(
        read_json(&target.path().join("config.json")),
        config,
        "{name}"
    );
    let [tokenizer, written] =
        [&source, target.path()].map(|folder| read_json(&folder.join("tokenizer.json")));
    assert_eq!(written, tokenizer, "{name}");
    let settings = read_json(&target.path().join("tokenizer_config.json"));
    let padding = config["pad_token_id"].as_u64().unwrap();
    assert_eq!(
        tokenizer["model"]["vocab"][settings["pad_token"].as_str().unwrap()],
        padding,
        "{name}"
    );
    assert_eq!(settings["model_max_length"], 12, "{name}");
    let has_segments = settings["model_input_names"]
        .as_array()
        .unwrap()
        .contains(&json!("token_type_ids"));
    assert_eq!(
        has_segments,
        pretrained.config.sizes().segments > 1,
        "{name}: the inputs that transformers passes for a pair"
    );
}

#[test]
fn reading_and_writing_a_model_preserves_every_bit() {
    for architecture in ARCHITECTURES {
        CLASSIFIERS
            .into_iter()
            .for_each(|head| comes_back::<SequenceClassifier>(&format!("{architecture}_{head}")));
        comes_back::<SpanExtractor>(&format!("{architecture}_span"));
    }
    comes_back::<SequenceClassifier>("xlm-roberta_classes");
    assert_eq!(
        read_json(&fixture("bert_classes/config.json"))["note"],
        "kept",
        "an unknown field is preserved"
    );
}

#[test]
fn encoders_are_written_with_their_prefix_in_f32() {
    let names = [
        ("bert_bare", "bert.", "BertModel"),
        ("bert_half", "bert.", "BertModel"),
        ("bert_bf16", "bert.", "BertModel"),
        ("roberta_types", "roberta.", "RobertaModel"),
        ("distilbert_relu", "distilbert.", "DistilBertModel"),
        ("albert_groups", "albert.", "AlbertModel"),
        ("gpt2_scaled", "transformer.", "GPT2Model"),
    ];
    for (name, prefix, class) in names {
        let target = round_trip(&read::<Encoder>(fixture(name)));
        assert!(
            read_tensors(target.path())
                .values()
                .all(|(dtype, ..)| *dtype == Dtype::F32)
        );
        assert!(
            modern(&fixture(name), prefix) == modern(target.path(), prefix),
            "{name}"
        );
        let config = read_json(&target.path().join("config.json"));
        assert_eq!(
            (&config["architectures"], &config["dtype"]),
            (&json!([class]), &json!("float32"))
        );
    }
}

#[test]
fn shards_are_written_as_one_file() {
    let source = fixture("bert_sharded");
    let target = round_trip(&read::<SequenceClassifier>(&source));
    assert!(read_tensors(&source) == read_tensors(target.path()));
    let names = [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    .map(PathBuf::from);
    assert!(files(target.path()).into_keys().eq(names));
}

#[test]
fn an_encoder_can_be_read_from_every_folder() {
    for entry in fs::read_dir(fixture("")).unwrap() {
        let folder = entry.unwrap().path();
        if folder.join("config.json").exists() {
            assert!(
                read::<Encoder>(&folder).fresh.is_empty(),
                "{}",
                folder.display()
            );
        }
    }
}

#[test]
fn a_named_special_token_without_an_embedding_is_not_added() {
    let folder = copy("bert_classes");
    let settings = json!({"pad_token": "w9", "mask_token": "<mask>", "url_token": {"content": "<url>"}, "extra_special_tokens": ["<user>"]});
    fs::write(
        folder.path().join("tokenizer_config.json"),
        settings.to_string(),
    )
    .unwrap();
    let tokenizer = read::<Encoder>(folder.path()).tokenizer;
    for token in ["<mask>", "<url>", "<user>"] {
        assert_eq!(tokenizer.token_to_id(token), None, "{token}");
    }
    assert!(
        tokenizer.get_added_vocabulary().is_special_token("w9"),
        "a token of the vocabulary becomes a special token"
    );
}

#[test]
fn a_stored_truncation_leaves_room_for_the_special_tokens() {
    let folder = copy("bert_classes");
    change_json(&folder.path().join("tokenizer.json"), |tokenizer| {
        tokenizer["truncation"] =
            json!({"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0});
    });
    fs::write(
        folder.path().join("tokenizer_config.json"),
        r#"{"truncation_side": "left"}"#,
    )
    .unwrap();
    let tokenizer = read::<Encoder>(folder.path()).tokenizer;
    let truncation = tokenizer.get_truncation().unwrap();
    assert_eq!(
        (truncation.direction, truncation.max_length),
        (TruncationDirection::Left, 3),
        "a pair has three special tokens"
    );
}

#[test]
fn writing_over_a_folder_replaces_the_model_and_keeps_the_rest() {
    let folder = copy("bert_classes");
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let before = files(folder.path());
    let labels = Labels::new(["bad", "fair", "good"], ProblemType::SingleLabel);
    Pretrained::read_for(folder.path(), labels, &Device::flex())
        .unwrap()
        .write(folder.path())
        .unwrap();
    assert_eq!(
        read::<SequenceClassifier>(folder.path())
            .config
            .labels()
            .names(),
        ["bad", "fair", "good"]
    );
    let after = files(folder.path());
    assert_eq!(
        after.len(),
        before.len() + 1,
        "tokenizer_config.json is the only new file"
    );
    assert!(
        ["notes.txt", "expected.safetensors"]
            .map(Path::new)
            .iter()
            .all(|file| after[*file] == before[*file])
    );
}

#[test]
fn a_failed_write_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    let pretrained = read::<SequenceClassifier>(fixture("gpt2_classes"));
    assert!(matches!(
        pretrained.write(file.join("model")),
        Err(ModelError::Io { .. })
    ));
    assert!(matches!(
        pretrained.write(&file),
        Err(ModelError::Io { .. })
    ));
    assert!(
        files(folder.path())
            .into_iter()
            .eq([("file".into(), b"not a folder".to_vec())])
    );
    pretrained.write(folder.path().join("runs/model")).unwrap();
    assert_eq!(
        fs::read_dir(folder.path().join("runs")).unwrap().count(),
        1,
        "nothing temporary is left"
    );
}

/// Counts matrices and vectors, and asserts that the group of biases and norms contains exactly the
/// vectors.
struct Counter(ParamGroup, Vec<String>, [usize; 2]);

impl ModuleVisitor for Counter {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.1.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.1.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let chosen = self.0.matches(&param.id, Some(&self.1.join(".")));
        assert_eq!(chosen, D == 1, "{}", self.1.join("."));
        self.2[usize::from(chosen)] += 1;
    }
}

#[test]
fn parameter_groups_select_biases_and_norms_by_name() {
    // Embedding tables, layers and head. Each layer of GPT-2 has three projections that are stored
    // as one tensor.
    let counts = [
        [3 + 2 * 6 + 2, 2 + 2 * 10 + 2],
        [17, 24],
        [2 + 12 + 2, 24],
        [4 + 6 + 2, 3 + 10 + 2],
        [2 + 12 + 1, 2 + 20],
    ];
    for (architecture, count) in ARCHITECTURES.into_iter().zip(counts) {
        let mut counter = Counter(
            ParamGroup::from_regex(r"(^|\.)(bias|beta|gamma)$").unwrap(),
            Vec::new(),
            [0, 0],
        );
        read::<SequenceClassifier>(fixture(&format!("{architecture}_classes")))
            .model
            .visit(&mut counter);
        assert_eq!(counter.2, count, "{architecture}");
    }
}
