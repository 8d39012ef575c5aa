//! How long a forward pass of MiniLM's size takes: printed for scripts/forward_speed.py, which sets torch beside it.

use std::time::Instant;

use burn::prelude::*;
use burn::tensor::Distribution;
use isostar_models::{BertConfig, ModelConfig, PretrainedModel, SequenceClassifier, TokenBatch};

#[test]
#[ignore = "a measurement"]
fn forward_of_minilm() {
    let device = Device::flex();
    device.seed(1);
    let config = BertConfig { hidden_size: 384, num_hidden_layers: 6, intermediate_size: 1536, ..BertConfig::default() };
    let model = SequenceClassifier::new(&ModelConfig::Bert(config), &device).unwrap();
    let ids = Tensor::<2>::random([32, 128], Distribution::Uniform(1000.0, 30_000.0), &device).int();
    let batch = TokenBatch::unpadded(ids);
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            let (logits, _) = model.forward(batch.clone());
            let _read = logits.into_data();
            start.elapsed().as_secs_f64()
        })
        .skip(2)
        .collect();
    times.sort_by(f64::total_cmp);
    println!("forward: median {:.0} ms, fastest {:.0} ms", times[times.len() / 2] * 1e3, times[0] * 1e3);
}
