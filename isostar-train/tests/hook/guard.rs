//! Tests of trainings with numbers that are not finite: when they stop, what they report, and what
//! they write.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::train::metric::LossMetric;
use burn::train::{
    ExecutionStrategy, Interrupter, Learner, LearningResult, MultiDeviceOptim, SupervisedTraining,
};
use isostar_core::{HiddenStates, Penalty, Regularizer, StepContext};
use isostar_train::hook::{Divergence, Hook, HookEvent, NotFinite, Regularized};

use super::common::{Batch, Batches, Perceptron};
use super::{Events, hook_of, values};

/// Creates batches of which one, counted from 1, is not finite.
fn broken_at(step: usize, count: usize) -> Batches {
    let batches = Batches::random(count, 16, 1, &Device::flex());
    let mut broken = (*batches.batches).clone();
    broken[step - 1].points = broken[step - 1].points.clone() * f32::NAN;
    Batches {
        batches: Arc::new(broken),
        ..batches
    }
}

/// Training of two epochs with checkpoints.
struct Training {
    folder: tempfile::TempDir,
    hook: Hook<Batch>,
    model: Perceptron,
    train: Batches,
    valid: Batches,
    rate: f64,
    interrupter: Option<Interrupter>,
    devices: usize,
}

impl Training {
    fn new(hook: Hook<Batch>, train: Batches) -> Self {
        let interrupter = Some(hook.interrupter());
        let valid = Batches::random(2, 16, 2, &Device::flex());
        let model = Perceptron::new(0.0, &Device::flex().autodiff());
        Self {
            folder: tempfile::tempdir().unwrap(),
            hook,
            model,
            train,
            valid,
            rate: 1e-2,
            interrupter,
            devices: 1,
        }
    }

    fn launch(&self) -> LearningResult<Regularized<Perceptron>> {
        let loader = self.hook.tap(Arc::new(self.train.clone()));
        let mut training =
            SupervisedTraining::new(self.folder.path(), loader, Arc::new(self.valid.clone()))
                .metric_valid_numeric(LossMetric::new())
                .with_default_checkpointers()
                .with_application_logger(None)
                .num_epochs(2);
        if let Some(interrupter) = &self.interrupter {
            training = training.with_interrupter(interrupter.clone());
        }
        if self.devices > 1 {
            let devices = vec![Device::flex(); self.devices];
            training = training.with_training_strategy(
                ExecutionStrategy::multi(devices, MultiDeviceOptim::OptimMainDevice).into(),
            );
        }
        training.launch(Learner::new(
            self.hook.wrap(self.model.clone()),
            AdamWConfig::new().init(),
            self.rate,
        ))
    }

    fn divergence(&self) -> Divergence {
        self.hook.divergence().expect("the training diverged")
    }
}

fn checkpoints(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("checkpoint"))
        .unwrap()
        .count()
}

fn told(events: &Events) -> Vec<Divergence> {
    let events = events.lock().unwrap();
    let divergence = |event: &HookEvent| {
        if let HookEvent::Diverged(divergence) = event {
            Some(divergence.clone())
        } else {
            None
        }
    };
    events.iter().filter_map(divergence).collect()
}

#[test]
fn a_loss_that_is_not_finite_stops_the_training_within_a_step() {
    for step in [1, 3, 6] {
        // With separate calibration batches the reference is finite, so the loss is the first
        // cause.
        let calibration = Batches::random(2, 16, 3, &Device::flex());
        let (hook, events) = hook_of(0.1, |config| {
            config.with_calibration_loader(Arc::new(calibration))
        });
        let training = Training::new(hook, broken_at(step, 6));
        let result = training.launch();
        let divergence = training.divergence();
        assert_eq!(
            (divergence.cause, divergence.epoch, divergence.step),
            (NotFinite::TaskLoss, 1, Some(step))
        );
        assert_eq!(divergence.task_losses.len(), (step - 1).min(5));
        assert_eq!(divergence.penalties.len(), divergence.task_losses.len());
        assert_eq!(
            training.train.given.load(Ordering::SeqCst),
            step,
            "no batch is asked for after the one that diverged"
        );
        assert_eq!(training.valid.given.load(Ordering::SeqCst), 0);
        assert_eq!(checkpoints(training.folder.path()), 0);
        assert_eq!(told(&events), std::slice::from_ref(&divergence));
        let message = result.error.expect("Burn reports an error").to_string();
        assert!(
            message.contains(&format!(
                "the task loss is not finite in step {step} of epoch 1"
            )),
            "{message}"
        );

        // Burn's dashboard resets the interrupter in the same way.
        training.hook.interrupter().reset();
        assert_eq!(training.hook.divergence(), Some(divergence));
    }
}

