//! Model folders: what is read comes back as it was, and what is broken is named.

mod common;

use std::fs;
use std::path::Path;

use burn::module::ParamGroup;
use burn::prelude::*;
use common::{Expected, fixture, values};
use isostar_models::{BertConfig, ModelError, Pretrained, SequenceClassifier, TokenBatch};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A copy of the classifier's folder, to be damaged.
fn copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(fixture("classifier").join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn change_config(folder: &Path, field: &str, value: Value) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config[field] = value;
    fs::write(path, config.to_string()).unwrap();
}

/// Rewrites the checkpoint with what `change` makes of each tensor's name; `None` drops it.
fn rename_tensors(folder: &Path, change: impl Fn(&str) -> Option<String>) {
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let kept: Vec<(String, TensorView)> = tensors.iter().filter_map(|(name, view)| Some((change(name)?, view))).collect();
    fs::write(path, safetensors::serialize(kept, None).unwrap()).unwrap();
}

fn refusal(folder: &Path) -> ModelError {
    let error = Pretrained::read(folder, &Device::flex()).expect_err("the folder is broken");
    println!("{error}\n  -> {}", error.remedy());
    assert!(!error.remedy().is_empty());
    error
}

fn setting_refused(field: &'static str, value: Value) -> String {
    let folder = copy();
    change_config(folder.path(), field, value);
    match refusal(folder.path()) {
        ModelError::Setting { path: Some(path), field: found, value, .. } => {
            assert_eq!((path, found), (folder.path().join("config.json"), field));
            value
        }
        other => panic!("expected a refused setting, got {other}"),
    }
}

#[test]
fn a_missing_folder_is_named() {
    assert!(matches!(refusal(Path::new("/no/such/model")), ModelError::NoFolder { path } if path.ends_with("model")));
}

#[test]
fn each_missing_file_is_named() {
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let folder = copy();
        fs::remove_file(folder.path().join(name)).unwrap();
        assert!(matches!(refusal(folder.path()), ModelError::NoFile { path } if path.ends_with(name)));
    }
}

#[test]
fn a_pickle_alone_is_refused_with_the_way_to_convert_it() {
    let folder = copy();
    fs::rename(folder.path().join("model.safetensors"), folder.path().join("pytorch_model.bin")).unwrap();
    let error = refusal(folder.path());
    assert!(matches!(error, ModelError::PickleOnly { .. }));
    assert!(error.remedy().contains("save_pretrained"));
}

#[test]
fn another_architecture_is_named_beside_what_is_supported() {
    let folder = copy();
    change_config(folder.path(), "model_type", json!("t5"));
    let error = refusal(folder.path());
    assert!(matches!(&error, ModelError::ModelType { found, .. } if found == "t5"));
    assert!(error.to_string().contains("supported: bert"));
}

#[test]
fn a_configuration_that_is_no_json_is_named() {
    let folder = copy();
    fs::write(folder.path().join("config.json"), "{\"model_type\": \"be").unwrap();
    assert!(matches!(refusal(folder.path()), ModelError::Json { .. }));
    fs::write(folder.path().join("config.json"), r#"{"model_type": "bert", "hidden_size": "wide"}"#).unwrap();
    assert!(matches!(refusal(folder.path()), ModelError::Json { .. }));
}

#[test]
fn settings_that_cannot_be_honoured_are_named_with_their_values() {
    assert_eq!(setting_refused("hidden_act", json!("mish")), "\"mish\"");
    assert_eq!(setting_refused("position_embedding_type", json!("relative_key")), "\"relative_key\"");
    assert_eq!(setting_refused("num_attention_heads", json!(0)), "0");
    assert_eq!(setting_refused("hidden_size", json!(26)), "26");
    assert_eq!(setting_refused("hidden_dropout_prob", json!(1.0)), "1");
    assert_eq!(setting_refused("layer_norm_eps", json!(-1.0)), "-1");
    assert_eq!(setting_refused("pad_token_id", json!(61)), "61");
    assert_eq!(setting_refused("is_decoder", json!(true)), "true");
    setting_refused("id2label", json!({"0": "no", "2": "yes"}));
}

#[test]
fn a_checkpoint_cut_short_anywhere_is_an_error() {
    let folder = copy();
    let path = folder.path().join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    for length in [0, 4, 8, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(refusal(folder.path()), ModelError::Checkpoint { .. }), "cut to {length} bytes");
    }
    fs::write(&path, vec![0xff; 1000]).unwrap();
    assert!(matches!(refusal(folder.path()), ModelError::Checkpoint { .. }));
}

