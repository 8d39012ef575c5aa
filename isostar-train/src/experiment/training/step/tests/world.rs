//! Steps of several processes against steps on the whole batch, with threads for processes.

use std::sync::Arc;

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::GradientsParams;
use burn::prelude::*;
use isostar_core::{Penalty, Regularizer};
use isostar_kernels::Precision;

use super::model::{Batch, Fault, Model, ROWS, WIDTH};
use super::{
    Make, TOLERANCE, end_step, first, istar, largest_difference, number, of_moments, of_states,
    optimizer, start, targets, values, whole,
};
use crate::data::RowBatch;
use crate::experiment::AccumulateScore;
use crate::experiment::training::step::{Computed, Crew, Division, clip};
use crate::hook::StepStart;
use crate::world::World;
use crate::world::tests::together;

/// Loss, score and error of a target of a step; its gradients, and their norm.
type Step = ([f64; 3], Vec<f64>, f64);

const STEPS: u64 = 20;

/// A gradient norm that most steps exceed.
const LIMIT: f64 = 0.05;

fn crew(
    world: &World,
    devices: usize,
    rows: usize,
    regularizer: &Arc<dyn Regularizer>,
) -> Crew<Model> {
    let devices = vec![Device::flex().autodiff(); devices];
    let division = Division {
        rows,
        score: AccumulateScore::Full,
        precision: Precision::F32,
    };
    Crew::new(world.clone(), &devices, Some(regularizer.clone()), division)
}

fn reference() -> Tensor<2> {
    Tensor::<2>::eye(WIDTH, &Device::flex()) * 0.3
}

/// Takes twenty steps, with gradients clipped at `limit`. `compute` returns task loss, penalty and gradients.
fn steps(
    regularizer: &dyn Regularizer,
    limit: f64,
    mut compute: impl FnMut(&Model, &Batch, &StepStart) -> (f64, Penalty, GradientsParams),
) -> Vec<Step> {
    let device = Device::flex().autodiff();
    let (mut model, mut optimizer) = (Model::new(&device), optimizer());
    let step = |step| {
        let batch = Batch::random(step, &device);
        let start = start(regularizer, &reference(), step);
        let (loss, penalty, gradients) = compute(&model, &batch, &start);
        let error = end_step(regularizer, step, loss, &penalty);
        let found = values(&model, &gradients);
        let (gradients, norm) = clip(&model, gradients, limit).unwrap();
        model = optimizer.step(ModuleLearningRate::from(0.01), model.clone(), gradients);
        ([loss, number(&penalty.measure), error], found, norm)
    };
    (0..STEPS).map(step).collect()
}

/// The steps of one of the processes.
fn shared_steps(
    world: &World,
    devices: usize,
    rows: usize,
    limit: f64,
    regularizer: &Arc<dyn Regularizer>,
) -> Vec<Step> {
    let mut crew = crew(world, devices, rows, regularizer);
    steps(regularizer.as_ref(), limit, |model, batch, start| {
        let Computed { gradients, output } = crew.compute(model, batch, start).unwrap();
        let loss = number(&output.task_loss);
        (loss, output.penalty.unwrap(), gradients)
    })
}

/// Relative for numbers above 1.
fn largest_apart(one: &[Step], other: &[Step]) -> f64 {
    let relative = |(one, other): (&f64, &f64)| (one - other).abs() / other.abs().max(1.0);
    let apart = one.iter().zip(other).flat_map(|(one, other)| {
        assert_eq!(one.1.len(), other.1.len());
        let numbers = one.0.iter().zip(&other.0).map(relative);
        numbers.chain(one.1.iter().zip(&other.1).map(relative))
    });
    apart.fold(0.0, f64::max)
}

