//! Heads that are not stored, of another size, or with unnamed labels.

use std::fs;
use std::path::Path;

use burn::prelude::*;
use isostar_models::{Encoder, Labels, Pretrained, ProblemType, SequenceClassifier, SpanExtractor};
use serde_json::{Value, json};

use super::{read, round_trip};
use crate::common::{ARCHITECTURES, Expected, copy, fixture, read_json, read_tensors, set, values};

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