#[test]
fn a_missing_tensor_is_named() {
    let folder = copy();
    let key = "bert.encoder.layer.1.output.dense.bias";
    rename_tensors(folder.path(), |name| (name != key).then(|| name.to_string()));
    assert!(matches!(refusal(folder.path()), ModelError::MissingTensors { keys, .. } if keys == [key]));
}

#[test]
fn half_a_classifier_is_not_taken_for_none() {
    let folder = copy();
    rename_tensors(folder.path(), |name| (name != "classifier.bias").then(|| name.to_string()));
    assert!(matches!(refusal(folder.path()), ModelError::MissingTensors { keys, .. } if keys == ["classifier.bias"]));
}

#[test]
fn a_tensor_without_a_place_is_named() {
    let folder = copy();
    change_config(folder.path(), "num_hidden_layers", json!(2));
    let error = refusal(folder.path());
    assert!(matches!(&error, ModelError::UnexpectedTensors { keys, .. } if keys.len() == 16));
    assert!(error.to_string().ends_with("and 12 more"));
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let folder = copy();
    change_config(folder.path(), "intermediate_size", json!(40));
    match refusal(folder.path()) {
        ModelError::TensorShape { key, expected, found, .. } => {
            assert_eq!(key, "bert.encoder.layer.0.intermediate.dense.weight");
            assert_eq!((expected, found), (vec![40, 24], vec![37, 24]));
        }
        other => panic!("expected a misshapen tensor, got {other}"),
    }
}

#[test]
fn integers_are_no_weights() {
    let folder = copy();
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let views: Vec<(String, TensorView)> = tensors
        .iter()
        .map(|(name, view)| (name.to_string(), TensorView::new(Dtype::I32, view.shape().to_vec(), view.data()).unwrap()))
        .collect();
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    assert!(matches!(refusal(folder.path()), ModelError::TensorType { found: Dtype::I32, .. }));
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let folder = copy();
    fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
    assert!(matches!(refusal(folder.path()), ModelError::Tokenizer { .. }));

    let folder = copy();
    let path = folder.path().join("tokenizer.json");
    let larger = fs::read_to_string(&path).unwrap().replace("\"w60\": 60", "\"w60\": 70").replace("\"w60\":60", "\"w60\":70");
    fs::write(&path, larger).unwrap();
    assert!(matches!(refusal(folder.path()), ModelError::Vocabulary { tokens: 71, rows: 61, .. }));
}

/// The tensors of a checkpoint by name: shape and bytes.
fn tensors(folder: &Path) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = tensors.iter().map(|(name, view)| (name.to_string(), view.shape().to_vec(), view.data().to_vec())).collect();
    all.sort();
    all
}

#[test]
fn what_is_read_and_written_is_the_same_to_the_bit() {
    let source = fixture("classifier");
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("runs/model");
    Pretrained::read(&source, &Device::flex()).unwrap().write(&target).unwrap();

    assert_eq!(tensors(&source), tensors(&target));
    let config = |folder: &Path| -> Value { serde_json::from_slice(&fs::read(folder.join("config.json")).unwrap()).unwrap() };
    let mut expected = config(&source);
    expected["torch_dtype"] = json!("float32");
    assert_eq!(config(&target), expected);
    let again = Pretrained::read(&target, &Device::flex()).unwrap();
    assert_eq!(again.tokenizer.get_vocab_size(true), 61);
    assert_eq!(again.tokenizer_config["pad_token"], "[PAD]");
    assert_eq!(fs::read_dir(folder.path().join("runs")).unwrap().count(), 1, "nothing temporary is left");
}

#[test]
fn writing_over_a_folder_replaces_the_model_and_keeps_the_rest() {
    let folder = copy();
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let mut pretrained = Pretrained::read(folder.path(), &Device::flex()).unwrap();
    pretrained.config = pretrained.config.with_labels(["bad", "fair", "good"]);
    pretrained.write(folder.path()).unwrap();
    assert_eq!(Pretrained::read(folder.path(), &Device::flex()).unwrap().config.labels(), ["bad", "fair", "good"]);
    assert_eq!(fs::read_to_string(folder.path().join("notes.txt")).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5, "three files, a new tokenizer_config.json, and the notes");
}

