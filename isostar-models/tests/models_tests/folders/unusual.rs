//! Folders with a valid model that differ from those that transformers writes today.

use std::fs;
use std::path::Path;

use burn::prelude::*;
use isostar_models::{
    Checkpoint, Encoder, Labels, ModelConfig, ModelError, Pretrained, ProblemType,
    SequenceClassifier, SpanExtractor,
};
use serde_json::{Value, json};

use super::{read, round_trip};
use crate::common::{
    Expected, Tensors, change_json, copy, fixture, read_json, read_tensors, set, values,
    write_tensors,
};

/// A copy of a fixture's folder with changed tensors.
fn with_tensors(name: &str, change: impl FnOnce(Tensors) -> Tensors) -> tempfile::TempDir {
    let folder = copy(name);
    let tensors = change(read_tensors(folder.path()));
    write_tensors(&folder.path().join("model.safetensors"), &tensors);
    folder
}

/// The last layer's states of a fixture's batch.
fn states(name: &str, encoder: &Encoder) -> Vec<f32> {
    let batch = Expected::read(&format!("{name}/expected.safetensors")).batch(&Device::flex());
    let states = encoder.forward(batch);
    values(states.layer(states.depth()).clone())
}

fn states_of(name: &str) -> Vec<f32> {
    states(name, &read::<Encoder>(fixture(name)).model)
}

#[test]
fn invalid_labels_are_an_error_only_for_classifiers() {
    let gaps = json!({"1": "one", "2": "two", "5": "five"});
    for (field, value) in [
        ("id2label", gaps),
        ("id2label", json!({})),
        ("id2label", json!(["no", "yes"])),
        ("id2label", json!({"zero": "no"})),
        ("label2id", json!({"no": "0"})),
        ("problem_type", json!("ranking")),
        ("problem_type", json!(7)),
    ] {
        let folder = copy("bert_classes");
        set(folder.path(), field, value.clone());
        let encoder = read::<Encoder>(folder.path());
        assert_eq!(
            states("bert_classes", &encoder.model),
            states_of("bert_classes"),
            "{field} {value}"
        );
        assert!(
            read::<SpanExtractor>(folder.path())
                .fresh
                .iter()
                .all(|name| name.starts_with("qa_outputs"))
        );
        // The labels in the encoder's configuration are preserved.
        assert_eq!(
            read_json(&round_trip(&encoder).path().join("config.json"))[field],
            value
        );

        let error =
            Pretrained::<SequenceClassifier>::read(folder.path(), &Device::flex()).unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
        // The labels of a task replace those of the model.
        let labels = Labels::new(["a", "b", "c"], ProblemType::SingleLabel);
        let trainable = Pretrained::read_for(folder.path(), labels, &Device::flex()).unwrap();
        assert!(
            trainable.fresh.is_empty(),
            "{field} {value}: the stored classifier has three outputs"
        );
        let written = read_json(&round_trip(&trainable).path().join("config.json"));
        assert_eq!(written["id2label"], json!({"0": "a", "1": "b", "2": "c"}));
        assert_eq!(written["label2id"], json!({"a": 0, "b": 1, "c": 2}));
    }
}

#[test]
fn num_labels_takes_precedence_over_another_number_of_names() {
    let folder = copy("bert_classes");
    set(folder.path(), "num_labels", json!(3));
    assert_eq!(
        read::<SequenceClassifier>(folder.path())
            .config
            .labels()
            .names(),
        ["cold", "mild", "hot"]
    );
    set(folder.path(), "id2label", json!({"0": "no", "1": "yes"}));
    // transformers 5.24 also creates a classifier of three outputs, LABEL_0 to LABEL_2.
    let found = read::<SequenceClassifier>(folder.path());
    assert_eq!(
        found.config.labels().names(),
        ["LABEL_0", "LABEL_1", "LABEL_2"]
    );
    let written = read_json(&round_trip(&found).path().join("config.json"));
    assert_eq!(
        (&written["id2label"]["2"], &written["num_labels"]),
        (&json!("LABEL_2"), &Value::Null)
    );
}

#[test]
fn an_encoder_ignores_an_excessive_number_of_labels() {
    let folder = copy("gpt2_classes");
    change_json(&folder.path().join("config.json"), |config| {
        ["id2label", "label2id"]
            .into_iter()
            .for_each(|field| config[field] = Value::Null);
        config["num_labels"] = json!(u64::MAX);
    });
    let written = round_trip(&read::<Encoder>(folder.path()));
    assert_eq!(
        read_json(&written.path().join("config.json"))["num_labels"],
        json!(u64::MAX)
    );
}

