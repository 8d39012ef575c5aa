//! Bias and spread of the estimators of IsoScore on batches whose states depend on each other within
//! a sequence. Prints the tables of docs/control.md.
//!
//! cargo run --release -p isostar-examples --example estimator_table [DRAWS]
//!
//! Every batch has K sequences of 16 states, x = √λ·(√ρ·c + √(1 − ρ)·e), where c is a standard normal
//! vector of the sequence, e one of the state, and λᵢ = i^(−1/2) are the eigenvalues of Σ. Its
//! IsoScore is known. The reference is Σ with every eigenvalue multiplied by e^(s·g), g standard
//! normal, where s is its drift.

use burn::prelude::*;
use burn::tensor::Distribution;
use isostar_core::{
    Estimator, HiddenStates, IsoScorer, Moments, Shrinkage, ShrinkageTarget, StateSelection,
    StepContext, isoscore_disjoint, isoscore_of_covariance, isoscore_unbiased,
};

const STATES: usize = 16;

/// Mean, standard deviation, and mean squared error of an estimate.
#[derive(Clone, Default)]
struct Errors {
    values: Vec<f64>,
}

impl Errors {
    fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }

    fn spread(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.values.iter().map(|value| (value - mean).powi(2)).sum();
        (squares / (self.values.len() as f64 - 1.0)).sqrt()
    }

    fn squared_error(&self, truth: f64) -> f64 {
        let squares = self.values.iter().map(|value| (value - truth).powi(2));
        squares.sum::<f64>() / self.values.len() as f64
    }

    /// The bias in units of its standard error.
    fn standard_errors(&self, truth: f64) -> f64 {
        (self.mean() - truth) / (self.spread() / (self.values.len() as f64).sqrt())
    }
}

/// The estimates of all draws of one setting.
#[derive(Default)]
struct Cell {
    plug_in: Errors,
    fixed: Errors,
    auto: Errors,
    row_wise: Errors,
    disjoint: Errors,
    missing: usize,
    /// F̂ and T̂ over their true values.
    frobenius: Errors,
    trace: Errors,
    /// Scores, and squared errors of the covariance, for the nine ζ and the estimated one.
    scores: Vec<Errors>,
    distances: Vec<Errors>,
    weight: Errors,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let draws: usize = std::env::args()
        .nth(1)
        .map_or(Ok(500), |draws| draws.parse())?;
    println!("{draws} draws; mean ± standard deviation of the score");
    println!(
        "|    d |  K |   ρ | drift | truth | plug-in | ζ = 0.2 | ζ auto | rows | sequences | missing | bias/SE: rows | sequences | F̂/F − 1 | SE | T̂/T − 1 | SE | ζ | error of Σ: auto/best | of the score: auto/best |"
    );
    println!("|{}", "---:|".repeat(20));
    for d in [64, 384, 768] {
        for sequences in [4, 8, 32] {
            for correlation in [0.0, 0.5, 0.9] {
                for drift in [0.1, 0.5] {
                    row(d, sequences, correlation, drift, draws)?;
                }
            }
        }
    }
    Ok(())
}

