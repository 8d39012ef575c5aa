//! Round trips of model folders: reading and writing preserves the model, with every head.

mod unusual;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{
    ARCHITECTURES, Expected, Tensors, change_json, copy, fixture, floats, read_json, read_tensors,
    set, values, write_tensors,
};
use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::prelude::*;
use isostar_models::{
    AlbertConfig, BertConfig, DistilBertConfig, Encoder, Gpt2Config, Labels, ModelConfig,
    ModelError, Pretrained, PretrainedModel, ProblemType, RobertaConfig, SequenceClassifier,
    SpanExtractor,
};
use safetensors::Dtype;
use serde_json::{Value, json};
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

/// The names of a module's tensors in a checkpoint.
fn parameters(modules: &[&str]) -> Vec<String> {
    modules
        .iter()
        .flat_map(|module| [format!("{module}.weight"), format!("{module}.bias")])
        .collect()
}

/// The tensors of the classifier before its output layer, and those of the output layer.
fn classifier(architecture: &str) -> (Vec<String>, Vec<String>) {
    match architecture {
        "bert" => (
            parameters(&["bert.pooler.dense"]),
            parameters(&["classifier"]),
        ),
        "roberta" => (
            parameters(&["classifier.dense"]),
            parameters(&["classifier.out_proj"]),
        ),
        "distilbert" => (parameters(&["pre_classifier"]), parameters(&["classifier"])),
        "albert" => (parameters(&["albert.pooler"]), parameters(&["classifier"])),
        _ => (Vec::new(), vec!["score.weight".to_string()]),
    }
}

#[test]
fn a_head_that_is_not_stored_is_newly_initialized_and_listed() {
    for architecture in ARCHITECTURES {
        let (dense, output) = classifier(architecture);
        let found = read::<SequenceClassifier>(fixture(&format!("{architecture}_span")));
        assert_eq!(found.fresh, [dense, output].concat(), "{architecture}");
        round_trip(&found);
        let found = read::<SpanExtractor>(fixture(&format!("{architecture}_classes")));
        assert_eq!(found.fresh, parameters(&["qa_outputs"]), "{architecture}");
        let written = read_json(&round_trip(&found).path().join("config.json"));
        assert!(
            written["id2label"].is_null(),
            "a span extractor has two outputs, not three"
        );
    }
    assert_eq!(
        read::<SequenceClassifier>(fixture("albert_pretraining")).fresh,
        parameters(&["classifier"]),
        "the pooler is stored"
    );
}

#[test]
fn another_number_of_labels_makes_a_new_output_layer() {
    let device = Device::flex();
    for architecture in ARCHITECTURES {
        let name = format!("{architecture}_classes");
        let batch = Expected::read(&format!("{name}/expected.safetensors")).batch(&device);
        let stored = read::<SequenceClassifier>(fixture(&name));

        let regression = Pretrained::read_with_labels(fixture(&name), ["score"], &device).unwrap();
        let output = classifier(architecture).1;
        assert_eq!(regression.fresh, output);
        assert_eq!(
            regression.config.labels().problem(),
            ProblemType::Regression
        );
        assert_eq!(regression.model.forward(batch.clone()).0.dims(), [3, 1]);
        let [before, after] =
            [&stored, &regression].map(|pretrained| read_tensors(round_trip(pretrained).path()));
        for (key, tensor) in &before {
            assert_eq!(
                after.get(key) == Some(tensor),
                !output.contains(key),
                "{key}"
            );
        }

        let renamed =
            Pretrained::read_with_labels(fixture(&name), ["a", "b", "c"], &device).unwrap();
        assert!(renamed.fresh.is_empty());
        assert_eq!(renamed.config.labels().names(), ["a", "b", "c"]);
        assert_eq!(
            values(renamed.model.forward(batch.clone()).0),
            values(stored.model.forward(batch).0)
        );
    }
}

#[test]
fn the_type_of_problem_is_written_to_the_configuration() {
    for architecture in ARCHITECTURES {
        let labels = Labels::new(["a", "b", "c"], ProblemType::MultiLabel);
        let pretrained = Pretrained::read_for(
            fixture(&format!("{architecture}_classes")),
            labels,
            &Device::flex(),
        )
        .unwrap();
        assert!(
            pretrained.fresh.is_empty(),
            "the stored classifier has three outputs"
        );
        let config = read_json(&round_trip(&pretrained).path().join("config.json"));
        assert_eq!(config["problem_type"], "multi_label_classification");
        assert_eq!(
            (&config["id2label"]["2"], &config["label2id"]["c"]),
            (&json!("c"), &json!(2))
        );
    }
}

#[test]
fn unnamed_labels_are_named_when_written() {
    let folder = copy("albert_multi_label");
    ["id2label", "label2id"]
        .into_iter()
        .for_each(|field| set(folder.path(), field, Value::Null));
    set(folder.path(), "num_labels", json!(3));
    let pretrained = read::<SequenceClassifier>(folder.path());
    let config = read_json(&round_trip(&pretrained).path().join("config.json"));
    assert_eq!(
        config["id2label"],
        json!({"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"})
    );
    assert_eq!(
        (&config["num_labels"], &config["problem_type"]),
        (&Value::Null, &json!("multi_label_classification"))
    );
}

#[test]
fn the_configuration_of_a_gpt2_classifier_names_a_padding_token() {
    let written = |folder: &Path| {
        let pretrained = Pretrained::read_with_labels(folder, ["a", "b"], &Device::flex()).unwrap();
        let target = round_trip(&pretrained);
        let [config, tokenizer] = ["config.json", "tokenizer_config.json"]
            .map(|file| read_json(&target.path().join(file)));
        (
            config["pad_token_id"].clone(),
            tokenizer["pad_token"].clone(),
        )
    };
    let folder = copy("gpt2_lm");
    assert_eq!(
        written(folder.path()),
        (json!(0), json!("<pad>")),
        "the padding token of the tokenizer"
    );
    fs::write(
        folder.path().join("tokenizer_config.json"),
        r#"{"pad_token": null}"#,
    )
    .unwrap();
    assert_eq!(
        written(folder.path()),
        (json!(40), json!("w40")),
        "otherwise the end-of-text token"
    );
    set(folder.path(), "eos_token_id", json!(50_256));
    assert_eq!(
        written(folder.path()),
        (Value::Null, Value::Null),
        "the end-of-text token must be in the model's vocabulary"
    );

    let encoder = round_trip(&read::<Encoder>(fixture("gpt2_lm")));
    assert!(read_json(&encoder.path().join("config.json"))["pad_token_id"].is_null());
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

/// Run `ISOSTAR_OUT=FOLDER cargo test --workspace --test folders -- --ignored`, then
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