#[test]
fn the_stored_output_layer_decides_whether_a_classifier_is_kept() {
    let folder = copy("bert_classes");
    set(folder.path(), "id2label", json!({"1": "one", "5": "five"}));
    let fresh = |labels: &[&str]| {
        Pretrained::read_with_labels(folder.path(), labels.to_vec(), &Device::flex())
            .unwrap()
            .fresh
    };
    assert!(fresh(&["a", "b", "c"]).is_empty());
    assert_eq!(fresh(&["a", "b"]), ["classifier.weight", "classifier.bias"]);
}

#[test]
fn the_general_name_of_a_setting_takes_precedence() {
    let synonyms = [
        (
            "distilbert",
            vec![
                ("hidden_size", "dim"),
                ("num_hidden_layers", "n_layers"),
                ("num_attention_heads", "n_heads"),
            ],
        ),
        (
            "gpt2",
            vec![
                ("hidden_size", "n_embd"),
                ("num_hidden_layers", "n_layer"),
                ("num_attention_heads", "n_head"),
                ("max_position_embeddings", "n_positions"),
            ],
        ),
    ];
    for (architecture, synonyms) in synonyms {
        let name = format!("{architecture}_classes");
        let expected = states_of(&name);
        for own_value in [None, Some(json!(8)), Some(json!("wide"))] {
            let folder = copy(&name);
            change_json(&folder.path().join("config.json"), |config| {
                for (general, own) in &synonyms {
                    config[*general] = config[*own].clone();
                    config[*own] = own_value.clone().unwrap_or(config[*own].clone());
                }
            });
            let found = read::<Encoder>(folder.path());
            assert_eq!(
                states(&name, &found.model),
                expected,
                "{architecture} with {own_value:?}"
            );
            let written = read_json(&round_trip(&found).path().join("config.json"));
            assert!(
                synonyms
                    .iter()
                    .all(|(general, own)| written[*general].is_null() && written[*own].is_u64()),
                "only the name of the architecture is written"
            );
        }
        let folder = copy(&name);
        synonyms
            .iter()
            .for_each(|(general, _)| set(folder.path(), general, Value::Null));
        assert_eq!(
            states(&name, &read::<Encoder>(folder.path()).model),
            expected,
            "a null value is ignored"
        );
    }
}

#[test]
fn parts_of_names_added_by_pytorch_wrappers_are_ignored() {
    let wrapped = |wrapper: &str| {
        let prefixed = |tensors: Tensors| {
            tensors
                .into_iter()
                .map(|(name, tensor)| (format!("{wrapper}{name}"), tensor))
                .collect()
        };
        with_tensors("bert_classes", prefixed)
    };
    for wrapper in [
        "_orig_mod.",
        "module.",
        "module._orig_mod.",
        "_orig_mod.module.",
    ] {
        let folder = wrapped(wrapper);
        let found = read::<SequenceClassifier>(folder.path());
        assert_eq!(
            (
                found.wrapper.as_deref(),
                found.fresh.len(),
                found.extra.len()
            ),
            (Some(wrapper), 0, 0)
        );
        assert!(
            found.notes().iter().any(|note| note.contains(wrapper)),
            "{:?}",
            found.notes()
        );
        let written = round_trip(&found);
        assert!(
            read_tensors(written.path()) == read_tensors(&fixture("bert_classes")),
            "{wrapper}"
        );
    }
    // A bare encoder has no prefix, and a single module can be wrapped.
    let bare = |tensors: Tensors| {
        tensors
            .into_iter()
            .map(|(name, tensor)| (format!("module.{name}"), tensor))
            .collect()
    };
    assert_eq!(
        states(
            "bert_bare",
            &read::<Encoder>(with_tensors("bert_bare", bare).path()).model
        ),
        states_of("bert_bare")
    );
    let one = |tensors: Tensors| {
        tensors
            .into_iter()
            .map(|(name, tensor)| (name.replace("bert.", "bert._orig_mod."), tensor))
            .collect()
    };
    let found = read::<SequenceClassifier>(with_tensors("bert_classes", one).path());
    assert_eq!(
        (found.wrapper.as_deref(), found.extra.len()),
        (Some("_orig_mod."), 0)
    );
}

