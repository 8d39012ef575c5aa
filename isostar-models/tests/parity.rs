//! Layer by layer against transformers, on tiny random checkpoints: scripts/golden_bert.py.

mod common;

use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use common::{Expected, devices, fixture, relative_difference, values};
use isostar_core::HiddenStates;
use isostar_models::layer::Activation;
use isostar_models::{Pretrained, SequenceClassifier, TokenBatch};

/// Of a layer's largest number; f32 in another order of summation. Largest observed: 1.1e-6.
const STATES: f32 = if cfg!(feature = "wgpu") { 1e-4 } else { 1e-5 };
/// Of a gradient's largest number. Largest observed: 2.2e-6.
const GRADIENTS: f32 = 1e-4;
/// Of an activation's largest number. Largest observed: 8.9e-8.
const ACTIVATIONS: f32 = 1e-6;

fn check_states(expected: &Expected, states: &HiddenStates, stride: usize) {
    for index in 0..=states.depth() {
        let (_, expected) = expected.floats(&format!("state.{index}"));
        let found: Vec<f32> = values(states.layer(index).clone()).into_iter().step_by(stride).collect();
        let difference = relative_difference(&found, &expected);
        assert!(difference <= STATES, "state {index} differs by {difference} of its largest number");
    }
}

#[test]
fn a_classifier_agrees_with_transformers_layer_by_layer() {
    let expected = Expected::read("classifier/expected.safetensors");
    for device in devices() {
        let pretrained = Pretrained::read(fixture("classifier"), &device).unwrap();
        assert_eq!(pretrained.config.labels(), ["cold", "mild", "hot"]);
        assert!(pretrained.fresh.is_empty());

        let (logits, states) = pretrained.model.forward(expected.batch(&device));
        assert_eq!(states.depth(), 3);
        check_states(&expected, &states, 1);
        let difference = relative_difference(&values(logits), &expected.floats("logits").1);
        assert!(difference <= STATES, "the logits differ by {difference}");
    }
}

#[test]
fn a_bare_encoder_agrees_and_its_head_is_reported_as_fresh() {
    let expected = Expected::read("encoder/expected.safetensors");
    for device in devices() {
        let pretrained = Pretrained::read(fixture("encoder"), &device).unwrap();
        check_states(&expected, &pretrained.model.encoder.forward(expected.batch(&device)), 1);
        let head = ["bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"];
        assert_eq!(pretrained.fresh, head);
        assert_eq!(values(pretrained.model.classifier.bias.unwrap().val()), [0.0, 0.0]);
    }
}

#[test]
fn half_precision_under_old_names_is_read_as_f32() {
    let expected = Expected::read("encoder_half/expected.safetensors");
    for device in devices() {
        let pretrained = Pretrained::read(fixture("encoder_half"), &device).unwrap();
        check_states(&expected, &pretrained.model.encoder.forward(expected.batch(&device)), 1);
    }
}

#[test]
fn padding_has_no_influence_on_the_other_tokens() {
    let expected = Expected::read("classifier/expected.safetensors");
    let device = Device::flex();
    let model = Pretrained::read(fixture("classifier"), &device).unwrap().model;
    let batch = expected.batch(&device);
    let mut disturbed = batch.clone();
    disturbed.ids = batch.ids.clone().mask_fill(batch.mask.clone().bool_not(), 9);
    let (logits, _) = model.forward(batch);
    let (same, _) = model.forward(disturbed);
    assert_eq!(values(logits), values(same));
}

/// The mean cross entropy of the fixture's labels.
fn loss(model: &SequenceClassifier, expected: &Expected, device: &Device) -> Tensor<1> {
    let (logits, _) = model.forward(expected.batch(device));
    let labels = expected.ints("labels", device).swap_dims(0, 1);
    -log_softmax(logits, 1).gather(1, labels).mean()
}

/// The model without dropout, whose masks no two programs share.
fn without_dropout(device: &Device) -> SequenceClassifier {
    let mut model = Pretrained::read(fixture("classifier"), device).unwrap().model;
    model.dropout.prob = 0.0;
    model.encoder.embeddings.dropout.prob = 0.0;
    for layer in &mut model.encoder.layers {
        layer.dropout.prob = 0.0;
        layer.attention.dropout.prob = 0.0;
    }
    model
}

