//! Steps in parts against steps on the whole batch.

mod faults;
mod model;
mod world;

use std::sync::Arc;

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{ModuleVisitor, Param};
use burn::optim::{AdamWConfig, ModuleOptimizer};
use burn::prelude::*;
use isostar_core::{
    CosRegConfig, Estimator, Hold, IStar, IStarConfig, IsoScorer, LayerSelection, Padding, Ramp,
    Shrinkage, ShrinkageTarget, SigRegConfig, StateSelection, StepNumbers, Target, VicRegConfig,
};

use super::*;
use model::{Batch, Model, ROWS, WIDTH};

/// Largest difference of losses, scores and gradients from those of the whole batch in each of 20
/// steps, relative to numbers above 1. Largest observed: 4e-7.
const TOLERANCE: f64 = 1e-6;

/// The gradients of all parameters, one after the other.
fn values(model: &Model, gradients: &GradientsParams) -> Vec<f64> {
    struct Values<'a>(&'a GradientsParams, Vec<f64>);
    impl ModuleVisitor for Values<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id).expect("every parameter has one");
            self.1.extend(gradient.into_data().iter::<f64>());
        }
    }
    let mut values = Values(gradients, Vec::new());
    model.visit(&mut values);
    values.1
}

fn number(tensor: &Tensor<1>) -> f64 {
    tensor.clone().into_scalar::<f64>()
}

fn largest_difference(one: &[f64], other: &[f64]) -> f64 {
    assert_eq!(one.len(), other.len());
    let differences = one
        .iter()
        .zip(other)
        .map(|(one, other)| (one - other).abs());
    differences.fold(0.0, f64::max)
}

/// Loss, penalty and gradients of a batch as a whole.
fn whole(
    model: &Model,
    batch: &Batch,
    regularizer: &dyn Regularizer,
    start: &StepStart,
) -> (f64, Penalty, GradientsParams) {
    let step = model.forward_step(batch.clone());
    let penalty = regularizer.penalty(&step.hidden_states, &start.context());
    let task_loss = number(&step.task_loss);
    let gradients = (step.task_loss + penalty.value.clone()).backward();
    let gradients = GradientsParams::from_grads(gradients, model);
    (task_loss, penalty, gradients)
}

/// Gives the numbers of a step to the regularizer, as a hook does. Returns the error of a
/// target, or 0.
fn end_step(regularizer: &dyn Regularizer, step: u64, task_loss: f64, penalty: &Penalty) -> f64 {
    let details = penalty.details.iter();
    let held = regularizer.after_step(&StepNumbers {
        step,
        task_loss,
        details: details
            .map(|detail| (detail.name.clone(), number(&detail.value)))
            .collect(),
    });
    held.iter().map(|held| held.numbers.error).sum()
}

/// A step, with the reference if the regularizer needs one.
fn start(regularizer: &dyn Regularizer, reference: &Tensor<2>, step: u64) -> StepStart {
    let needed = regularizer.reference_states().map(|_| reference);
    StepStart {
        reference: needed.cloned(),
        step,
    }
}

/// The first step without a reference.
fn first() -> StepStart {
    StepStart {
        reference: None,
        step: 0,
    }
}

fn optimizer() -> ModuleOptimizer {
    AdamWConfig::new().init()
}

fn crew(
    devices: usize,
    rows: usize,
    score: AccumulateScore,
    regularizer: &Arc<dyn Regularizer>,
) -> Crew<Model> {
    let devices = vec![Device::flex().autodiff(); devices];
    let precision = Precision::F32;
    let division = Division {
        rows,
        score,
        precision,
    };
    Crew::new(
        World::alone(),
        &devices,
        Some(regularizer.clone()),
        division,
    )
}

type Make = Box<dyn Fn() -> Arc<dyn Regularizer>>;

fn istar() -> Arc<dyn Regularizer> {
    Arc::new(IStarConfig::new(-0.7).with_shrinkage(0.0).init().unwrap())
}