#[test]
fn a_training_without_the_hook_s_interrupter_stops_as_well() {
    let training = Training {
        interrupter: None,
        ..Training::new(Hook::without_regularizer(), broken_at(2, 4))
    };
    assert!(training.launch().error.is_some());
    assert_eq!(training.divergence().step, Some(2));
    assert_eq!(
        (
            training.train.given.load(Ordering::SeqCst),
            checkpoints(training.folder.path())
        ),
        (2, 0)
    );
}

#[test]
fn several_devices_stop_at_the_first_loss_that_is_not_finite() {
    let training = Training {
        devices: 2,
        ..Training::new(Hook::without_regularizer(), broken_at(3, 8))
    };
    assert!(training.launch().error.is_some());
    assert_eq!(training.divergence().cause, NotFinite::TaskLoss);
    // Each device has half of the batches. The third batch is in the third step of the first
    // device; the second device may or may not have read its third batch by then.
    assert!((5..=6).contains(&training.train.given.load(Ordering::SeqCst)));
    assert_eq!(checkpoints(training.folder.path()), 0);
}

#[test]
fn a_loader_that_is_not_tapped_leaves_the_parameters_as_the_diverging_step_left_them() {
    let device = Device::flex();
    let hook = Hook::<Batch>::without_regularizer();
    let folder = tempfile::tempdir().unwrap();
    let (train, valid) = (broken_at(2, 6), Batches::random(2, 16, 2, &device));
    let training = SupervisedTraining::new(folder.path(), Arc::new(train.clone()), Arc::new(valid))
        .with_default_checkpointers()
        .with_application_logger(None)
        .with_interrupter(hook.interrupter())
        .num_epochs(2);
    let model = Perceptron::new(0.0, &device.autodiff());
    training.launch(Learner::new(
        hook.wrap(model),
        AdamWConfig::new().init(),
        1e-2,
    ));
    assert_eq!(hook.divergence().unwrap().step, Some(2));
    assert_eq!(
        (
            train.given.load(Ordering::SeqCst),
            checkpoints(folder.path())
        ),
        (3, 0)
    );
}

#[test]
fn parameters_that_are_not_finite_after_an_epoch_leave_no_checkpoint() {
    // The loss of the only step is computed before the update, so it is finite.
    let training = Training {
        rate: 1e39,
        ..Training::new(
            Hook::without_regularizer(),
            Batches::random(1, 16, 1, &Device::flex()),
        )
    };
    assert!(training.launch().error.is_some());
    let divergence = training.divergence();
    assert_eq!(
        (
            divergence.cause,
            divergence.step,
            divergence.task_losses.len()
        ),
        (NotFinite::Parameters, Some(1), 1)
    );
    assert_eq!(
        (
            training.valid.given.load(Ordering::SeqCst),
            checkpoints(training.folder.path())
        ),
        (1, 0)
    );
}

/// Regularizer whose penalty is infinite from its third call on.
#[derive(Debug, Default)]
struct Growing {
    calls: AtomicUsize,
}

impl Regularizer for Growing {
    fn measure_name(&self) -> &str {
        "Mean square"
    }

    fn penalty(&self, states: &HiddenStates, _context: &StepContext) -> Penalty {
        let factor = if self.calls.fetch_add(1, Ordering::SeqCst) < 2 {
            1.0
        } else {
            f32::INFINITY
        };
        let measure = states.layer(1).clone().square().mean();
        Penalty::new(measure.clone() * factor, measure)
    }
}

#[test]
fn a_penalty_that_is_not_finite_is_told_from_a_loss() {
    let training = Training::new(
        Hook::new(Growing::default()),
        Batches::random(5, 16, 1, &Device::flex()),
    );
    assert!(training.launch().error.is_some());
    let divergence = training.divergence();
    assert_eq!(
        (
            divergence.cause,
            divergence.step,
            divergence.penalties.len()
        ),
        (NotFinite::Penalty, Some(3), 2)
    );
    assert!(
        divergence
            .to_string()
            .contains("the last finite penalties: "),
        "{divergence}"
    );
}

#[test]
fn a_reference_that_is_not_finite_changes_no_parameter() {
    let (hook, events) = hook_of(0.1, |config| {
        config.with_calibration_loader(Arc::new(broken_at(2, 3)))
    });
    let training = Training::new(hook, Batches::random(4, 16, 1, &Device::flex()));
    let result = training.launch();
    assert!(result.error.is_some());
    let divergence = training.divergence();
    assert_eq!(
        (divergence.cause, divergence.epoch, divergence.step),
        (NotFinite::Reference, 1, None)
    );
    assert_eq!(
        (
            training.train.given.load(Ordering::SeqCst),
            checkpoints(training.folder.path())
        ),
        (1, 0)
    );
    assert_eq!(told(&events).len(), 1);
    let points = Batches::random(1, 8, 9, &Device::flex()).batches[0]
        .points
        .clone();
    let output = |model: &Perceptron| values(model.layers(points.clone())[1].clone());
    assert_eq!(
        output(result.model.inner()),
        output(&training.model.valid())
    );
}