fn row(
    d: usize,
    sequences: usize,
    correlation: f64,
    drift: f64,
    draws: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    device.seed((d * 1000 + sequences * 10) as u64 + (correlation * 10.0) as u64);
    let eigenvalues: Vec<f64> = (1..=d).map(|i| (i as f64).powf(-0.5)).collect();
    let trace: f64 = eigenvalues.iter().sum();
    let frobenius: f64 = eigenvalues.iter().map(|value| value * value).sum();
    let truth = (trace * trace / frobenius - 1.0) / (d as f64 - 1.0);

    let eigenvalues = Tensor::<1>::from_floats(&eigenvalues[..], &device);
    let identity = Tensor::<2>::eye(d, &device);
    let sigma: Tensor<2> = identity.clone() * eigenvalues.clone().unsqueeze::<2>();
    let moved = Tensor::<1>::random([d], Distribution::Normal(0.0, drift), &device).exp();
    let reference: Tensor<2> = sigma.clone() * moved.unsqueeze::<2>();
    let scale: Tensor<3> = eigenvalues.sqrt().unsqueeze();
    let offset = reference.clone() - sigma.clone();
    let total = |tensor: Tensor<2>| tensor.sum_dim(1).sum_dim(0).into_scalar::<f64>();
    let third = total(offset.clone().square());

    let fixed = Shrinkage::new(0.2, ShrinkageTarget::Reference)?;
    let auto = IsoScorer::new(
        Estimator::AutoShrunk(ShrinkageTarget::Reference),
        StateSelection::default(),
    );
    let nine: Vec<f64> = (1..=9).map(|tenth| f64::from(tenth) / 10.0).collect();
    let mut cell = Cell {
        scores: vec![Errors::default(); 10],
        distances: vec![Errors::default(); 10],
        ..Cell::default()
    };
    for _ in 0..draws {
        let normal = |states| {
            let shape = [sequences, states, d];
            Tensor::<3>::random(shape, Distribution::Normal(0.0, 1.0), &device)
        };
        let common = normal(1) * correlation.sqrt();
        let states = (normal(STATES) * (1.0 - correlation).sqrt() + common) * scale.clone();
        let points = states.clone().reshape([sequences * STATES, d]);

        let covariance = Moments::from_points(points.clone()).covariance();
        let score = |matrix: Tensor<2>| isoscore_of_covariance(matrix).into_scalar::<f64>();
        cell.plug_in.values.push(score(covariance.clone()));
        cell.fixed
            .values
            .push(score(fixed.apply(covariance.clone(), Some(&reference))));
        cell.row_wise.values.extend(isoscore_unbiased(points));

        let estimate = isoscore_disjoint(states.clone(), None);
        cell.missing += usize::from(estimate.isoscore.is_none());
        cell.disjoint.values.extend(estimate.isoscore);
        cell.frobenius
            .values
            .push(estimate.trace_of_square / frobenius);
        cell.trace
            .values
            .push(estimate.square_of_trace / trace.powi(2));

        let context = StepContext::default().with_reference(&reference);
        let scores = auto.scores(&HiddenStates::from_layers(vec![states]), &context);
        let weight = scores.details[0].value.clone().into_scalar::<f64>();
        cell.weight.values.push(weight);
        cell.auto.values.push(scores.mean().into_scalar::<f64>());

        let error = covariance.clone() - sigma.clone();
        let (first, second) = (total(error.clone().square()), total(error * offset.clone()));
        let distance = |weight: f64| {
            let own = 1.0 - weight;
            own * own * first + 2.0 * own * weight * second + weight * weight * third
        };
        for (at, weight) in nine.iter().copied().chain([weight]).enumerate() {
            let mixed = covariance.clone() * (1.0 - weight) + reference.clone() * weight;
            cell.scores[at].values.push(score(mixed));
            cell.distances[at].values.push(distance(weight));
        }
    }
    let best = |errors: &[f64]| errors[..9].iter().copied().fold(f64::INFINITY, f64::min);
    let scores: Vec<f64> = cell
        .scores
        .iter()
        .map(|errors| errors.squared_error(truth))
        .collect();
    let distances: Vec<f64> = cell.distances.iter().map(Errors::mean).collect();
    let shown = |errors: &Errors| format!("{:.3} ± {:.3}", errors.mean(), errors.spread());
    println!(
        "| {d} | {sequences} | {correlation} | {drift} | {truth:.3} | {} | {} | {} | {} | {} | {} | {:.1} | {:.1} | {:+.3} | {:.1} | {:+.4} | {:.1} | {:.2} | {:.2} | {:.2} |",
        shown(&cell.plug_in),
        shown(&cell.fixed),
        shown(&cell.auto),
        shown(&cell.row_wise),
        shown(&cell.disjoint),
        cell.missing,
        cell.row_wise.standard_errors(truth),
        cell.disjoint.standard_errors(truth),
        cell.frobenius.mean() - 1.0,
        cell.frobenius.standard_errors(1.0),
        cell.trace.mean() - 1.0,
        cell.trace.standard_errors(1.0),
        cell.weight.mean(),
        distances[9] / best(&distances),
        scores[9] / best(&scores),
    );
    Ok(())
}