/// I-STAR by moments, and other sums.
fn of_moments() -> Vec<(&'static str, Make)> {
    let shrunk = || IStarConfig::new(-0.7).with_shrinkage(0.2).init().unwrap();
    let mut each = IStarConfig::new(-0.7).with_shrinkage(0.0);
    each.states.layers = LayerSelection::Each;
    let mut cosreg = CosRegConfig::new();
    cosreg.states.layers = LayerSelection::All;
    let mut padded = IStarConfig::new(0.5);
    padded.states.padding = Padding::Keep;
    let vicreg = VicRegConfig::new().with_weight(0.02);
    vec![
        ("ζ = 0", Box::new(istar)),
        ("ζ = 0.2", Box::new(move || Arc::new(shrunk()))),
        ("CosReg", Box::new(move || Arc::new(cosreg.init().unwrap()))),
        (
            "padding",
            Box::new(move || Arc::new(padded.init().unwrap())),
        ),
        ("each", Box::new(move || Arc::new(each.init().unwrap()))),
        ("VICReg", Box::new(move || Arc::new(vicreg.init().unwrap()))),
        ("ramp", Box::new(move || Arc::new(Ramp::new(shrunk(), 12)))),
    ]
}

/// Penalties that need the states themselves.
fn of_states() -> Vec<(&'static str, Make)> {
    let scored = |estimator: Estimator, layers: &str, sample: usize| -> Make {
        let selection = StateSelection {
            layers: layers.parse().unwrap(),
            padding: Padding::Mask,
        };
        let scorer = IsoScorer::new(estimator, selection).with_sample(sample, 4);
        Box::new(move || Arc::new(IStar::with_scorer(-0.7, scorer.clone()).unwrap()))
    };
    let shrunk = Shrinkage::new(0.2, ShrinkageTarget::Reference).unwrap();
    let auto = || Estimator::AutoShrunk(ShrinkageTarget::Reference);
    let sigreg = SigRegConfig::new().with_slices(16);
    let drawn = sigreg.clone().with_tokens(60);
    vec![
        ("unbiased", scored(Estimator::Unbiased, "all", 0)),
        ("unbiased, each", scored(Estimator::Unbiased, "each", 0)),
        (
            "unbiased, 90 states",
            scored(Estimator::Unbiased, "all", 90),
        ),
        ("auto", scored(auto(), "all", 0)),
        ("auto, 90 states", scored(auto(), "all", 90)),
        ("ζ = 0.2, 90 states", scored(shrunk.into(), "all", 90)),
        ("SIGReg", Box::new(move || Arc::new(sigreg.init().unwrap()))),
        (
            "SIGReg, 60 states",
            Box::new(move || Arc::new(drawn.init().unwrap())),
        ),
    ]
}

/// Scores that are held at targets.
fn targets() -> Vec<(&'static str, Make)> {
    let target = |holds: Vec<(LayerSelection, f64)>| -> Make {
        Box::new(move || {
            let holds = holds.iter().map(|(layers, target)| {
                let mut hold = Hold::new(layers.clone(), *target);
                hold.control = hold.control.with_warmup(15).with_response(0.01);
                hold
            });
            Arc::new(Target::new(holds.collect(), Padding::Mask).unwrap())
        })
    };
    let layer = |layer| LayerSelection::Only(vec![layer]);
    vec![
        ("target", target(vec![(LayerSelection::All, 0.5)])),
        ("targets", target(vec![(layer(1), 0.3), (layer(2), 0.9)])),
    ]
}

/// Takes twenty steps on whole batches and in parts, with a regularizer of its own each.
fn assert_follows(name: &str, make: &Make) {
    let device = Device::flex().autodiff();
    let reference = Tensor::<2>::eye(WIDTH, &Device::flex()) * 0.3;
    let initial = Model::new(&device);
    let mut expected = Vec::new();
    let (mut model, mut optimizer) = (initial.clone(), self::optimizer());
    let regularizer = make();
    for step in 0..20 {
        let batch = Batch::random(step, &device);
        let start = start(regularizer.as_ref(), &reference, step);
        let (loss, penalty, gradients) = whole(&model, &batch, regularizer.as_ref(), &start);
        let error = end_step(regularizer.as_ref(), step, loss, &penalty);
        let numbers = [loss, number(&penalty.measure), error];
        expected.push((numbers, values(&model, &gradients)));
        model = optimizer.step(ModuleLearningRate::from(0.01), model, gradients);
    }
    let mut largest: f64 = 0.0;
    for (devices, rows) in [(1, ROWS), (1, 6), (2, ROWS), (3, ROWS), (2, 6), (3, 4)] {
        let regularizer = make();
        let mut crew = crew(devices, rows, AccumulateScore::Full, &regularizer);
        let (mut model, mut optimizer) = (initial.clone(), self::optimizer());
        for (step, (numbers, gradients)) in (0..).zip(&expected) {
            let batch = Batch::random(step, &device);
            let start = start(regularizer.as_ref(), &reference, step);
            let computed = crew.compute(&model, &batch, &start).unwrap();
            let penalty = computed.output.penalty.unwrap();
            let loss = number(&computed.output.task_loss);
            let error = end_step(regularizer.as_ref(), step, loss, &penalty);
            let found = [loss, number(&penalty.measure), error];
            let found_gradients = values(&model, &computed.gradients);
            let relative = |(found, expected): (&f64, &f64)| {
                (found - expected).abs() / expected.abs().max(1.0)
            };
            let numbers = found.iter().zip(numbers).map(relative);
            let differences = [
                numbers.fold(0.0, f64::max),
                largest_difference(&found_gradients, gradients),
            ];
            assert!(
                differences.iter().all(|apart| *apart <= TOLERANCE),
                "{name} on {devices} devices with {rows} rows, step {step}: {differences:?}"
            );
            largest = differences.into_iter().fold(largest, f64::max);
            model = optimizer.step(ModuleLearningRate::from(0.01), model, computed.gradients);
        }
    }
    println!("{name}: {largest:e}");
}

