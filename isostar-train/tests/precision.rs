//! Training with products in bfloat16, and with batches that are padded further.

use std::sync::Mutex;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::prelude::*;
use isostar_core::{IStarConfig, Padding, Regularizer, StepContext};
use isostar_models::{BertConfig, ModelConfig, Precision, PretrainedModel, SequenceClassifier};
use isostar_train::data::{
    BatchSource, BatchWidth, DEFAULT_TOKENIZER, Examples, TextEncoder, default_rows,
};
use isostar_train::experiment::{Experiment, PrecisionName, TrainOptions, TrainSettings, adamw};
use isostar_train::hook::HiddenStateModel;
use isostar_train::progress::Silent;

const MAX_LENGTH: usize = 40;

static DRAWING: Mutex<()> = Mutex::new(());

fn examples(count: usize) -> Examples {
    let rows = &default_rows().train.rows[..count];
    let labels = rows
        .iter()
        .map(|row| u32::from(row.label != rows[0].label))
        .collect();
    TextEncoder::from_json(DEFAULT_TOKENIZER, MAX_LENGTH)
        .unwrap()
        .encode(rows, labels)
        .unwrap()
}

fn model(device: &Device) -> SequenceClassifier {
    let config = BertConfig {
        vocab_size: 8_000,
        hidden_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 64,
        hidden_dropout_prob: 0.0,
        attention_probs_dropout_prob: 0.0,
        initializer_range: 0.1,
        ..BertConfig::default()
    };
    // The tests share the generator of the device.
    let _drawing = DRAWING.lock().unwrap();
    device.seed(1);
    SequenceClassifier::new(&ModelConfig::Bert(config), device)
        .unwrap()
        .materialize()
}

/// Mean task loss and mean score of steps 1 to 200, in blocks of 50.
fn curve(start: &SequenceClassifier, precision: Precision) -> Vec<[f64; 2]> {
    let device = Device::flex().autodiff();
    let examples = examples(512);
    let mut model = start.clone();
    let mut optimizer = adamw(0.01, 1e-8);
    let istar = IStarConfig::new(-0.01).init().unwrap();
    let reference = Tensor::<2>::eye(32, &Device::flex());
    let steps: Vec<[f64; 2]> = (0..200u32)
        .map(|step| {
            let rows = (0..16).map(|row| (16 * step + row) % 512).collect();
            let forward = precision.scope(|| model.forward_step(examples.batch(rows, &device)));
            let penalty = istar.penalty(
                &forward.hidden_states,
                &StepContext::default().with_reference(&reference),
            );
            let gradients = GradientsParams::from_grads(
                (forward.task_loss.clone() + penalty.value).backward(),
                &model,
            );
            model = optimizer.step(1e-3, model.clone(), gradients);
            [
                forward.task_loss.into_scalar(),
                penalty.measure.into_scalar(),
            ]
        })
        .collect();
    let mean = |block: &[[f64; 2]], part: usize| {
        block.iter().map(|step| step[part]).sum::<f64>() / block.len() as f64
    };
    steps
        .chunks(50)
        .map(|block| [mean(block, 0), mean(block, 1)])
        .collect()
}

#[test]
fn two_hundred_steps_in_bf16_follow_those_in_f32() {
    let start = model(&Device::flex().autodiff());
    let (single, half) = (
        curve(&start, Precision::F32),
        curve(&start, Precision::Bf16),
    );
    assert_ne!(single, half, "products in bf16 differ");
    for (block, (single, half)) in single.iter().zip(&half).enumerate() {
        for (what, single, half) in [("loss", single[0], half[0]), ("score", single[1], half[1])] {
            assert!(
                (half / single - 1.0).abs() < 0.02,
                "block {block}: a {what} of {half} in bf16 and {single} in f32"
            );
        }
    }
    assert!(
        single[3][0] < 0.95 * single[0][0],
        "the loss falls: {single:?}"
    );
}

#[test]
fn hidden_states_and_parameters_stay_in_f32() {
    let device = Device::flex().autodiff();
    let model = model(&device);
    let forward =
        Precision::Bf16.scope(|| model.forward_step(examples(8).batch((0..8).collect(), &device)));
    let types = forward
        .hidden_states
        .layers
        .iter()
        .map(Tensor::dtype)
        .chain([forward.task_loss.dtype(), forward.output.logits.dtype()]);
    assert!(
        types
            .into_iter()
            .all(|dtype| dtype == burn::tensor::DType::F32)
    );
    let gradients = GradientsParams::from_grads(forward.task_loss.backward(), &model);
    let weight = gradients.get::<2>(match &model.encoder {
        isostar_models::Encoder::Bert(bert) => bert.layers[0].attention.query.weight.id,
        _ => unreachable!("the model is a BERT"),
    });
    assert_eq!(
        weight.expect("the weight takes a gradient").dtype(),
        burn::tensor::DType::F32
    );
}

#[test]
fn further_padding_changes_neither_loss_nor_score() {
    let device = Device::flex().autodiff();
    let model = model(&device);
    let istar = IStarConfig::new(-0.1).init().unwrap();
    let reference = Tensor::<2>::eye(32, &Device::flex());
    let [narrow, wide] = [1, 16].map(|multiple| {
        let examples = examples(24).with_width(BatchWidth {
            multiple,
            longest: MAX_LENGTH,
        });
        let batch = examples.batch((0..24).collect(), &device);
        let [_, tokens] = batch.input.ids.dims();
        let forward = model.forward_step(batch);
        let penalty = istar.penalty(
            &forward.hidden_states,
            &StepContext::default().with_reference(&reference),
        );
        (
            tokens,
            [
                forward.task_loss.into_scalar::<f64>(),
                penalty.measure.into_scalar::<f64>(),
            ],
        )
    });
    assert!(
        narrow.0 % 16 != 0 && wide.0 > narrow.0,
        "{} and {} tokens",
        narrow.0,
        wide.0
    );
    for (narrow, wide) in narrow.1.iter().zip(&wide.1) {
        assert!((narrow - wide).abs() < 1e-5, "{narrow} {wide}");
    }
}

#[test]
fn the_multiple_of_a_length_follows_the_device_and_is_one_where_padding_counts() {
    let resolved = |device: &str, padding| {
        let options = TrainOptions {
            device: Some(device.into()),
            padding,
            ..TrainOptions::default()
        };
        TrainSettings::resolve(options).pad_to
    };
    let multiples =
        ["flex", "ndarray", "wgpu", "cuda", "cuda:1"].map(|device| resolved(device, None));
    assert_eq!(multiples, [1, 1, 16, 32, 32]);
    assert_eq!(resolved("cuda", Some(Padding::Keep)), 1);

    let options = TrainOptions {
        padding: Some(Padding::Keep),
        pad_to: Some(8),
        ..TrainOptions::default()
    };
    let error = Experiment::prepare(TrainSettings::resolve(options), &Silent).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pad_to is 8; it must be 1 under --padding keep, where padding is part of the score"
    );
}

#[test]
#[allow(deprecated, reason = "the device without bf16")]
fn a_device_without_bf16_refuses_it() {
    let options = TrainOptions {
        precision: Some(PrecisionName::Bf16),
        device: Some("ndarray".into()),
        ..TrainOptions::default()
    };
    if cfg!(not(feature = "ndarray")) || Precision::Bf16.is_supported(&Device::ndarray()) {
        return;
    }
    let error = Experiment::prepare(TrainSettings::resolve(options), &Silent).unwrap_err();
    assert_eq!(
        error.to_string(),
        "precision is bf16; it must be f32 on this device, which does not compute in bf16"
    );
}
