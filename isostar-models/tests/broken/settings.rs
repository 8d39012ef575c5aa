//! Settings of config.json that no model can have: each error names the field, its value, and what is
//! allowed.

use burn::prelude::*;
use isostar_models::{Labels, ModelConfig, ModelError, Pretrained, ProblemType};

use super::common::{copy, fixture, read_json, set};
use super::{refusal, variant};

/// Unsupported values: architecture, field, value in JSON, and a text that the message must also
/// contain.
#[rustfmt::skip]
const SETTINGS: &[(&str, &str, &str, &str)] = &[
    ("bert", "hidden_act", "\"mish\"", "gelu, gelu_new"),
    ("distilbert", "activation", "\"gelu_fast\"", "gelu, gelu_new"),
    ("gpt2", "activation_function", "\"tanh\"", "gelu, gelu_new"),
    ("bert", "is_decoder", "true", "false"),
    ("roberta", "is_decoder", "true", "false"),
    ("roberta", "position_embedding_type", "\"relative_key\"", "absolute"),
    ("albert", "quantization_config", "{\"bits\":4}", "absent"),
    ("distilbert", "pruned_heads", "{\"0\":[1]}", "empty"),
    ("gpt2", "add_cross_attention", "true", "false"),
    ("bert", "num_attention_heads", "0", "between 1"),
    ("albert", "num_hidden_groups", "0", "between 1"),
    ("bert", "num_hidden_layers", "18446744073709551615", "between 1"),
    ("albert", "inner_group_num", "4294967296", "between 1"),
    ("gpt2", "n_embd", "4611686018427387904", "between 1"),
    ("bert", "hidden_size", "18", "a multiple of num_attention_heads, 4"),
    ("albert", "hidden_size", "18", "a multiple of num_attention_heads, 4"),
    ("distilbert", "dim", "18", "a multiple of n_heads, 4"),
    ("gpt2", "n_embd", "18", "a multiple of n_head, 4"),
    ("bert", "pad_token_id", "41", "below vocab_size, 41"),
    ("roberta", "pad_token_id", "null", "the id of a token"),
    ("roberta", "max_position_embeddings", "2", "more than pad_token_id + 1, 2"),
    ("bert", "hidden_dropout_prob", "1.0", "[0, 1)"),
    ("distilbert", "qa_dropout", "-0.5", "[0, 1)"),
    ("gpt2", "resid_pdrop", "1.5", "[0, 1)"),
    ("albert", "layer_norm_eps", "-1.0", "finite"),
    ("bert", "id2label", "{\"0\":\"no\",\"2\":\"yes\"}", "without gaps"),
    ("gpt2", "id2label", "{}", "without gaps"),
    ("bert", "problem_type", "\"ranking\"", "regression"),
];

/// Fields of the wrong type: architecture, field, value in JSON, and a text that the message must
/// also contain.
const TYPES: &[(&str, &str, &str, &str)] = &[
    (
        "bert",
        "hidden_size",
        "\"wide\"",
        "string \"wide\", expected usize",
    ),
    (
        "roberta",
        "vocab_size",
        "-1",
        "integer `-1`, expected usize",
    ),
    (
        "distilbert",
        "activation",
        "3",
        "integer `3`, expected a string",
    ),
    (
        "albert",
        "classifier_dropout_prob",
        "\"0.1\"",
        "string \"0.1\", expected f64",
    ),
    (
        "gpt2",
        "n_layer",
        "2.5",
        "floating point `2.5`, expected usize",
    ),
    (
        "gpt2",
        "problem_type",
        "7",
        "integer `7`, expected a string",
    ),
    (
        "bert",
        "id2label",
        "{\"zero\":\"no\"}",
        "the key \"zero\" is not a number",
    ),
    (
        "roberta",
        "id2label",
        "[\"no\",\"yes\"]",
        "sequence, expected a map",
    ),
    (
        "distilbert",
        "label2id",
        "{\"no\":\"0\"}",
        "string \"0\", expected usize",
    ),
];

fn with_field(architecture: &str, field: &str, value: &str) -> (ModelError, String) {
    let folder = copy(&format!("{architecture}_classes"));
    set(folder.path(), field, serde_json::from_str(value).unwrap());
    let path = folder.path().join("config.json").display().to_string();
    (refusal(folder.path()), path)
}

#[test]
fn the_error_of_an_unsupported_setting_names_its_value_and_the_allowed_ones() {
    for (architecture, field, value, expected) in SETTINGS {
        let (error, path) = with_field(architecture, field, value);
        let message = error.to_string();
        assert_eq!(variant(&error), "Setting", "{message}");
        let (start, end) = message.split_once("; it must be ").unwrap();
        assert!(
            start.starts_with(&format!("{path}: {field} is ")),
            "{message}"
        );
        assert!(end.contains(expected), "{message}");
        // The message formats ids of labels and floats differently from JSON.
        let is_same = field == &"id2label" || value.ends_with(".0") || start.ends_with(value);
        assert!(is_same, "{message} names the value");
    }
}

#[test]
fn the_error_of_a_field_of_the_wrong_type_names_the_field() {
    for (architecture, field, value, expected) in TYPES {
        let (error, path) = with_field(architecture, field, value);
        let message = error.to_string();
        assert_eq!(variant(&error), "FieldType", "{message}");
        assert!(
            message.starts_with(&format!("{path}: {field}: ")),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn errors_of_labels_and_settings_created_in_code_name_no_file() {
    let none = Labels::new(Vec::<String>::new(), ProblemType::SingleLabel);
    let error = Pretrained::read_for(fixture("bert_classes"), none, &Device::flex()).unwrap_err();
    assert!(error.to_string().starts_with("id2label is "), "{error}");

    let fields = read_json(&fixture("gpt2_classes/config.json"));
    let ModelConfig::Gpt2(mut config) =
        ModelConfig::from_json(fields.to_string().as_bytes()).unwrap()
    else {
        panic!("it is a GPT-2")
    };
    config.n_head = 3;
    let error = ModelConfig::Gpt2(config).init(&Device::flex()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "n_embd is 16; it must be a multiple of n_head, 3"
    );
}
