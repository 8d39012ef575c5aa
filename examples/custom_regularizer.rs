//! A custom regularizer that pulls the mean squared norm of the last layer's states towards the
//! width. It is used like a built-in one.
//!
//! cargo run -p isostar-examples --example custom_regularizer

use burn::prelude::*;
use burn::tensor::Distribution;
use isostar_core::{HiddenStates, IStarConfig, Penalty, Regularizer, StepContext, Sum};

/// penalty = weight·(m/d − 1)², where m is the mean squared norm of the last layer's states.
#[derive(Debug)]
struct UnitVariance {
    weight: f64,
}

impl Regularizer for UnitVariance {
    fn measure_name(&self) -> &str {
        "Mean squared norm"
    }

    fn penalty(&self, states: &HiddenStates, _context: &StepContext) -> Penalty {
        let last = states.layer(states.depth());
        let measure = last.clone().square().mean();
        Penalty::new((measure.clone() - 1.0).square() * self.weight, measure)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let both = Sum(vec![
        Box::new(IStarConfig::new(1.0).init()?),
        Box::new(UnitVariance { weight: 0.1 }),
    ]);

    // Gradient descent on the states themselves: 8 sequences of 16 tokens, width 32, one dimension
    // ten times as large as the others.
    let stretch = Tensor::<3>::ones([1, 1, 32], &device).slice_fill([0..1, 0..1, 0..1], 10.0);
    let mut states =
        Tensor::<3>::random([8, 16, 32], Distribution::Normal(0.0, 1.0), &device) * stretch;
    let reference = Tensor::<2>::eye(32, &device);
    for step in 0..=200 {
        states = states.detach().require_grad();
        let penalty = both.penalty(
            &HiddenStates::from_layers(vec![states.clone()]),
            &StepContext::default().with_reference(&reference),
        );
        if step % 50 == 0 {
            let (score, norm): (f64, f64) = (
                penalty.measure.into_scalar(),
                states.clone().square().mean().into_scalar(),
            );
            println!("step {step:>3}: IsoScore* {score:.4}, mean square {norm:.3}");
        }
        let gradients = penalty.value.backward();
        let gradient = states
            .grad(&gradients)
            .ok_or("the states are a leaf of the graph")?;
        states = states.without_autodiff() - gradient * 100.0;
        states = states.autodiff();
    }
    Ok(())
}
