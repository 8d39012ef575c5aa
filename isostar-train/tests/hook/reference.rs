//! The reference: when it is estimated, of how many states.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::train::{Learner, SupervisedTraining, TrainStep};
use isostar_core::{Moments, StateSelection};
use isostar_train::hook::{HiddenStateModel, HookEvent};

use super::common::{Batches, Perceptron};
use super::hook_of;

#[test]
fn the_reference_is_estimated_once_an_epoch_in_evaluation_mode() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let train = Batches::random(5, 8, 1, &device);
    let calibration = Batches::random(4, 8, 2, &device);
    let (hook, events) = hook_of(0.5, |config| {
        config
            .with_limit(3 * 8 * 2)
            .with_calibration_loader(Arc::new(calibration.clone()))
    });
    // Dropout makes training and evaluation mode differ.
    let model = Perceptron::new(0.5, &device.clone().autodiff());
    let score = {
        let moments = calibration.batches[..3].iter().map(|batch| {
            StateSelection::default().moments(&model.valid().hidden_states(batch.clone()))
        });
        isostar_core::isoscore_of_covariance(Moments::union(moments.collect()).covariance())
            .into_scalar::<f64>()
    };

    let training = SupervisedTraining::new(
        folder.path(),
        hook.tap(Arc::new(train.clone())),
        Arc::new(Batches::random(2, 8, 3, &device)),
    )
    .with_application_logger(None)
    .num_epochs(3);
    training.launch(Learner::new(
        hook.wrap(model),
        AdamWConfig::new().init(),
        1e-3,
    ));

    let events = events.lock().unwrap();
    let finished: Vec<_> = events
        .iter()
        .filter(|event| matches!(event, HookEvent::CalibrationFinished { .. }))
        .collect();
    assert_eq!(finished.len(), 3, "{events:?}");
    let HookEvent::CalibrationFinished {
        epoch,
        states,
        isoscore,
        ..
    } = finished[0]
    else {
        unreachable!()
    };
    assert_eq!(
        (*epoch, *states),
        (1, 3 * 8 * 2),
        "two layers of three batches are at the limit"
    );
    assert!(
        (isoscore.unwrap() - score).abs() < 1e-5,
        "{isoscore:?} {score}"
    );
    assert_eq!(calibration.iterated.load(Ordering::SeqCst), 3);
    assert_eq!(calibration.given.load(Ordering::SeqCst), 9);
    assert_eq!(
        train.iterated.load(Ordering::SeqCst),
        3,
        "a loader of the hook's own spares the training loader"
    );
}

#[test]
fn a_batch_beyond_the_limit_is_left_out() {
    let device = Device::flex();
    let (hook, events) = hook_of(0.5, |config| config.with_limit(2 * 8 * 2 + 5));
    let tapped = hook.tap(Arc::new(Batches::random(
        5,
        8,
        1,
        &device.clone().autodiff(),
    )));
    let batch = tapped.iter().next().unwrap().unwrap();
    TrainStep::step(&hook.wrap(Perceptron::new(0.0, &device.autodiff())), batch);
    let events = events.lock().unwrap();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, HookEvent::CalibrationFinished { states: 32, .. })),
        "{events:?}"
    );
}

#[test]
fn a_calibration_ends_when_its_covariance_has_settled() {
    let device = Device::flex();
    let calibrate = |tolerance: f64| {
        let (hook, events) = hook_of(0.5, |config| config.with_tolerance(tolerance));
        let tapped = hook.tap(Arc::new(Batches::random(
            64,
            8,
            1,
            &device.clone().autodiff(),
        )));
        let batch = tapped.iter().next().unwrap().unwrap();
        TrainStep::step(
            &hook.wrap(Perceptron::new(0.0, &device.clone().autodiff())),
            batch,
        );
        let events = events.lock().unwrap();
        let found = events.iter().find_map(|event| match event {
            HookEvent::CalibrationFinished {
                states, settled, ..
            } => Some((*states, *settled)),
            _ => None,
        });
        found.expect("a calibration has finished")
    };
    assert_eq!(
        calibrate(0.0),
        (64 * 8 * 2, None),
        "by default, all states are used"
    );
    let (states, settled) = calibrate(0.3);
    assert!(states < 64 * 8 * 2 && states.is_power_of_two(), "{states}");
    assert!(settled.is_some_and(|change| change < 0.3), "{settled:?}");
}