#[test]
fn penalties_of_moments_in_parts_follow_the_whole_batch_for_twenty_steps() {
    for (name, make) in of_moments() {
        assert_follows(name, &make);
    }
}

#[test]
fn penalties_of_states_in_parts_follow_the_whole_batch_for_twenty_steps() {
    for (name, make) in of_states() {
        assert_follows(name, &make);
    }
}

#[test]
fn targets_in_parts_follow_the_whole_batch_for_twenty_steps() {
    for (name, make) in targets() {
        assert_follows(name, &make);
    }
}

#[test]
fn micro_batches_have_penalties_of_their_own_which_devices_share() {
    let device = Device::flex().autodiff();
    let model = Model::new(&device);
    let batch = Batch::random(3, &device);
    let regularizer = istar();
    let (_, penalty, gradients) = whole(&model, &batch, regularizer.as_ref(), &first());
    let score = number(&penalty.measure);
    let of = |devices, rows, score| {
        let computed = crew(devices, rows, score, &regularizer)
            .compute(&model, &batch, &first())
            .unwrap();
        let score = number(&computed.output.penalty.unwrap().measure);
        (score, values(&model, &computed.gradients))
    };
    let (micro, micro_gradients) = of(1, 4, AccumulateScore::Micro);
    assert!(
        (micro - score).abs() > 1000.0 * TOLERANCE,
        "{micro} {score}"
    );
    let apart = largest_difference(&micro_gradients, &values(&model, &gradients));
    assert!(apart > 1000.0 * TOLERANCE, "{apart}");

    let (shared, shared_gradients) = of(2, 4, AccumulateScore::Micro);
    assert!((shared - micro).abs() <= TOLERANCE);
    assert!(largest_difference(&shared_gradients, &micro_gradients) <= TOLERANCE);
}

#[test]
fn the_bits_of_a_step_are_the_same_every_time() {
    let device = Device::flex().autodiff();
    let model = Model::new(&device);
    let batch = Batch::random(4, &device);
    let regularizer = istar();
    let mut crew = crew(3, 5, AccumulateScore::Full, &regularizer);
    let mut gradients = || {
        let computed = crew.compute(&model, &batch, &first()).unwrap();
        values(&model, &computed.gradients)
    };
    let first = gradients();
    for _ in 0..10 {
        assert_eq!(gradients(), first);
    }
}

#[test]
fn without_a_regularizer_the_task_loss_alone_is_differentiated() {
    let device = Device::flex().autodiff();
    let (model, batch) = (Model::new(&device), Batch::random(5, &device));
    let gradients = model.forward_step(batch.clone()).task_loss.backward();
    let expected = values(&model, &GradientsParams::from_grads(gradients, &model));
    let devices = vec![device; 2];
    let division = Division {
        rows: 7,
        score: AccumulateScore::Full,
        precision: Precision::F32,
    };
    let computed = Crew::new(World::alone(), &devices, None, division)
        .compute(&model, &batch, &first())
        .unwrap();
    assert!(computed.output.penalty.is_none());
    assert_eq!(computed.output.output.0.len(), 8);
    let apart = largest_difference(&values(&model, &computed.gradients), &expected);
    assert!(apart <= TOLERANCE, "{apart}");
}