#[test]
fn a_wrapped_copy_of_the_weights_is_not_part_of_the_model() {
    let folder = with_tensors("bert_classes", |tensors| {
        let zeros = |(kind, shape, bytes): &(_, Vec<usize>, Vec<u8>)| {
            (*kind, shape.clone(), vec![0; bytes.len()])
        };
        let copies: Tensors = tensors
            .iter()
            .map(|(name, tensor)| (format!("module.{name}"), zeros(tensor)))
            .collect();
        tensors.into_iter().chain(copies).collect()
    });
    let found = read::<SequenceClassifier>(folder.path());
    assert_eq!(
        (found.wrapper.as_deref(), found.extra.len()),
        (None, read_tensors(&fixture("bert_classes")).len())
    );
    assert_eq!(
        states("bert_classes", &found.model.encoder),
        states_of("bert_classes")
    );
}

#[test]
fn tensors_that_are_not_part_of_the_model_are_ignored_and_listed() {
    let added = [
        "optimizer.state.0.exp_avg",
        "classifier.scale",
        "bert.embeddings.note",
        "second_head.dense.weight",
        "n_averaged",
    ];
    let folder = with_tensors("bert_classes", |mut tensors| {
        let bias = tensors["classifier.bias"].clone();
        tensors.extend(added.map(|name| (name.to_string(), bias.clone())));
        // Buffers that older versions of transformers stored, and heads that it has for the
        // architecture.
        tensors.extend(
            ["bert.embeddings.position_ids", "cls.predictions.bias"]
                .map(|name| (name.to_string(), bias.clone())),
        );
        tensors
    });
    let mut found = read::<SequenceClassifier>(folder.path());
    found.extra.sort();
    let mut added = added.to_vec();
    added.sort();
    assert_eq!(found.extra, added);
    assert!(found.fresh.is_empty());
    let notes = found.notes();
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0]
            .contains("ignoring 5 tensors that are not part of the model: bert.embeddings.note, ")
            && notes[0].ends_with(" and 1 more"),
        "{notes:?}"
    );
    assert!(read_tensors(round_trip(&found).path()) == read_tensors(&fixture("bert_classes")));

    // For an encoder, tensors of a head belong to another model and are ignored.
    let encoder = read::<Encoder>(folder.path());
    assert_eq!(encoder.extra.len(), 4, "{:?}", encoder.extra);
    assert!(read::<Encoder>(fixture("bert_classes")).notes().is_empty());
}

#[test]
fn a_checkpoint_is_read_without_a_tokenizer() {
    for architecture in super::ARCHITECTURES {
        let name = format!("{architecture}_classes");
        let folder = copy(&name);
        fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
        let checkpoint = Checkpoint::<Encoder>::read(folder.path(), &Device::flex()).unwrap();
        assert_eq!(states(&name, &checkpoint.model), states_of(&name));
        let error = Pretrained::<Encoder>::read(folder.path(), &Device::flex()).unwrap_err();
        assert!(
            matches!(&error, ModelError::NoFile { path } if path.ends_with("tokenizer.json")),
            "{error}"
        );
    }
}

#[test]
fn xlm_roberta_has_the_architecture_of_roberta_and_its_own_class_names() {
    let config = |fields: Value| ModelConfig::from_json(fields.to_string().as_bytes()).unwrap();
    let ModelConfig::XlmRoberta(found) = config(json!({"model_type": "xlm-roberta"})) else {
        panic!("it is an XLM-RoBERTa")
    };
    let ModelConfig::Roberta(roberta) = config(json!({"model_type": "roberta"})) else {
        panic!("it is a RoBERTa")
    };
    assert_eq!(
        (found.0.vocab_size, found.0.pad_token_id),
        (30_522, Some(1)),
        "transformers' defaults"
    );
    assert_eq!(roberta.0.vocab_size, 50_265);
    let written = round_trip(&read::<SpanExtractor>(fixture("xlm-roberta_classes")));
    let written = read_json(&Path::new(written.path()).join("config.json"));
    assert_eq!(
        (&written["model_type"], &written["architectures"]),
        (
            &json!("xlm-roberta"),
            &json!(["XLMRobertaForQuestionAnswering"])
        )
    );
}
