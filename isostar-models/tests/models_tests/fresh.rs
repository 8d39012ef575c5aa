//! Models with newly initialized weights, and the differences between training and evaluation.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::common::{
    ARCHITECTURES, Expected, Tensors, copy, fixture, floats, read_json, read_tensors,
    relative_difference, set, values,
};
use burn::prelude::*;
use isostar_models::{
    Encoder, ModelConfig, Pretrained, PretrainedModel, SequenceClassifier, SpanExtractor,
    TokenBatch,
};
use safetensors::Dtype;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokenizers::Tokenizer;

/// The tolerance in standard errors. By chance, at most one run in a thousand exceeds it.
const ERRORS: f64 = 5.0;

/// The settings of a fixture with some changes.
fn config(name: &str, changes: &[(&str, Value)]) -> ModelConfig {
    let mut fields = read_json(&fixture(name).join("config.json"));
    changes
        .iter()
        .for_each(|(field, value)| fields[*field] = value.clone());
    ModelConfig::from_json(fields.to_string().as_bytes()).unwrap()
}

/// Settings with a width and depth for which the sample of weights is large.
fn large(architecture: &str) -> ModelConfig {
    let [width, layers, tokens] = match architecture {
        "distilbert" => ["dim", "n_layers", "vocab_size"],
        "gpt2" => ["n_embd", "n_layer", "vocab_size"],
        _ => ["hidden_size", "num_hidden_layers", "vocab_size"],
    };
    let range = ("initializer_range", json!(0.02));
    config(
        &format!("{architecture}_classes"),
        &[
            (width, json!(64)),
            (layers, json!(3)),
            (tokens, json!(300)),
            range,
        ],
    )
}

