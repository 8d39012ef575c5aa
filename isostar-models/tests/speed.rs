//! How long a training step takes; run one of these with `--ignored --nocapture`.

use std::time::Instant;

use burn::prelude::*;
use burn::tensor::Distribution;
use isostar_models::{BertConfig, SequenceClassifier, TokenBatch};

const SEQUENCES: usize = 32;
const TOKENS: usize = 64;

/// Random ids in sequences of 16 to 64 tokens.
fn batch(device: &Device) -> TokenBatch {
    let ids = Tensor::<2>::random([SEQUENCES, TOKENS], Distribution::Uniform(1000.0, 30_000.0), device).int();
    let lengths = Tensor::<2>::random([SEQUENCES, 1], Distribution::Uniform(16.0, 65.0), device).int();
    let mask = Tensor::<1, Int>::arange(0..TOKENS as i64, device).unsqueeze::<2>().lower(lengths);
    TokenBatch { ids: ids * mask.clone().int(), type_ids: Tensor::zeros([SEQUENCES, TOKENS], device), mask }
}

#[test]
#[ignore = "a measurement"]
fn forward_and_backward_of_a_small_bert() {
    let device = Device::flex().autodiff();
    device.seed(1);
    let dropout = std::env::var("DROPOUT").map_or(0.1, |rate| rate.parse().unwrap());
    let config = BertConfig {
        hidden_size: 384,
        num_hidden_layers: 6,
        intermediate_size: 1536,
        hidden_dropout_prob: dropout,
        attention_probs_dropout_prob: dropout,
        ..BertConfig::default()
    };
    let model = SequenceClassifier::new(&config, &device).unwrap();
    let batch = batch(&device);
    let mut times: Vec<[f64; 2]> = (0..7)
        .map(|_| {
            let start = Instant::now();
            let (logits, _) = model.forward(batch.clone());
            let forward = start.elapsed().as_secs_f64();
            let _gradients = logits.square().mean().backward();
            [forward, start.elapsed().as_secs_f64()]
        })
        .skip(2)
        .collect();
    times.sort_by(|a, b| a[1].total_cmp(&b[1]));
    let [forward, step] = times[times.len() / 2];
    println!("forward {:.0} ms, forward and backward {:.0} ms, fastest {:.0} ms", forward * 1e3, step * 1e3, times[0][1] * 1e3);
}
