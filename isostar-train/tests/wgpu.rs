//! Training on wgpu beside flex.

use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::DeviceKind;
use isostar_core::{IStarConfig, Regularizer, StepContext};
use isostar_models::{BertConfig, ModelConfig, PretrainedModel, SequenceClassifier, TokenBatch};
use isostar_train::data::{SequenceBatch, Targets};
use isostar_train::device::parse_device;
use isostar_train::experiment::adamw;
use isostar_train::hook::HiddenStateModel;

const VOCABULARY: usize = 50;
const WIDTH: usize = 24;

/// A batch of an odd shape whose rows have different lengths.
fn batch(step: usize, device: &Device) -> SequenceBatch {
    let (rows, tokens) = (3 + step, 7 + 2 * step);
    let is_token = |row: usize, token: usize| token <= (5 * row + step) % tokens;
    let id =
        |row: usize, token: usize| 1 + ((7 * row + 3 * token + step) % (VOCABULARY - 1)) as i32;
    let places = || (0..rows * tokens).map(|at| (at / tokens, at % tokens));
    let ids: Vec<i32> = places()
        .map(|(row, token)| {
            if is_token(row, token) {
                id(row, token)
            } else {
                0
            }
        })
        .collect();
    let types: Vec<i32> = places()
        .map(|(row, token)| i32::from(is_token(row, token) && token > tokens / 2))
        .collect();
    let mask: Vec<bool> = places().map(|(row, token)| is_token(row, token)).collect();
    let classes: Vec<i32> = (0..rows).map(|row| (row * row % 2) as i32).collect();
    let ints =
        |numbers| Tensor::<2, Int>::from_data(TensorData::new(numbers, [rows, tokens]), device);
    SequenceBatch {
        input: TokenBatch {
            ids: ints(ids),
            type_ids: ints(types),
            mask: Tensor::from_data(TensorData::new(mask, [rows, tokens]), device),
        },
        targets: Targets::Classes(Tensor::from_data(TensorData::new(classes, [rows]), device)),
        rows: (0..rows as u32).collect(),
    }
}

/// Loss and score of each of five steps with I-STAR and a fixed reference.
fn curve(device: Device) -> Vec<[f64; 2]> {
    let device = device.autodiff();
    Device::flex().seed(1);
    let config = BertConfig {
        vocab_size: VOCABULARY,
        hidden_size: WIDTH,
        num_hidden_layers: 2,
        num_attention_heads: 3,
        intermediate_size: 40,
        hidden_dropout_prob: 0.0,
        attention_probs_dropout_prob: 0.0,
        initializer_range: 0.2,
        ..BertConfig::default()
    };
    let mut model = SequenceClassifier::new(&ModelConfig::Bert(config), &device).unwrap();
    let mut optimizer = adamw(0.01, 1e-8);
    let istar = IStarConfig::new(-1.0).init().unwrap();
    let reference = Tensor::<2>::eye(WIDTH, &device.clone().without_autodiff());
    let steps = (0..5).map(|step| {
        let forward = model.forward_step(batch(step, &device));
        let penalty = istar.penalty(
            &forward.hidden_states,
            &StepContext::default().with_reference(&reference),
        );
        let gradients = (forward.task_loss.clone() + penalty.value).backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        model = optimizer.step(1e-2, model.clone(), gradients);
        [
            forward.task_loss.into_scalar(),
            penalty.measure.into_scalar(),
        ]
    });
    steps.collect()
}

#[test]
fn training_on_wgpu_follows_flex() {
    let expected = curve(Device::flex());
    let found = curve(parse_device("wgpu").unwrap());
    for (step, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (found[0] - expected[0]).abs() < 1e-4,
            "step {step}: a loss of {} on wgpu and {} on flex",
            found[0],
            expected[0]
        );
        assert!(
            (found[1] - expected[1]).abs() < 1e-3,
            "step {step}: a score of {} on wgpu and {} on flex",
            found[1],
            expected[1]
        );
    }
    assert!(
        expected[4][0] < expected[0][0] || (expected[4][1] - expected[0][1]).abs() > 1e-2,
        "the steps change the model: {expected:?}"
    );
}

#[test]
fn the_share_of_dropped_numbers_on_wgpu_is_the_probability() {
    const COUNT: usize = 300_000;
    let device = Device::wgpu(DeviceKind::DefaultDevice).autodiff();
    device.seed(3);
    let settings = burn::nn::DropoutConfig::new(0.1).init();
    let kept = isostar_kernels::dropout(
        &settings,
        Tensor::<1>::ones([COUNT], &device).require_grad(),
    );
    let zeros: f64 = kept.equal_elem(0.0).int().sum().into_scalar();
    let (share, error) = (zeros / COUNT as f64, (0.1f64 * 0.9 / COUNT as f64).sqrt());
    assert!((share - 0.1).abs() < 5.0 * error, "{share}");
}
