//! Comparison of hidden states and gradients with transformers, on tiny random checkpoints from
//! scripts/golden_models.py.

use crate::common::{Expected, devices, fixture, largest, relative_difference, values};
use burn::module::{ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::Gradients;
use isostar_core::HiddenStates;
use isostar_models::layer::Activation;
use isostar_models::{
    Encoder, Pretrained, PretrainedModel, ProblemType, SequenceClassifier, SpanExtractor, loss,
};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Tolerance relative to the largest value of a layer: f32 sums in another order.
const STATES: f32 = if cfg!(feature = "wgpu") { 1e-4 } else { 1e-5 };
/// Tolerance relative to the largest value of a gradient.
const GRADIENTS: f32 = 1e-4;
/// Threshold for zero gradients, relative to the largest gradient of the model. An expected
/// gradient below it is zero except for rounding, as is that of a key's bias, which the softmax
/// cancels; the found gradient must be below it too. Largest observed: 5e-8.
const ZERO_GRADIENT: f32 = 1e-6;
/// Tolerance relative to the largest value of an activation. Largest observed: 8.9e-8.
const ACTIVATIONS: f32 = 1e-6;

const ARCHITECTURES: [&str; 5] = ["bert", "roberta", "distilbert", "albert", "gpt2"];

/// The fixtures that each test one option of a configuration.
const SWITCHES: [&str; 18] = [
    "bert_bare",
    "bert_half",
    "bert_bf16",
    "bert_tanh",
    "bert_types",
    "bert_sharded",
    "roberta_types",
    "roberta_masked",
    "distilbert_relu",
    "distilbert_sinusoidal",
    "distilbert_masked",
    "albert_groups",
    "albert_pretraining",
    "gpt2_scaled",
    "gpt2_unscaled",
    "gpt2_lm",
    "gpt2_left",
    "gpt2_buffers",
];

fn check_states(name: &str, expected: &Expected, states: &HiddenStates, stride: usize) {
    let count = expected
        .names()
        .iter()
        .filter(|name| name.starts_with("state."))
        .count();
    assert_eq!(
        states.depth() + 1,
        count,
        "{name}: the number of states differs from transformers"
    );
    for index in 0..count {
        let found: Vec<f32> = values(states.layer(index).clone())
            .into_iter()
            .step_by(stride)
            .collect();
        check(
            &format!("{name}: state {index}"),
            &found,
            &expected.floats(&format!("state.{index}")).1,
        );
    }
}

fn check(name: &str, found: &[f32], expected: &[f32]) {
    let difference = relative_difference(found, expected);
    println!("{name} differs by {difference:.1e}");
    assert!(
        difference <= STATES,
        "{name} differs by {difference} relative to its largest value"
    );
}

/// A copy of a fixture's folder with every dropout rate set to 0, because dropout masks differ
/// between libraries.
fn without_dropout(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(fixture(name).join(file), folder.path().join(file)).unwrap();
    }
    let path = folder.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (field, value) in config.as_object_mut().unwrap() {
        if (field.contains("dropout") || field.ends_with("_pdrop")) && value.is_number() {
            *value = json!(0.0);
        }
    }
    std::fs::write(path, config.to_string()).unwrap();
    folder
}

/// Replaces the parameters of a model by their gradients.
struct TakeGradients(Gradients);

impl ModuleMapper for TakeGradients {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradient = param
            .val()
            .grad(&self.0)
            .expect("every parameter has a gradient");
        Param::initialized(param.id, gradient)
    }
}

/// Writes the gradients as a checkpoint and compares all of them.
fn check_gradients<M: PretrainedModel>(
    name: &str,
    expected: &Expected,
    pretrained: Pretrained<M>,
    loss: Tensor<1>,
) {
    check(
        &format!("{name}: the loss"),
        &values(loss.clone()),
        &expected.floats("loss").1,
    );
    let mut gradients = TakeGradients(loss.backward());
    let folder = tempfile::tempdir().unwrap();
    let model = pretrained.model.map(&mut gradients);
    Pretrained {
        model,
        ..pretrained
    }
    .write(folder.path())
    .unwrap();

    let bytes = std::fs::read(folder.path().join("model.safetensors")).unwrap();
    let found = SafeTensors::deserialize(&bytes).unwrap();
    let names: Vec<String> = expected
        .names()
        .into_iter()
        .filter(|name| name.starts_with("gradient."))
        .collect();
    assert_eq!(
        names.len(),
        found.len(),
        "{name}: the number of parameters differs from transformers"
    );
    let largest_of_all = names
        .iter()
        .map(|name| largest(&expected.floats(name).1))
        .fold(0.0, f32::max);
    for name in names {
        let found = found
            .tensor(name.strip_prefix("gradient.").unwrap())
            .unwrap();
        let (shape, expected) = expected.floats(&name);
        assert_eq!(found.shape(), shape);
        let found: Vec<f32> = found
            .data()
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect();
        let zero = ZERO_GRADIENT * largest_of_all;
        match largest(&expected) <= zero {
            true => assert!(
                largest(&found) <= zero,
                "{name} should be zero, but is {} of the largest gradient",
                largest(&found) / largest_of_all
            ),
            false => {
                let difference = relative_difference(&found, &expected);
                println!("{name} differs by {difference:.1e}");
                assert!(difference <= GRADIENTS, "{name} differs by {difference}");
            }
        }
    }
}

