//! Steps in parts against steps on the whole batch.

mod faults;
mod model;
mod world;

use std::sync::Arc;

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{ModuleVisitor, Param};
use burn::optim::{AdamWConfig, ModuleOptimizer};
use burn::prelude::*;
use isostar_core::{CosRegConfig, IStarConfig, LayerSelection, Padding};

use super::*;
use model::{Batch, Model, ROWS, WIDTH};

/// Largest difference of losses, scores and gradients from those of the whole batch in each of 20
/// steps. Largest observed: 4e-7.
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

/// Loss, score and gradients of a batch as a whole.
fn whole(
    model: &Model,
    batch: &Batch,
    regularizer: &dyn Regularizer,
    reference: &Tensor<2>,
) -> (f64, f64, GradientsParams) {
    let step = model.forward_step(batch.clone());
    let penalty = regularizer.penalty(
        &step.hidden_states,
        &start(regularizer, reference).context(),
    );
    let numbers = [&step.task_loss, &penalty.measure].map(number);
    let gradients = (step.task_loss + penalty.value).backward();
    let gradients = GradientsParams::from_grads(gradients, model);
    (numbers[0], numbers[1], gradients)
}

/// The first step, with the reference if the regularizer needs one.
fn start(regularizer: &dyn Regularizer, reference: &Tensor<2>) -> StepStart {
    let needed = regularizer.reference_states().map(|_| reference);
    StepStart {
        reference: needed.cloned(),
        step: 0,
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

fn regularizers() -> Vec<Arc<dyn Regularizer>> {
    let istar = |zeta| IStarConfig::new(-0.7).with_shrinkage(zeta).init().unwrap();
    let mut each = IStarConfig::new(-0.7).with_shrinkage(0.0);
    each.states.layers = LayerSelection::Each;
    let mut cosreg = CosRegConfig::new();
    cosreg.states.layers = LayerSelection::All;
    let mut padded = IStarConfig::new(0.5);
    padded.states.padding = Padding::Keep;
    vec![
        Arc::new(istar(0.0)),
        Arc::new(istar(0.2)),
        Arc::new(cosreg.init().unwrap()),
        Arc::new(padded.init().unwrap()),
        Arc::new(each.init().unwrap()),
    ]
}

#[test]
fn every_division_follows_the_whole_batch_for_twenty_steps() {
    let device = Device::flex().autodiff();
    let reference = Tensor::<2>::eye(WIDTH, &Device::flex()) * 0.3;
    let initial = Model::new(&device);
    for regularizer in regularizers() {
        let mut expected = Vec::new();
        let (mut model, mut optimizer) = (initial.clone(), self::optimizer());
        for step in 0..20 {
            let batch = Batch::random(step, &device);
            let (loss, score, gradients) = whole(&model, &batch, regularizer.as_ref(), &reference);
            expected.push((loss, score, values(&model, &gradients)));
            model = optimizer.step(ModuleLearningRate::from(0.01), model, gradients);
        }
        let mut largest: f64 = 0.0;
        for (devices, rows) in [(1, ROWS), (1, 6), (2, ROWS), (3, ROWS), (2, 6), (3, 4)] {
            let mut crew = crew(devices, rows, AccumulateScore::Full, &regularizer);
            let (mut model, mut optimizer) = (initial.clone(), self::optimizer());
            for (step, (loss, score, gradients)) in expected.iter().enumerate() {
                let batch = Batch::random(step as u64, &device);
                let computed = crew
                    .compute(&model, &batch, &start(regularizer.as_ref(), &reference))
                    .unwrap();
                let penalty = computed.output.penalty.unwrap();
                let found = [&computed.output.task_loss, &penalty.measure].map(number);
                let found_gradients = values(&model, &computed.gradients);
                let differences = [
                    (found[0] - loss).abs(),
                    (found[1] - score).abs(),
                    largest_difference(&found_gradients, gradients),
                ];
                let what = format!(
                    "{} on {devices} devices with {rows} rows, step {step}: {differences:?}",
                    regularizer.measure_name()
                );
                assert!(
                    differences.iter().all(|apart| *apart <= TOLERANCE),
                    "{what}"
                );
                largest = differences.into_iter().fold(largest, f64::max);
                model = optimizer.step(ModuleLearningRate::from(0.01), model, computed.gradients);
            }
        }
        println!("{}: {largest:e}", regularizer.measure_name());
    }
}

#[test]
fn micro_batches_have_penalties_of_their_own_which_devices_share() {
    let device = Device::flex().autodiff();
    let model = Model::new(&device);
    let batch = Batch::random(3, &device);
    let regularizer = regularizers().swap_remove(0);
    let reference = Tensor::<2>::eye(WIDTH, &Device::flex());
    let (_, score, gradients) = whole(&model, &batch, regularizer.as_ref(), &reference);
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
    let regularizer = regularizers().swap_remove(0);
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