/// The tensors of a newly initialized model, with the names of a checkpoint.
fn fresh<M: PretrainedModel>(config: &ModelConfig) -> Tensors {
    let tokenizer = Tokenizer::from_file(fixture("bert_classes/tokenizer.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    Pretrained::<M>::from_scratch(config.clone(), tokenizer, &Device::flex())
        .unwrap()
        .write(folder.path())
        .unwrap();
    read_tensors(folder.path())
}

/// The standard deviation of a weight. In GPT-2, that of output projections decreases with the
/// number of layers.
fn deviation(config: &ModelConfig, name: &str) -> f64 {
    let layers = 2.0 * config.sizes().layers as f64;
    let range = match config {
        ModelConfig::Bert(config) => config.initializer_range,
        ModelConfig::Roberta(config) | ModelConfig::XlmRoberta(config) => {
            config.0.initializer_range
        }
        ModelConfig::DistilBert(config) => config.initializer_range,
        ModelConfig::Albert(config) => config.initializer_range,
        ModelConfig::Gpt2(config) => config.initializer_range,
    };
    if name.ends_with("c_proj.weight") {
        range / layers.sqrt()
    } else {
        range
    }
}

/// Asserts that mean, standard deviation and the proportion beyond two standard deviations are
/// those of N(0, `deviation`²).
fn assert_normal(name: &str, numbers: &[f32], deviation: f64) {
    let count = numbers.len() as f64;
    let mean = |of: &dyn Fn(f64) -> f64| {
        numbers
            .iter()
            .map(|number| of(f64::from(*number) / deviation))
            .sum::<f64>()
            / count
    };
    let near = |what: &str, found: f64, expected: f64, error: f64| {
        assert!(
            (found - expected).abs() < ERRORS * error,
            "{name}: {what} is {found}, not {expected} ± {error}"
        );
    };
    near("the mean", mean(&|z| z), 0.0, count.sqrt().recip());
    near(
        "the deviation",
        mean(&|z| z * z).sqrt(),
        1.0,
        (2.0 * count).sqrt().recip(),
    );
    let beyond = 0.0455f64;
    near(
        "the proportion beyond two",
        mean(&|z| f64::from(z.abs() > 2.0)),
        beyond,
        (beyond * (1.0 - beyond) / count).sqrt(),
    );
}

/// The row of the padding token, if `name` is a table that has one.
fn padded_row(config: &ModelConfig, name: &str) -> Option<usize> {
    let is_word = name.ends_with("word_embeddings.weight");
    let is_place =
        matches!(config, ModelConfig::Roberta(_)) && name.ends_with("position_embeddings.weight");
    config.padding().filter(|_| is_word || is_place)
}

fn assert_fresh(config: &ModelConfig, tensors: Tensors) {
    for (name, (dtype, shape, bytes)) in tensors {
        let mut numbers = floats(dtype, &bytes);
        match shape[..] {
            [_] if name.ends_with(".bias") => {
                assert!(numbers.iter().all(|number| *number == 0.0), "{name}")
            }
            [_] => assert!(numbers.iter().all(|number| *number == 1.0), "{name}"),
            _ => {
                if let Some(row) = padded_row(config, &name) {
                    let row = numbers.drain(row * shape[1]..(row + 1) * shape[1]);
                    assert!(row.into_iter().all(|number| number == 0.0), "{name}");
                }
                assert_normal(&name, &numbers, deviation(config, &name));
            }
        }
    }
}

#[test]
fn fresh_weights_are_distributed_as_in_transformers() {
    for architecture in ARCHITECTURES {
        let config = large(architecture);
        let [classifier, span] = [
            fresh::<SequenceClassifier>(&config),
            fresh::<SpanExtractor>(&config),
        ];
        let outputs = [
            "classifier.weight",
            "classifier.out_proj.weight",
            "score.weight",
        ];
        assert!(
            outputs.iter().any(|name| classifier.contains_key(*name))
                && span.contains_key("qa_outputs.weight")
        );
        assert_fresh(&config, classifier);
        assert_fresh(&config, span);
        // The fixtures contain transformers' initial weights, except for norms, biases and padding
        // rows.
        for head in ["classes", "span"] {
            let name = format!("{architecture}_{head}");
            let config = self::config(&name, &[]);
            for (name, (dtype, shape, bytes)) in read_tensors(&fixture(&name)) {
                if shape.len() == 2 {
                    assert_normal(&name, &floats(dtype, &bytes), deviation(&config, &name));
                }
            }
        }
    }
}

#[test]
fn a_fresh_sinusoidal_position_table_equals_that_of_transformers() {
    const NAME: &str = "distilbert.embeddings.position_embeddings.weight";
    let stored = read_tensors(&fixture("distilbert_sinusoidal"));
    let (_, shape, expected) = stored
        .get(NAME)
        .or(stored.get(NAME.strip_prefix("distilbert.").unwrap()))
        .unwrap();
    let found = &fresh::<Encoder>(&config("distilbert_sinusoidal", &[]))[NAME];
    assert_eq!(&found.1, shape);
    let [found, expected] = [&found.2, expected].map(|bytes| floats(Dtype::F32, bytes));
    assert!(
        found
            .iter()
            .zip(&expected)
            .all(|(found, expected)| (found - expected).abs() <= 1e-6)
    );
}

/// The dropout rates of an architecture that a classifier uses.
fn rates(architecture: &str) -> [&'static str; 3] {
    match architecture {
        "distilbert" => ["dropout", "attention_dropout", "seq_classif_dropout"],
        "albert" => [
            "hidden_dropout_prob",
            "attention_probs_dropout_prob",
            "classifier_dropout_prob",
        ],
        "gpt2" => ["embd_pdrop", "attn_pdrop", "resid_pdrop"],
        _ => [
            "hidden_dropout_prob",
            "attention_probs_dropout_prob",
            "classifier_dropout",
        ],
    }
}

/// A copy of a fixture's folder with these dropout rates.
fn with_rates(architecture: &str, rates: [(&str, f64); 3]) -> TempDir {
    let folder = copy(&format!("{architecture}_classes"));
    rates
        .into_iter()
        .for_each(|(field, rate)| set(folder.path(), field, json!(rate)));
    folder
}

/// The logits of two forward passes in training and of one in evaluation.
fn passes<M: PretrainedModel>(
    folder: &Path,
    forward: fn(&M, TokenBatch) -> Tensor<2>,
) -> [Vec<f32>; 3] {
    let device = Device::flex().autodiff();
    let model = Pretrained::<M>::read(folder, &device).unwrap().model;
    let logits = |model: &M, device: &Device| {
        let expected = Expected::read(folder.join("expected.safetensors").to_str().unwrap());
        values(forward(model, expected.batch(device)))
    };
    [
        logits(&model, &device),
        logits(&model, &device),
        logits(&model.valid(), &Device::flex()),
    ]
}

fn classify(model: &SequenceClassifier, batch: TokenBatch) -> Tensor<2> {
    model.forward(batch).0
}

#[test]
fn dropout_is_applied_in_training_and_not_in_evaluation() {
    for architecture in ARCHITECTURES {
        let fields = rates(architecture);
        let without = with_rates(architecture, fields.map(|field| (field, 0.0)));
        let [one, other, evaluation] = passes(without.path(), classify);
        assert_eq!(one, other, "{architecture} without dropout");
        assert!(
            relative_difference(&one, &evaluation) < 1e-5,
            "{architecture} without dropout"
        );
        for field in fields {
            let with = with_rates(
                architecture,
                fields.map(|other| (other, if other == field { 0.5 } else { 0.0 })),
            );
            let [one, other, evaluated] = passes(with.path(), classify);
            assert!(
                one != other && other != evaluated && evaluated != one,
                "{architecture} with {field}"
            );
            assert_eq!(evaluated, evaluation, "{architecture} with {field}");
        }
    }
}

#[test]
fn the_span_extractor_of_distilbert_has_a_separate_dropout_rate() {
    let with = |rate| {
        let folder = copy("distilbert_span");
        for (field, rate) in [
            ("dropout", 0.0),
            ("attention_dropout", 0.0),
            ("qa_dropout", rate),
        ] {
            set(folder.path(), field, json!(rate));
        }
        passes::<SpanExtractor>(folder.path(), |model, batch| {
            Tensor::cat(model.forward(batch).0.to_vec(), 0)
        })
    };
    let ([one, other, _], [random, another, evaluated]) = (with(0.0), with(0.5));
    assert_eq!(one, other);
    assert!(random != another && random != evaluated);
    assert!(relative_difference(&one, &evaluated) < 1e-5);
}

#[test]
fn more_tokens_than_positions_panic_with_a_message_that_names_both() {
    // The RoBERTa fixtures have 14 and 16 rows and number positions after their padding tokens 1
    // and 3.
    let names = ARCHITECTURES.map(|architecture| format!("{architecture}_classes"));
    for name in names.iter().map(String::as_str).chain(["roberta_types"]) {
        let device = Device::flex();
        let model = Pretrained::<Encoder>::read(fixture(name), &device)
            .unwrap()
            .model;
        let forward =
            |tokens| model.forward(TokenBatch::unpadded(Tensor::ones([1, tokens], &device) * 5));
        assert_eq!(forward(12).layer(0).dims(), [1, 12, 16]);
        let panic =
            catch_unwind(AssertUnwindSafe(|| forward(13))).expect_err("there are 12 positions");
        let message = panic.downcast_ref::<String>().unwrap();
        assert_eq!(
            message, "the model has 12 positions, got 13 tokens",
            "{name}"
        );
    }
}
