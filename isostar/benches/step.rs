//! What I-STAR costs of a training step: forward, backward and AdamW of a BERT, with and without the penalty on all layers.
//!
//! cargo bench --workspace --bench step --profile dev
//!
//! The dev profile is optimised; no second build is needed. Steps alternate, so that the ratio survives a noisy machine.

use std::time::{Duration, Instant};

use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::Distribution;
use isostar_core::{IStarConfig, Regularizer};
use isostar_models::{BertConfig, ModelConfig, PretrainedModel, SequenceClassifier, TokenBatch};
use isostar_train::data::{SequenceBatch, Targets};
use isostar_train::experiment::adamw;
use isostar_train::hook::HiddenStateModel;

#[path = "../src/allocator.rs"]
mod allocator;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const VOCABULARY: usize = 30_522;
const STEPS: usize = 7;

struct Shape {
    layers: usize,
    width: usize,
    sequences: usize,
    tokens: usize,
}

/// A batch of random tokens, a third of it padding, as random batches of sentences have.
fn batch(shape: &Shape, device: &Device) -> SequenceBatch {
    let Shape { sequences, tokens, .. } = *shape;
    let numbers = |least: f64, most: f64, count| Tensor::<1>::random([count], Distribution::Uniform(least, most), device).int();
    let ids = numbers(1.0, VOCABULARY as f64, sequences * tokens).reshape([sequences, tokens]);
    let lengths: Tensor<2, Int> = numbers(tokens as f64 / 3.0, tokens as f64, sequences).unsqueeze_dim(1);
    let positions: Tensor<2, Int> = Tensor::<1, Int>::arange(0..tokens as i64, device).unsqueeze_dim(0);
    let mask = positions.expand([sequences, tokens]).lower(lengths.expand([sequences, tokens]));
    SequenceBatch {
        input: TokenBatch { type_ids: ids.zeros_like(), ids, mask },
        targets: Targets::Classes(numbers(0.0, 1.99, sequences)),
        rows: (0..sequences as u32).collect(),
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn measure(shape: &Shape) -> (f64, f64) {
    let device = Device::flex().autodiff();
    device.seed(1);
    let config = BertConfig {
        vocab_size: VOCABULARY,
        hidden_size: shape.width,
        num_hidden_layers: shape.layers,
        num_attention_heads: shape.width / 64,
        intermediate_size: 4 * shape.width,
        ..BertConfig::default()
    };
    let mut model = SequenceClassifier::new(&ModelConfig::Bert(config), &device).expect("the configuration is valid");
    let mut optimizer = adamw(0.01, 1e-8);
    let istar = IStarConfig::new(-0.1).init().expect("the settings are valid");
    let reference = Tensor::<2>::eye(shape.width, &device.clone().without_autodiff());

    let mut times = [Vec::new(), Vec::new()];
    // One round warms the caches and the allocator.
    for round in 0..=STEPS {
        for (with, times) in times.iter_mut().enumerate() {
            let batch = batch(shape, &device);
            let start = Instant::now();
            let step = model.forward_step(batch);
            let loss = match with {
                0 => step.task_loss,
                _ => step.task_loss + istar.penalty(&step.hidden_states, Some(&reference)).value,
            };
            drop(step.hidden_states);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(1e-5, model, gradients);
            if round > 0 {
                times.push(start.elapsed());
            }
        }
    }
    let [plain, regularized] = times;
    (median(plain), median(regularized))
}

fn main() {
    allocator::keep_pages();
    println!("{:>8} {:>10} {:>14} {:>14} {:>8}", "model", "batch", "plain (ms)", "I-STAR (ms)", "share");
    for shape in [Shape { layers: 6, width: 384, sequences: 32, tokens: 64 }, Shape { layers: 12, width: 768, sequences: 8, tokens: 128 }] {
        let (plain, regularized) = measure(&shape);
        let share = 100.0 * (regularized / plain - 1.0);
        let model = format!("{}x{}", shape.layers, shape.width);
        let batch = format!("{}x{}", shape.sequences, shape.tokens);
        println!("{model:>8} {batch:>10} {plain:>14.0} {regularized:>14.0} {share:>7.1}%");
    }
}
