//! Training on wgpu beside flex.

use std::path::Path;
use std::sync::{Arc, Mutex};

use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::DeviceKind;
use isostar_core::{IStarConfig, Regularizer, StepContext};
use isostar_models::{
    BertConfig, ModelConfig, Pretrained, PretrainedModel, SequenceClassifier, TokenBatch,
};
use isostar_train::data::{DEFAULT_TOKENIZER, SequenceBatch, Targets, TextEncoder};
use isostar_train::device::parse_device;
use isostar_train::experiment::{
    Experiment, Observer, RunFolder, Schedule, TrainOptions, TrainSettings, adamw,
};
use isostar_train::hook::HiddenStateModel;
use isostar_train::progress::{Phase, Progress};
use tempfile::TempDir;

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
    // Counted on the host: llvmpipe ends each loop of a shader after 65,535 rounds, and a sum over
    // more numbers than 4 × 65,533 in one row loses the rest.
    let kept = kept.into_data();
    let zeros = kept.iter::<f32>().filter(|number| *number == 0.0).count() as f64;
    let (share, error) = (zeros / COUNT as f64, (0.1f64 * 0.9 / COUNT as f64).sqrt());
    assert!((share - 0.1).abs() < 5.0 * error, "{share}");
}

/// The losses of the training steps.
#[derive(Default)]
struct Losses(Mutex<Vec<f64>>);

impl Progress for Losses {}

impl Observer for Losses {
    fn metric(&self, phase: &Phase, name: &str, value: f64) {
        if matches!(phase, Phase::Training { .. }) && name == "task_loss" {
            self.0.lock().unwrap().push(value);
        }
    }
}

/// The model that the command trains by default, without dropout.
fn write_model(folder: &Path) {
    const TOKENS: usize = 64;
    let tokenizer = TextEncoder::from_json(DEFAULT_TOKENIZER, TOKENS)
        .unwrap()
        .tokenizer()
        .clone();
    let config = BertConfig {
        vocab_size: tokenizer.get_vocab_size(true),
        hidden_size: 128,
        num_hidden_layers: 4,
        num_attention_heads: 4,
        intermediate_size: 512,
        max_position_embeddings: TOKENS,
        hidden_dropout_prob: 0.0,
        attention_probs_dropout_prob: 0.0,
        ..BertConfig::default()
    };
    Device::flex().seed(1);
    let model: Pretrained<SequenceClassifier> =
        Pretrained::from_scratch(ModelConfig::Bert(config), tokenizer, &Device::flex()).unwrap();
    model.write(folder).unwrap();
}

/// 50 steps of the default task, with its evaluations: minutes on a GPU that the CPU emulates.
#[test]
#[ignore = "takes minutes on llvmpipe"]
fn fifty_steps_of_the_default_task_on_wgpu_follow_flex() {
    let folder = TempDir::new().unwrap();
    let model = folder.path().join("model");
    write_model(&model);
    let [expected, found] = ["flex", "wgpu"].map(|device| {
        let options = TrainOptions {
            model: Some(model.to_str().unwrap().into()),
            device: Some(device.into()),
            limit: Some(50 * 32),
            epochs: Some(1),
            learning_rate: Some(5e-4),
            warmup: Some(0.1),
            schedule: Some(Schedule::Linear),
            ..TrainOptions::default()
        };
        let losses = Arc::new(Losses::default());
        let experiment =
            Experiment::prepare(TrainSettings::resolve(options), losses.as_ref()).unwrap();
        let run = RunFolder::at(folder.path().join(device));
        let lock = run.lock(losses.as_ref()).unwrap();
        let result = experiment.run(&lock, losses.clone()).unwrap();
        println!("{device}: {result:?}");
        losses.0.lock().unwrap().clone()
    });
    assert_eq!([expected.len(), found.len()], [50, 50]);
    let largest = |losses: &[f64]| {
        let differences = losses.iter().zip(&expected);
        differences.fold(0.0, |largest: f64, (found, expected)| {
            largest.max((found - expected).abs())
        })
    };
    println!("largest difference of a loss: {}", largest(&found));
    assert!(
        largest(&found) < 1e-3,
        "{found:?} on wgpu, {expected:?} on flex"
    );
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(
        mean(&found[40..]) < mean(&found[..10]),
        "the loss falls: {found:?}"
    );
}
