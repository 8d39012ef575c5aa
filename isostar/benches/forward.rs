//! How long a forward pass of a BERT folder takes, all hidden states kept: 32 sequences of 128 tokens, on flex.
//!
//! cargo bench --workspace --bench forward --profile dev -- FOLDER
//!
//! scripts/forward_speed.py runs it in turns with transformers. The dev profile is optimised; no second build is needed.

use std::time::Instant;

use burn::prelude::*;
use burn::tensor::Distribution;
use isostar_models::{Encoder, Pretrained, TokenBatch};

#[path = "../src/allocator.rs"]
mod allocator;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHAPE: [usize; 2] = [32, 128];
const PASSES: usize = 7;

fn main() {
    allocator::keep_pages();
    // Cargo adds flags of its own.
    let Some(folder) = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"))
    else {
        println!("name the folder of a BERT to time its forward pass");
        return;
    };
    let device = Device::flex();
    let pretrained =
        Pretrained::<Encoder>::read(folder, &device).expect("the folder holds a model");
    let rows = pretrained.config.sizes().vocabulary as f64;
    let ids = Tensor::<2>::random(SHAPE, Distribution::Uniform(1.0, rows), &device).int();
    let batch = TokenBatch::unpadded(ids);
    // Two passes warm the caches and the allocator.
    for pass in 0..PASSES + 2 {
        let start = Instant::now();
        let states = pretrained.model.forward(batch.clone());
        let _read = states.layer(states.depth()).clone().into_data();
        if pass >= 2 {
            println!("{:.4}", start.elapsed().as_secs_f64());
        }
    }
}