#[test]
fn gradients_agree_with_torch() {
    let expected = Expected::read("classifier/expected.safetensors");
    for device in devices() {
        let device = device.autodiff();
        let model = without_dropout(&device);
        let loss = loss(&model, &expected, &device);
        let gradients = loss.backward();
        let layers = &model.encoder.layers;
        let embeddings = &model.encoder.embeddings;

        let weight = |linear: &burn::nn::Linear| values(linear.weight.grad(&gradients).unwrap().transpose());
        let bias = |linear: &burn::nn::Linear| values(linear.bias.as_ref().unwrap().grad(&gradients).unwrap());
        let table = |table: &burn::nn::Embedding| values(table.weight.grad(&gradients).unwrap());
        let found = [
            ("bert.embeddings.word_embeddings.weight", table(&embeddings.word)),
            ("bert.embeddings.position_embeddings.weight", table(&embeddings.position)),
            ("bert.embeddings.token_type_embeddings.weight", table(&embeddings.token_type)),
            ("bert.embeddings.LayerNorm.weight", values(embeddings.norm.gamma.grad(&gradients).unwrap())),
            ("bert.encoder.layer.0.attention.self.query.weight", weight(&layers[0].attention.query)),
            ("bert.encoder.layer.1.attention.self.key.weight", weight(&layers[1].attention.key)),
            ("bert.encoder.layer.1.attention.self.value.bias", bias(&layers[1].attention.value)),
            (
                "bert.encoder.layer.1.attention.output.LayerNorm.bias",
                values(layers[1].attention_norm.beta.as_ref().unwrap().grad(&gradients).unwrap()),
            ),
            ("bert.encoder.layer.2.intermediate.dense.weight", weight(&layers[2].feed_forward.inner)),
            ("bert.encoder.layer.2.output.dense.bias", bias(&layers[2].feed_forward.outer)),
            ("bert.pooler.dense.weight", weight(&model.pooler)),
            ("classifier.weight", weight(&model.classifier)),
        ];
        for (name, found) in found {
            let difference = relative_difference(&found, &expected.floats(&format!("gradient.{name}")).1);
            assert!(difference <= GRADIENTS, "the gradient of {name} differs by {difference}");
        }
    }
}

#[test]
fn activations_agree_with_transformers() {
    let expected = Expected::read("activations.safetensors");
    let (_, inputs) = expected.floats("inputs");
    for device in devices() {
        for name in ["gelu", "gelu_new", "relu", "silu"] {
            let activation = Activation::from_name(name).unwrap();
            let found = activation.forward(Tensor::<1>::from_floats(inputs.as_slice(), &device));
            let difference = relative_difference(&values(found), &expected.floats(name).1);
            assert!(difference <= ACTIVATIONS, "{name} differs by {difference}");
        }
    }
}

/// `ISOSTAR_MINILM=FOLDER cargo test -p isostar-models -- --ignored` with all-MiniLM-L6-v2 in the folder.
#[test]
#[ignore = "needs a real model in the folder named by ISOSTAR_MINILM"]
fn minilm_agrees_with_transformers_layer_by_layer() {
    let folder = std::env::var_os("ISOSTAR_MINILM").expect("ISOSTAR_MINILM names a folder with all-MiniLM-L6-v2");
    let expected = Expected::read("minilm.safetensors");
    for device in devices() {
        let pretrained = Pretrained::read(&folder, &device).unwrap();
        assert_eq!(pretrained.fresh, ["classifier.weight", "classifier.bias"]);
        check_states(&expected, &pretrained.model.encoder.forward(expected.batch(&device)), 16);
    }
}

/// Writes MiniLM with a fresh head to `model` in the folder named by `ISOSTAR_OUT`, with ten texts and their logits, for
/// `python scripts/transformers_parity.py OUT/model OUT/texts.txt OUT/logits.jsonl`.
#[test]
#[ignore = "needs a real model in the folder named by ISOSTAR_MINILM, and one to write to, ISOSTAR_OUT"]
fn minilm_is_written_for_transformers() {
    const TEXTS: [&str; 10] = [
        "A gripping, beautifully shot film.",
        "Bad.",
        "The plot makes no sense and the acting is worse.",
        "I would watch it again tomorrow, and the day after.",
        "Two hours I will never get back!",
        "It starts slowly, but the last act is worth the wait: do stay until the end.",
        "Naïve café owners in Zürich — charming.",
        "12 angry men, 1 room, 0 dull moments.",
        "Meh",
        "Neither funny nor sad, neither short nor long, it is simply there.",
    ];
    let out = std::path::PathBuf::from(std::env::var_os("ISOSTAR_OUT").expect("ISOSTAR_OUT names a folder"));
    let minilm = std::env::var_os("ISOSTAR_MINILM").expect("ISOSTAR_MINILM names a folder with all-MiniLM-L6-v2");
    let device = Device::flex();
    let mut pretrained = Pretrained::read_with_labels(minilm, ["bad", "so-so", "good"], &device).unwrap();
    pretrained.tokenizer.with_truncation(None).unwrap().with_padding(Some(Default::default()));
    let encodings = pretrained.tokenizer.encode_batch(TEXTS.to_vec(), true).unwrap();
    let rows = |numbers: fn(&tokenizers::Encoding) -> &[u32]| {
        let rows = encodings.iter().map(|row| Tensor::<1, Int>::from_ints(numbers(row), &device)).collect();
        Tensor::stack::<2>(rows, 0)
    };
    let batch = TokenBatch {
        ids: rows(|row| row.get_ids()),
        type_ids: rows(|row| row.get_type_ids()),
        mask: rows(|row| row.get_attention_mask()).equal_elem(1),
    };
    let scores = values(pretrained.model.forward(batch).0);
    let lines = scores.chunks(3).enumerate().map(|(index, scores)| serde_json::json!({"index": index, "scores": scores}).to_string());
    pretrained.write(out.join("model")).unwrap();
    std::fs::write(out.join("texts.txt"), TEXTS.join("\n")).unwrap();
    std::fs::write(out.join("logits.jsonl"), lines.collect::<Vec<_>>().join("\n")).unwrap();
}
