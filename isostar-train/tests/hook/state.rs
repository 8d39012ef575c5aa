//! Tests of the state of a hook, with a training loop that is not burn-train's.

use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::optim::{AdamWConfig, ModuleOptimizer};
use burn::prelude::*;
use burn::train::{TrainOutput, TrainStep};
use isostar_train::hook::{Hook, HookEvent, Regularized};

use super::common::{self, Batches, Perceptron};
use super::hook;

/// Trains on one pass over a tapped loader; calls `between` after each step, with the number of
/// steps.
fn pass(
    tapped: &Arc<dyn DataLoader<common::Batch>>,
    mut model: Regularized<Perceptron>,
    optimizer: &mut ModuleOptimizer,
    mut between: impl FnMut(usize, &Regularized<Perceptron>, &ModuleOptimizer),
) -> Regularized<Perceptron> {
    for (step, batch) in tapped.iter().enumerate() {
        let TrainOutput { grads, .. } = TrainStep::step(&model, batch.unwrap());
        model = optimizer.step(1e-2, model, grads);
        between(step + 1, &model, optimizer);
    }
    model
}

/// The last layer's states of a batch.
fn states(model: &Regularized<Perceptron>, batch: &common::Batch) -> Vec<f32> {
    model.inner().layers(batch.points.clone())[1]
        .clone()
        .try_into_vec_as()
        .unwrap()
}

#[test]
fn a_training_resumed_within_an_epoch_has_the_reference_and_the_weights_of_an_uninterrupted_one() {
    let device = Device::flex().autodiff();
    let loader = Batches::random(6, 32, 1, &device);
    let (whole, _) = hook(5.0);
    let mut saved = None;
    let optimizer = || AdamWConfig::new().init();
    let tapped = whole.tap(Arc::new(loader.clone()));
    let trained = pass(
        &tapped,
        whole.wrap(Perceptron::new(0.0, &device)),
        &mut optimizer(),
        |step, model, optimizer| {
            if step == 4 {
                saved = Some((
                    whole.state().unwrap(),
                    model.inner().clone(),
                    optimizer.clone(),
                ));
            }
        },
    );

    let expected = states(&trained, &loader.batches[0]);
    let (state, model, mut optimizer) = saved.unwrap();
    assert_eq!(
        (
            state.step,
            state.task_losses.len(),
            state.is_collapse_reported
        ),
        (4, 4, false)
    );
    assert!(state.reference.is_some());
    let rest = Batches {
        batches: Arc::new(loader.batches[4..].to_vec()),
        ..Batches::random(1, 32, 1, &device)
    };
    let (resumed, events) = hook(5.0);
    resumed.restore(state.clone(), &device);
    let tapped = resumed.tap(Arc::new(rest.clone()));
    pass(
        &tapped,
        resumed.wrap(model.clone()),
        &mut optimizer.clone(),
        |step, _, _| {
            assert_eq!(resumed.state().unwrap().step, 4 + step);
        },
    );
    let calibrations = |events: &super::Events| {
        events
            .lock()
            .unwrap()
            .iter()
            .filter(|event| matches!(event, HookEvent::CalibrationStarted { .. }))
            .count()
    };
    assert_eq!(
        calibrations(&events),
        0,
        "the reference is that of the state"
    );

    // The same weights at the end; the next pass estimates a new reference.
    let (resumed, events) = hook(5.0);
    resumed.restore(state, &device);
    let tapped = resumed.tap(Arc::new(rest));
    let trained = pass(&tapped, resumed.wrap(model), &mut optimizer, |_, _, _| {});
    assert_eq!(states(&trained, &loader.batches[0]), expected);
    assert_eq!(calibrations(&events), 0);
    pass(&tapped, trained, &mut optimizer, |_, _, _| {});
    assert_eq!(calibrations(&events), 1);
}

#[test]
fn a_discarded_step_does_not_end_the_training() {
    let device = Device::flex().autodiff();
    let mut loader = Batches::random(3, 16, 1, &device);
    let broken = common::Batch {
        points: loader.batches[1].points.clone() * f32::NAN,
        ..loader.batches[1].clone()
    };
    loader.batches = Arc::new(vec![
        loader.batches[0].clone(),
        broken,
        loader.batches[2].clone(),
    ]);
    for discards in [true, false] {
        let hook = Hook::<common::Batch>::without_regularizer();
        let model = hook.wrap(Perceptron::new(0.0, &device));
        let tapped = hook.tap(Arc::new(loader.clone()));
        let mut ended = None;
        for (step, batch) in tapped.iter().enumerate() {
            let Ok(batch) = batch else {
                ended = Some(step);
                break;
            };
            TrainStep::step(&model, batch);
            if step == 1 && discards {
                hook.discard_step();
            }
        }
        assert_eq!(
            (ended, hook.divergence().is_some()),
            if discards {
                (None, false)
            } else {
                (Some(2), true)
            }
        );
    }
}