fn classifiers_agree(architectures: &[&str], kind: &str) {
    for name in architectures
        .iter()
        .map(|architecture| format!("{architecture}_{kind}"))
    {
        let expected = Expected::read(&format!("{name}/expected.safetensors"));
        for device in devices() {
            let device = device.autodiff();
            let pretrained =
                Pretrained::<SequenceClassifier>::read(without_dropout(&name), &device).unwrap();
            assert!(pretrained.fresh.is_empty());
            let (logits, states) = pretrained.model.forward(expected.batch(&device));
            check_states(&name, &expected, &states, 1);
            check(
                &format!("{name}: the logits"),
                &values(logits.clone()),
                &expected.floats("logits").1,
            );

            let losses = match pretrained.config.labels().problem() {
                ProblemType::SingleLabel => {
                    loss::cross_entropy(logits, expected.ints("labels", &device).flatten(0, 1))
                }
                ProblemType::MultiLabel => {
                    loss::binary_cross_entropy(logits, expected.tensor("labels", &device))
                }
                ProblemType::Regression => {
                    loss::squared_error(logits, expected.tensor::<2>("labels", &device).transpose())
                }
            };
            check_gradients(&name, &expected, pretrained, losses.mean());
        }
    }
}

#[test]
fn classifiers_and_their_gradients_agree_with_transformers() {
    classifiers_agree(&ARCHITECTURES, "classes");
    // The architecture is RoBERTa's, so one head is sufficient.
    classifiers_agree(&["xlm-roberta"], "classes");
}

#[test]
fn regressions_and_their_gradients_agree_with_transformers() {
    classifiers_agree(&ARCHITECTURES, "regression");
}

#[test]
fn multi_label_classifiers_and_their_gradients_agree_with_transformers() {
    classifiers_agree(&ARCHITECTURES, "multi_label");
}

#[test]
fn span_extractors_and_their_gradients_agree_with_transformers() {
    for name in ARCHITECTURES.map(|architecture| format!("{architecture}_span")) {
        let expected = Expected::read(&format!("{name}/expected.safetensors"));
        for device in devices() {
            let device = device.autodiff();
            let pretrained =
                Pretrained::<SpanExtractor>::read(without_dropout(&name), &device).unwrap();
            assert!(pretrained.fresh.is_empty());
            let (logits, states) = pretrained.model.forward(expected.batch(&device));
            check_states(&name, &expected, &states, 1);
            check(
                &format!("{name}: the starts"),
                &values(logits[0].clone()),
                &expected.floats("start_logits").1,
            );
            check(
                &format!("{name}: the ends"),
                &values(logits[1].clone()),
                &expected.floats("end_logits").1,
            );

            let ends = ["starts", "ends"].map(|name| expected.ints(name, &device).flatten(0, 1));
            check_gradients(
                &name,
                &expected,
                pretrained,
                loss::span_cross_entropy(logits, ends),
            );
        }
    }
}

#[test]
fn every_configuration_option_has_the_same_effect_as_in_transformers() {
    for name in SWITCHES {
        let expected = Expected::read(&format!("{name}/expected.safetensors"));
        for device in devices() {
            let encoder = Pretrained::<Encoder>::read(fixture(name), &device)
                .unwrap()
                .model;
            check_states(
                name,
                &expected,
                &encoder.forward(expected.batch(&device)),
                1,
            );
        }
    }
}

#[test]
fn padding_does_not_change_the_states_of_other_tokens() {
    for name in ARCHITECTURES.map(|architecture| format!("{architecture}_classes")) {
        let expected = Expected::read(&format!("{name}/expected.safetensors"));
        let device = Device::flex();
        let model = Pretrained::<SequenceClassifier>::read(fixture(&name), &device)
            .unwrap()
            .model;
        let batch = expected.batch(&device);
        let mut disturbed = batch.clone();
        disturbed.ids = batch
            .ids
            .clone()
            .mask_fill(batch.mask.clone().bool_not(), 9);
        assert_eq!(
            values(model.forward(batch).0),
            values(model.forward(disturbed).0),
            "{name}"
        );
    }
}

#[test]
fn activations_agree_with_transformers() {
    let expected = Expected::read("activations.safetensors");
    let (_, inputs) = expected.floats("inputs");
    for device in devices() {
        for name in ["gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu"] {
            let activation = Activation::from_name(name).unwrap();
            let found = activation.forward(Tensor::<1>::from_floats(inputs.as_slice(), &device));
            let difference = relative_difference(&values(found), &expected.floats(name).1);
            assert!(difference <= ACTIVATIONS, "{name} differs by {difference}");
        }
    }
}

/// Run `ISOSTAR_MODELS=FOLDER cargo test --workspace --test parity -- --ignored real_models`. The
/// folder contains minilm, distilbert, roberta and albert, as .ci/run creates them.
#[test]
#[ignore = "needs real models in the folder named by ISOSTAR_MODELS"]
fn real_models_agree_with_transformers_layer_by_layer() {
    let folder =
        std::env::var_os("ISOSTAR_MODELS").expect("ISOSTAR_MODELS names a folder of models");
    let models = [
        ("minilm", "minilm"),
        ("distilbert", "minilm_distilbert"),
        ("roberta", "minilm_roberta"),
        ("albert", "rxnmapper_albert"),
    ];
    for (model, file) in models {
        let expected = Expected::read(&format!("{file}.safetensors"));
        for device in devices() {
            let pretrained =
                Pretrained::<Encoder>::read(std::path::Path::new(&folder).join(model), &device)
                    .unwrap();
            check_states(
                model,
                &expected,
                &pretrained.model.forward(expected.batch(&device)),
                16,
            );
        }
    }
}