#[test]
fn a_failed_write_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    let pretrained = Pretrained::read(fixture("classifier"), &Device::flex()).unwrap();
    assert!(matches!(pretrained.write(file.join("model")), Err(ModelError::Io { .. })));
    assert!(matches!(pretrained.write(&file), Err(ModelError::Io { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a folder");
}

#[test]
fn other_labels_make_a_fresh_classifier_of_their_number() {
    let device = Device::flex();
    let regression = Pretrained::read_with_labels(fixture("classifier"), ["score"], &device).unwrap();
    assert_eq!(regression.fresh, ["classifier.weight", "classifier.bias"]);
    assert_eq!(regression.config.problem_type.as_deref(), Some("regression"));
    let batch = Expected::read("classifier/expected.safetensors").batch(&device);
    assert_eq!(regression.model.forward(batch).0.dims(), [3, 1]);

    let renamed = Pretrained::read_with_labels(fixture("classifier"), ["a", "b", "c"], &device).unwrap();
    assert!(renamed.fresh.is_empty());
    assert_eq!(renamed.config.labels(), ["a", "b", "c"]);
}

#[test]
fn fresh_weights_are_those_of_transformers() {
    let device = Device::flex();
    let config = BertConfig {
        vocab_size: 500,
        hidden_size: 64,
        num_hidden_layers: 1,
        num_attention_heads: 4,
        initializer_range: 0.02,
        pad_token_id: Some(3),
        ..BertConfig::default()
    };
    let model = SequenceClassifier::new(&config, &device).unwrap();
    let word = values(model.encoder.embeddings.word.weight.val());
    assert!(word[3 * 64..4 * 64].iter().all(|weight| *weight == 0.0), "the padding token's row is zero");
    // Of 31,936 numbers: the standard error of the mean is 1.1e-4, that of the deviation 8e-5.
    let mean = word.iter().sum::<f32>() / word.len() as f32;
    let deviation = (word.iter().map(|weight| weight * weight).sum::<f32>() / (word.len() - 64) as f32).sqrt();
    assert!(mean.abs() < 5e-4, "{mean}");
    assert!((deviation - 0.02).abs() < 4e-4, "{deviation}");

    let layer = &model.encoder.layers[0];
    let biases = [&layer.attention.query, &layer.feed_forward.inner, &model.pooler, &model.classifier];
    assert!(biases.iter().all(|linear| values(linear.bias.as_ref().unwrap().val()).iter().all(|bias| *bias == 0.0)));
    assert!(values(layer.attention_norm.gamma.val()).iter().all(|gamma| *gamma == 1.0));
    assert!(values(layer.attention_norm.beta.as_ref().unwrap().val()).iter().all(|beta| *beta == 0.0));
}

#[test]
fn biases_and_norms_can_be_told_from_weights_by_name() {
    let model = Pretrained::read(fixture("classifier"), &Device::flex()).unwrap().model;
    let without_decay = ParamGroup::from_regex(r"(^|\.)(bias|beta|gamma)$").unwrap();
    struct Counter(ParamGroup, Vec<String>, [usize; 2]);
    impl burn::module::ModuleVisitor for Counter {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.1.push(name.to_string());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.1.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            let chosen = self.0.matches(&param.id, Some(&self.1.join(".")));
            assert_eq!(chosen, D == 1, "{}", self.1.join("."));
            self.2[usize::from(chosen)] += 1;
        }
    }
    let mut counter = Counter(without_decay, Vec::new(), [0, 0]);
    model.visit(&mut counter);
    assert_eq!(counter.2, [3 + 3 * 6 + 2, 2 + 3 * 10 + 2]);
}

#[test]
#[should_panic(expected = "the model has 16 positions (max_position_embeddings), got 17 tokens")]
fn more_tokens_than_positions_panic_with_both_numbers() {
    let device = Device::flex();
    let model = Pretrained::read(fixture("classifier"), &device).unwrap().model;
    model.forward(TokenBatch::unpadded(Tensor::ones([1, 17], &device)));
}

#[test]
fn dropout_is_on_in_training_and_off_in_evaluation() {
    let device = Device::flex().autodiff();
    let model = Pretrained::read(fixture("classifier"), &device).unwrap().model;
    let logits = |model: &SequenceClassifier, device: &Device| {
        values(model.forward(Expected::read("classifier/expected.safetensors").batch(device)).0)
    };
    assert_ne!(logits(&model, &device), logits(&model, &device));
    let valid = model.valid();
    let plain = Device::flex();
    assert_eq!(logits(&valid, &plain), logits(&valid, &plain));
}