/// Compares processes with one process, for every regularizer of a list, with gradients clipped at
/// `limit`.
fn assert_follow(list: fn() -> Vec<(&'static str, Make)>, limit: f64) {
    const { assert!(!ROWS.is_multiple_of(2) && !ROWS.is_multiple_of(3)) };
    for (index, (name, make)) in list().into_iter().enumerate() {
        let regularizer = make();
        let expected = steps(regularizer.as_ref(), limit, |model, batch, start| {
            whole(model, batch, regularizer.as_ref(), start)
        });
        let clipped = expected.iter().filter(|step| step.2 > limit).count();
        let is_limited = limit.is_finite();
        assert_eq!(
            clipped > STEPS as usize / 2,
            is_limited,
            "{clipped} clipped"
        );
        for (ranks, devices, rows) in [
            (2, 1, ROWS),
            (3, 1, ROWS),
            (2, 2, ROWS),
            (2, 1, 6),
            (3, 1, 4),
        ] {
            let found = together(ranks, move |world| {
                let regularizer = list()[index].1();
                shared_steps(&world, devices, rows, limit, &regularizer)
            });
            let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
            assert!(found.iter().all(|rank| *rank == found[0]), "other bits");
            let apart = largest_apart(&found[0], &expected);
            println!("{name}, {ranks} processes of {devices} devices, {rows} rows: {apart:e}");
            assert!(apart <= TOLERANCE, "{name}: {apart:e}");
        }
    }
}

#[test]
fn processes_follow_one_process_with_penalties_of_moments() {
    assert_follow(of_moments, LIMIT);
}

#[test]
fn processes_follow_one_process_with_penalties_of_states() {
    assert_follow(of_states, LIMIT);
}

#[test]
fn processes_follow_one_process_with_targets() {
    // Clipping would amplify what rounding makes of the multipliers.
    assert_follow(targets, f64::INFINITY);
}

#[test]
fn scores_of_each_process_alone_would_fail() {
    let device = Device::flex().autodiff();
    let (model, batch) = (Model::new(&device), Batch::random(1, &device));
    for (name, make) in of_moments() {
        let regularizer = make();
        let start = start(regularizer.as_ref(), &reference(), 0);
        let score =
            |batch: &Batch| number(&whole(&model, batch, regularizer.as_ref(), &start).1.measure);
        let halves = [0..ROWS / 2, ROWS / 2..ROWS].map(|rows| score(&batch.part(rows)));
        let mean = (halves[0] + halves[1]) / 2.0;
        let apart = (mean - score(&batch)).abs();
        assert!(apart > 50.0 * TOLERANCE, "{name}: {apart:e}");
    }
}

#[test]
fn a_process_without_rows_takes_part() {
    for rows in [1, 2] {
        let regularizer = of_moments()[1].1();
        let device = Device::flex().autodiff();
        let model = Model::new(&device);
        let batch = Batch::random(2, &device).part(0..rows);
        let start_of_step = start(regularizer.as_ref(), &reference(), 0);
        let (loss, penalty, gradients) =
            whole(&model, &batch, regularizer.as_ref(), &start_of_step);
        let score = number(&penalty.measure);
        let expected = values(&model, &gradients);
        let found = together(3, move |world| {
            let mut crew = crew(&world, 1, ROWS, &regularizer);
            let computed = crew.compute(&model, &batch, &start_of_step).unwrap();
            let penalty = computed.output.penalty.unwrap();
            assert_eq!(computed.output.output.0.len(), rows);
            let numbers = [&computed.output.task_loss, &penalty.measure].map(number);
            (numbers, values(&model, &computed.gradients))
        });
        for found in found {
            let (numbers, gradients) = found.unwrap();
            assert!((numbers[0] - loss).abs() <= TOLERANCE);
            assert!((numbers[1] - score).abs() <= TOLERANCE);
            assert!(largest_difference(&gradients, &expected) <= TOLERANCE);
        }
    }
}

#[test]
fn a_process_whose_device_fails_ends_the_others_with_its_message() {
    for rank in 0..3 {
        let found = together(3, move |world| {
            let device = Device::flex().autodiff();
            let mut batch = Batch::random(3, &device);
            batch.fault = Some(Fault {
                thread: format!("rank {rank}"),
                pass: 0,
                passes: Arc::default(),
                in_output: true,
            });
            let mut crew = crew(&world, 1, ROWS, &istar());
            let result = crew.compute(&Model::new(&device), &batch, &first());
            let message = result.map(|_| ()).unwrap_err().to_string();
            world.end(Some(&message)).unwrap();
            message
        });
        for (own, found) in found.into_iter().enumerate() {
            let message = found.unwrap();
            assert!(message.contains("the device is lost"), "{message}");
            let is_named = message.starts_with(&format!("rank {rank} of 3 failed: "));
            assert_eq!(is_named, own != rank, "{message}");
        }
    }
}

#[test]
fn a_process_that_panics_or_loads_no_batch_leaves_nobody_waiting() {
    for (is_panic, expected) in [
        (true, "one of 3 processes has ended without a message"),
        (false, "rank 1 of 3 failed: row 7 is lost"),
    ] {
        let found = together(3, move |world| {
            let device = Device::flex().autodiff();
            let mut crew = crew(&world, 1, 8, &istar());
            let mut batch = Batch::random(3, &device);
            batch.fault = is_panic.then(|| Fault {
                thread: "rank 1".into(),
                // The second of three parts, of which the statistics are computed without a graph.
                pass: 2,
                passes: Arc::default(),
                in_output: false,
            });
            if !is_panic && world.rank() == 1 {
                world.end(Some("row 7 is lost")).unwrap();
                return "row 7 is lost".into();
            }
            let result = crew.compute(&Model::new(&device), &batch, &first());
            result.map(|_| ()).unwrap_err().to_string()
        });
        for rank in [0, 2] {
            assert_eq!(found[rank].as_ref().unwrap(), expected);
        }
        assert_eq!(found[1].is_err(), is_panic);
    }
}
