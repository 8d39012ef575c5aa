//! Time of the penalty of a step and of its gradient, for the estimators of isostar-core. Prints the
//! table of docs/control.md.
//!
//! cargo run --release -p isostar-examples --example penalty_cost [ROUNDS]
//!
//! The states are those of a step of a 6×384 model on 32 rows of 64 tokens, a quarter of which is
//! padding. Each round times every penalty once, in turn.

use std::time::Instant;

use burn::prelude::*;
use burn::tensor::Distribution;
use isostar_core::{
    Estimator, HiddenStates, IStar, IsoScorer, Regularizer, Shrinkage, ShrinkageTarget,
    SigRegConfig, StateSelection, StepContext, VicRegConfig,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(10), |rounds| rounds.parse())?;
    let device = Device::flex();
    let shape = [32, 64, 384];
    let layers: Vec<Tensor<3>> = (0..6)
        .map(|_| Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device))
        .collect();
    let lengths = Tensor::<1, Int>::arange(33..65, &device).unsqueeze_dim::<2>(1);
    let places = Tensor::<1, Int>::arange(0..64, &device).unsqueeze::<2>();
    let mask = places.expand([32, 64]).lower(lengths.expand([32, 64]));
    let reference = Tensor::<2>::eye(384, &device);

    let scorer = |estimator: Estimator| IsoScorer::new(estimator, StateSelection::default());
    let fixed = || Shrinkage::new(0.2, ShrinkageTarget::Reference).map(Estimator::Shrunk);
    let auto = || Estimator::AutoShrunk(ShrinkageTarget::Reference);
    let mut penalties: Vec<(String, Box<dyn Regularizer>)> = Vec::new();
    let mut add = |name: String, scorer: IsoScorer| -> Result<(), isostar_core::ConfigError> {
        penalties.push((name, Box::new(IStar::with_scorer(-0.1, scorer)?)));
        Ok(())
    };
    add("plugin, ζ = 0.2".into(), scorer(fixed()?))?;
    add("plugin, ζ auto".into(), scorer(auto()))?;
    add("unbiased".into(), scorer(Estimator::Unbiased))?;
    for count in [256, 512, 1024, 2048] {
        add(
            format!("plugin, ζ = 0.2, {count} states"),
            scorer(fixed()?).with_sample(count, 1),
        )?;
        add(
            format!("plugin, ζ auto, {count} states"),
            scorer(auto()).with_sample(count, 1),
        )?;
        let unbiased = scorer(Estimator::Unbiased).with_sample(count, 1);
        add(format!("unbiased, {count} states"), unbiased)?;
    }
    penalties.push(("VICReg".into(), Box::new(VicRegConfig::new().init()?)));
    let sigreg = SigRegConfig::new();
    penalties.push((
        "SIGReg, 1024 states".into(),
        Box::new(sigreg.with_tokens(1024).init()?),
    ));

    let mut times = vec![Vec::new(); penalties.len()];
    for round in 0..=rounds {
        for ((_, penalty), times) in penalties.iter().zip(&mut times) {
            let tracked = layers
                .iter()
                .map(|layer| layer.clone().autodiff().require_grad());
            let states = HiddenStates::from_layers(tracked.collect()).with_mask(mask.clone());
            let context = StepContext::default()
                .with_reference(&reference)
                .with_step(round);
            let start = Instant::now();
            let gradients = penalty.penalty(&states, &context).value.backward();
            let gradient = states.layers[0]
                .grad(&gradients)
                .ok_or("a leaf of the graph")?;
            let _ = gradient.sum().into_scalar::<f64>();
            // The first round warms the caches up.
            if round > 0 {
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    println!("| penalty | median ms | fastest ms | share of the first |");
    println!("|---|---:|---:|---:|");
    let median = |times: &[f64]| times[times.len() / 2];
    times
        .iter_mut()
        .for_each(|times| times.sort_by(f64::total_cmp));
    for ((name, _), sorted) in penalties.iter().zip(&times) {
        let share = median(sorted) / median(&times[0]);
        println!(
            "| {name} | {:.1} | {:.1} | {share:.2} |",
            median(sorted),
            sorted[0]
        );
    }
    Ok(())
}
