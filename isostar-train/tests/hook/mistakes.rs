//! A loader that is not tapped, or a model that is not wrapped: who is told so, and when.

use std::sync::Arc;

use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::train::{ExecutionStrategy, Learner, MultiDeviceOptim, SupervisedTraining, TrainStep};
use isostar_train::hook::Hook;

use super::common::{Batch, Batches};
use super::training::{batches, model};
use super::{hook, hook_of};

/// Trains a model that one hook wraps with a loader that another one taps.
fn train(tapping: &Hook<Batch>, wrapping: &Hook<Batch>) {
    let folder = tempfile::tempdir().unwrap();
    let training = tapping
        .training(
            folder.path(),
            Arc::new(batches(4, 1)),
            Arc::new(batches(1, 2)),
        )
        .with_application_logger(None);
    training.launch(Learner::new(
        wrapping.wrap(model()),
        AdamWConfig::new().init(),
        1e-3,
    ));
}

#[test]
#[should_panic(expected = "wrapped by a hook whose training loader is not tapped")]
fn a_wrapped_model_with_a_loader_that_is_not_tapped_is_told_so_at_the_first_step() {
    // The reference could be estimated in the first epoch, but not again.
    let (hook, _) = hook_of(0.1, |config| {
        config.with_calibration_loader(Arc::new(batches(2, 4)))
    });
    let folder = tempfile::tempdir().unwrap();
    let training = SupervisedTraining::new(
        folder.path(),
        Arc::new(batches(4, 1)),
        Arc::new(batches(1, 2)),
    )
    .with_application_logger(None);
    training.launch(Learner::new(
        hook.wrap(model()),
        AdamWConfig::new().init(),
        1e-3,
    ));
}

#[test]
#[should_panic(expected = "wrapped by a hook whose training loader is not tapped")]
fn a_model_wrapped_by_another_hook_than_the_one_that_taps_is_told_so() {
    let ((tapping, _), (wrapping, _)) = (hook(0.1), hook(0.1));
    train(&tapping, &wrapping);
}

#[test]
fn several_devices_report_a_loader_that_is_not_tapped_as_the_error_of_the_training() {
    let (hook, _) = hook(0.1);
    let folder = tempfile::tempdir().unwrap();
    let strategy = ExecutionStrategy::multi(
        vec![Device::flex(), Device::flex()],
        MultiDeviceOptim::OptimMainDevice,
    );
    let training = SupervisedTraining::new(
        folder.path(),
        Arc::new(batches(4, 1)),
        Arc::new(batches(1, 2)),
    )
    .with_training_strategy(strategy.into())
    .with_application_logger(None);
    let result = training.launch(Learner::new(
        hook.wrap(model()),
        AdamWConfig::new().init(),
        1e-3,
    ));
    let error = result.error.expect("the training failed").to_string();
    assert!(
        error.contains("not tapped: make the training with Hook::training"),
        "{error}"
    );
}

#[test]
#[should_panic(
    expected = "a tapped loader has given 4 batches, but no model that its hook wrapped has taken a training step"
)]
fn a_tapped_loader_whose_hook_wraps_no_model_says_so_after_its_pass() {
    // A regularizer without a reference needs no tap, so only the loader can detect that the other
    // hook's penalty is missing.
    let (tapping, wrapping) = (hook(0.1).0, Hook::without_regularizer());
    train(&tapping, &wrapping);
}

#[test]
#[should_panic(expected = "a tapped loader has given 64 batches")]
fn a_long_pass_is_not_waited_for() {
    let given = hook(0.1).0.tap(Arc::new(batches(200, 1))).iter().count();
    println!("{given} batches were given");
}

#[test]
fn several_devices_and_batches_collected_before_the_first_step_are_no_mistake() {
    let device = Device::flex().autodiff();
    let (own_loop, _) = hook(0.1);
    let tapped = own_loop.tap(Arc::new(Batches::random(80, 8, 1, &device)));
    let wrapped = own_loop.wrap(model());
    let mut pass = tapped.iter();
    let collected: Vec<Batch> = pass.by_ref().take(64).map(Result::unwrap).collect();
    TrainStep::step(&wrapped, collected[0].clone());
    assert_eq!(pass.count(), 16);

    let (hook, _) = hook(0.1);
    let folder = tempfile::tempdir().unwrap();
    let strategy = ExecutionStrategy::multi(
        vec![Device::flex(), Device::flex()],
        MultiDeviceOptim::OptimMainDevice,
    );
    let training = hook
        .training(
            folder.path(),
            Arc::new(batches(6, 1)),
            Arc::new(batches(1, 2)),
        )
        .with_training_strategy(strategy.into())
        .with_application_logger(None);
    let result = training.launch(Learner::new(
        hook.wrap(model()),
        AdamWConfig::new().init(),
        1e-3,
    ));
    assert!(result.error.is_none(), "{:?}", result.error);
}
