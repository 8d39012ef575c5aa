//! Tests of failed calibrations and of calibration with several devices.

use std::sync::Arc;

use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::train::metric::LossMetric;
use burn::train::{
    ExecutionStrategy, Interrupter, Learner, LearningResult, MultiDeviceOptim, SupervisedTraining,
    TrainStep,
};
use isostar_train::hook::{CalibrationError, Hook, HookEvent, Regularized};

use super::common::{self, Batches, Perceptron};
use super::{Events, hook, hook_of};

/// The strategies of burn-train that run on a CPU.
fn strategies() -> [ExecutionStrategy; 3] {
    let devices = || vec![Device::flex(), Device::flex()];
    [
        ExecutionStrategy::single(Device::flex()),
        ExecutionStrategy::multi(devices(), MultiDeviceOptim::OptimMainDevice),
        ExecutionStrategy::multi(devices(), MultiDeviceOptim::OptimSharded),
    ]
}

/// Trains without an interrupter.
fn train(
    hook: &Hook<common::Batch>,
    train: Batches,
    epochs: usize,
    strategy: ExecutionStrategy,
) -> LearningResult<Regularized<Perceptron>> {
    let folder = tempfile::tempdir().unwrap();
    let valid = Batches::random(1, 8, 2, &Device::flex());
    let training =
        SupervisedTraining::new(folder.path(), hook.tap(Arc::new(train)), Arc::new(valid))
            .metric_train_numeric(LossMetric::new())
            .with_training_strategy(strategy.into())
            .with_application_logger(None)
            .num_epochs(epochs);
    let model = Perceptron::new(0.0, &Device::flex().autodiff());
    training.launch(Learner::new(
        hook.wrap(model),
        AdamWConfig::new().init(),
        1e-2,
    ))
}

/// Outputs of the model on fixed points; equal weights give equal bits.
fn outputs(model: &Perceptron) -> Vec<f32> {
    let points = Batches::random(1, 8, 9, &Device::flex()).batches[0]
        .points
        .clone();
    model.valid().layers(points)[1]
        .clone()
        .try_into_vec_as()
        .unwrap()
}

fn finished(events: &Events) -> usize {
    events
        .lock()
        .unwrap()
        .iter()
        .filter(|event| matches!(event, HookEvent::CalibrationFinished { .. }))
        .count()
}

/// Asserts that the training ended on the third calibration batch of `epoch` with an error that
/// says so.
#[track_caller]
fn assert_ended(
    hook: &Hook<common::Batch>,
    events: &Events,
    epoch: usize,
    result: &LearningResult<Regularized<Perceptron>>,
) {
    let error = result
        .error
        .as_ref()
        .expect("the training failed")
        .to_string();
    assert!(
        error.contains(&format!("epoch {epoch}"))
            && error.contains("batch 3")
            && error.contains("on fire"),
        "{error}"
    );
    assert!(
        matches!(
            hook.failure().as_deref(),
            Some(CalibrationError::Loader { batch: 3, .. })
        ),
        "{:?}",
        hook.failure()
    );
    assert_eq!(finished(events), epoch - 1);
    let failed = |event: &HookEvent| matches!(event, HookEvent::CalibrationFailed { reason, .. } if reason.contains("on fire"));
    assert_eq!(
        events
            .lock()
            .unwrap()
            .iter()
            .filter(|event| failed(event))
            .count(),
        1
    );
}

#[test]
fn a_calibration_loader_that_fails_ends_the_training_before_a_step_is_taken() {
    let device = Device::flex();
    let before = outputs(&Perceptron::new(0.0, &device));
    for strategy in strategies() {
        let broken = Batches {
            fails_at: Some(2),
            ..Batches::random(4, 8, 1, &device)
        };
        let (hook, events) = hook_of(0.1, |config| {
            config.with_calibration_loader(Arc::new(broken))
        });
        let result = train(&hook, Batches::random(4, 8, 1, &device), 5, strategy);
        assert_ended(&hook, &events, 1, &result);
        assert_eq!(outputs(result.model.inner()), before, "no step was taken");
    }
}

#[test]
fn a_training_loader_that_fails_during_calibration_ends_the_training_before_a_step_is_taken() {
    let device = Device::flex();
    let before = outputs(&Perceptron::new(0.0, &device));
    for strategy in strategies() {
        let (hook, events) = hook(0.1);
        let result = train(
            &hook,
            Batches {
                fails_at: Some(2),
                ..Batches::random(4, 8, 1, &device)
            },
            5,
            strategy,
        );
        assert_ended(&hook, &events, 1, &result);
        assert_eq!(outputs(result.model.inner()), before, "no step was taken");
    }
}

