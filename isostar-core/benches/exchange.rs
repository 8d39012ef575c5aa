//! What the penalty of a batch costs more if its states lie on several devices: two halves whose
//! statistics are exchanged, beside the whole, with gradients.
//!
//! ```text
//! cargo bench --workspace --profile dev --bench exchange
//! ```
//!
//! Seven layers of 32 sequences of 64 tokens. All columns of a line are timed one after the other in
//! every round. "Exchange" is the part that no device does alone: merging, the penalty of the merged
//! statistics, and its gradient with respect to them.

use std::time::Instant;

use burn::prelude::*;
use burn::tensor::Distribution;
use isostar_core::{
    HiddenStates, IStar, IStarConfig, PooledPenalty, PooledRegularizer, Regularizer, StepContext,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LAYERS: usize = 7;
const SEQUENCES: usize = 32;
const TOKENS: usize = 64;
const ROUNDS: usize = 21;

fn main() {
    println!("Penalty with gradient on flex, f32; milliseconds, medians of {ROUNDS} rounds");
    println!(
        "{:>6}{:>10}{:>14}{:>12}",
        "d", "whole", "two halves", "exchange"
    );
    for d in [384, 768] {
        let [whole, halves, exchange] = compare(d);
        println!("{d:>6}{whole:>10.2}{halves:>14.2}{exchange:>12.2}");
    }
}

fn compare(d: usize) -> [f64; 3] {
    let device = Device::flex();
    device.seed(7);
    let drawn = || {
        let layer = || {
            let size = [SEQUENCES, TOKENS, d];
            Tensor::<3>::random(size, Distribution::Normal(0.0, 1.0), &device)
        };
        (0..LAYERS).map(|_| layer()).collect::<Vec<_>>()
    };
    let layers = drawn();
    let reference = Tensor::<2>::eye(d, &device);
    let regularizer: IStar = IStarConfig::new(-1.0).init().expect("valid settings");
    let context = StepContext::default().with_reference(Some(&reference));

    let states = |rows: core::ops::Range<usize>| {
        let part = |layer: &Tensor<3>| {
            let part = layer.clone().slice([rows.clone()]);
            part.autodiff().require_grad()
        };
        HiddenStates::from_layers(layers.iter().map(part).collect())
    };
    let mut rounds = Vec::new();
    for _ in 0..=ROUNDS {
        let all = states(0..SEQUENCES);
        let parts = [states(0..SEQUENCES / 2), states(SEQUENCES / 2..SEQUENCES)];

        let began = Instant::now();
        let gradients = regularizer.penalty(&all, &context).value.backward();
        assert!(all.layer(1).grad(&gradients).is_some());
        let whole = began.elapsed();

        let began = Instant::now();
        let statistics = parts
            .each_ref()
            .map(|part| regularizer.statistics(part, &context));
        let formed = began.elapsed();
        let pooled = PooledPenalty::new(&regularizer, statistics.to_vec(), &context);
        let exchange = began.elapsed() - formed;
        for (part, (states, statistics)) in parts.iter().zip(&statistics).enumerate() {
            let surrogate = pooled.surrogate(part, statistics).expect("a gradient");
            assert!(states.layer(1).grad(&surrogate.backward()).is_some());
        }
        let halves = began.elapsed();
        assert!(pooled.penalty.value.into_scalar::<f32>() < 0.0);
        rounds.push([whole, halves, exchange].map(|time| time.as_secs_f64() * 1e3));
    }
    // The first round warms up.
    rounds.remove(0);
    [0, 1, 2].map(|column| {
        let mut values: Vec<f64> = rounds.iter().map(|round| round[column]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    })
}