#[test]
fn a_calibration_that_fails_later_leaves_the_weights_of_the_epoch_before() {
    let device = Device::flex();
    let run = |epochs: usize, fails_from_pass: usize| {
        let calibration = Batches {
            fails_at: Some(2),
            fails_from_pass,
            ..Batches::random(4, 8, 5, &device)
        };
        let (hook, events) = hook_of(0.1, |config| {
            config.with_calibration_loader(Arc::new(calibration))
        });
        let result = train(
            &hook,
            Batches::random(4, 8, 1, &device),
            epochs,
            ExecutionStrategy::single(device.clone()),
        );
        (hook, events, result)
    };
    let (_, _, whole) = run(1, 2);
    assert!(whole.error.is_none());
    let (hook, events, result) = run(3, 2);
    assert_ended(&hook, &events, 2, &result);
    assert_eq!(outputs(result.model.inner()), outputs(whole.model.inner()));
}

#[test]
fn a_calibration_without_states_ends_the_training() {
    let empty = Batches {
        batches: Arc::default(),
        ..Batches::random(1, 8, 1, &Device::flex())
    };
    let (hook, _) = hook_of(0.1, |config| {
        config.with_calibration_loader(Arc::new(empty))
    });
    let result = train(
        &hook,
        Batches::random(4, 8, 1, &Device::flex()),
        1,
        ExecutionStrategy::single(Device::flex()),
    );
    let error = result.error.expect("the training failed").to_string();
    assert!(error.contains("0 hidden states"), "{error}");
}

#[test]
fn an_interruption_during_calibration_takes_no_step() {
    let device = Device::flex();
    let interrupter = Interrupter::new();
    let (hook, _) = hook_of(0.1, |config| {
        config
            .with_interrupter(interrupter.clone())
            .with_observer(move |event| {
                if matches!(event, HookEvent::CalibrationProgress { .. }) {
                    interrupter.stop(Some("enough"));
                }
            })
    });
    let before = outputs(&Perceptron::new(0.0, &device));
    let folder = tempfile::tempdir().unwrap();
    let training = SupervisedTraining::new(
        folder.path(),
        hook.tap(Arc::new(Batches::random(4, 8, 1, &device))),
        Arc::new(Batches::random(1, 8, 2, &device)),
    )
    .with_application_logger(None)
    .with_interrupter(hook.interrupter())
    .num_epochs(2);
    let model = Perceptron::new(0.0, &device.autodiff());
    let result = training.launch(Learner::new(
        hook.wrap(model),
        AdamWConfig::new().init(),
        1e-2,
    ));
    assert_eq!(
        result.interrupted.and_then(|stop| stop.reason).as_deref(),
        Some("enough")
    );
    assert_eq!(outputs(result.model.inner()), before);
}

#[test]
fn several_devices_share_one_reference_an_epoch() {
    let (hook, events) = hook(0.1);
    let devices = vec![Device::flex(), Device::flex()];
    let strategy = ExecutionStrategy::multi(devices, MultiDeviceOptim::OptimMainDevice);
    let result = train(
        &hook,
        Batches::random(6, 8, 1, &Device::flex()),
        3,
        strategy,
    );
    assert!(result.error.is_none(), "{:?}", result.error);
    assert_eq!(finished(&events), 3);
}

#[test]
fn the_reference_of_every_epoch_is_estimated_on_the_device_of_the_first() {
    #[allow(deprecated, reason = "the only second device that every machine has")]
    let other = Device::ndarray().autodiff();
    let device = Device::flex().autodiff();
    let (hook, events) = hook(0.1);
    let tapped = hook.tap(Arc::new(Batches::random(3, 8, 1, &device)));
    let model = hook.wrap(Perceptron::new(0.0, &device));
    let batch = tapped.iter().next().unwrap().unwrap();
    TrainStep::step(&model, batch);

    // In the second epoch, a worker on another device asks first.
    let elsewhere = tapped.to_device(&other);
    elsewhere.iter();
    let batch = elsewhere.iter().next().unwrap().unwrap();
    let batch = common::Batch {
        points: batch.points.to_device(&other),
        classes: batch.classes.to_device(&other),
    };
    TrainStep::step(&model.fork(&other), batch);

    let events = events.lock().unwrap();
    let scores: Vec<(usize, f64)> = events
        .iter()
        .filter_map(|event| match event {
            HookEvent::CalibrationFinished {
                epoch, isoscore, ..
            } => Some((*epoch, isoscore.unwrap())),
            _ => None,
        })
        .collect();
    let [(1, first), (2, second)] = scores[..] else {
        panic!("{scores:?}")
    };
    assert_eq!(
        first, second,
        "the same weights and batches on the same device"
    );
}
