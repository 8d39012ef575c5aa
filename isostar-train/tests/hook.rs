//! Tests of the hook under burn-train's Learner: loss, calibration, and compatibility with Burn.

#[path = "hook/calibration.rs"]
mod calibration;
#[path = "hook/collapse.rs"]
mod collapse;
mod common;
#[path = "hook/devices.rs"]
mod devices;
#[path = "hook/guard.rs"]
mod guard;
#[path = "hook/joint.rs"]
mod joint;
#[path = "hook/mistakes.rs"]
mod mistakes;
#[path = "hook/precision.rs"]
mod precision;
#[path = "hook/reference.rs"]
mod reference;
#[path = "hook/state.rs"]
mod state;
#[path = "hook/training.rs"]
mod training;

use std::sync::{Arc, Mutex};

use burn::data::dataloader::{DataLoader, Progress};
use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::train::metric::store::{Aggregate, Direction, Split};
use burn::train::metric::{Adaptor, LossInput, LossMetric, Metric, MetricMetadata, Numeric};
use burn::train::{
    InferenceStep, Learner, MetricEarlyStoppingStrategy, StoppingCondition, SupervisedTraining,
    TrainStep,
};
use common::{Batches, Perceptron};
use isostar_core::{IStarConfig, Moments, Regularizer, StateSelection, StepContext};
use isostar_train::hook::{HiddenStateModel, Hook, HookConfig, HookEvent};

type Events = Arc<Mutex<Vec<HookEvent>>>;

fn hook(weight: f64) -> (Hook<common::Batch>, Events) {
    hook_of(weight, |config| config)
}

/// Creates a hook with custom settings.
fn hook_of(
    weight: f64,
    settings: impl FnOnce(HookConfig<common::Batch>) -> HookConfig<common::Batch>,
) -> (Hook<common::Batch>, Events) {
    let events = Events::default();
    let heard = events.clone();
    let config =
        HookConfig::new().with_observer(move |event| heard.lock().unwrap().push(event.clone()));
    (
        settings(config).init(IStarConfig::new(weight).init().unwrap()),
        events,
    )
}

fn metadata() -> MetricMetadata {
    MetricMetadata {
        progress: Progress::new(1, 1, None),
        iteration: None,
        lr: None,
    }
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

#[test]
fn records_of_the_wrapped_model_are_those_of_the_bare_one() {
    let model = Perceptron::new(0.1, &Device::flex().autodiff());
    let bytes = |record: burn::store::ModuleRecord| record.into_bytes().unwrap().to_vec();
    assert_eq!(
        bytes(hook(1.0).0.wrap(model.clone()).into_record()),
        bytes(model.into_record())
    );
}

#[test]
fn the_gradient_of_a_step_is_that_of_task_loss_plus_penalty() {
    the_gradient_is_that_of_the_parts(StateSelection::default());
}

#[test]
fn layers_with_scores_of_their_own_have_references_of_their_own() {
    for layers in ["each", "1:0.5,2:-2"] {
        the_gradient_is_that_of_the_parts(StateSelection {
            layers: layers.parse().unwrap(),
            ..StateSelection::default()
        });
    }
}

/// Compares a step of the hook with the sum of task loss and penalty, whose references are those of
/// the training rows.
fn the_gradient_is_that_of_the_parts(selection: StateSelection) {
    let device = Device::flex().autodiff();
    let model = Perceptron::new(0.0, &device);
    let loader = Arc::new(Batches::random(3, 16, 1, &device));
    let istar = IStarConfig::new(2.5)
        .with_states(selection.clone())
        .init()
        .unwrap();
    let hook = Hook::new(istar.clone());
    let tapped = hook.tap(loader.clone());
    let batch = tapped.iter().next().unwrap().unwrap();

    let plain = model.valid();
    let states = loader
        .batches
        .iter()
        .map(|batch| selection.group_moments(&plain.hidden_states(batch.clone())));
    let states: Vec<Vec<Moments>> = states.collect();
    let covariance = |group: usize| {
        let moments = states.iter().map(|batch| batch[group].clone());
        Moments::union(moments.collect()).covariance()
    };
    let reference = Tensor::cat((0..states[0].len()).map(covariance).collect(), 0);
    let step = model.forward_step(batch.clone());
    let penalty = istar.penalty(
        &step.hidden_states,
        &StepContext::default().with_reference(&reference),
    );
    let by_hand = burn::optim::GradientsParams::from_grads(
        (step.task_loss + penalty.value).backward(),
        &model,
    );

    let by_hook = TrainStep::step(&hook.wrap(model.clone()), batch).grads;
    assert_eq!(by_hand.len(), by_hook.len());
    let (by_hand, by_hook) = (
        Collected::of(&model, by_hand),
        Collected::of(&model, by_hook),
    );
    for (hand, hook) in by_hand.iter().zip(&by_hook) {
        let largest = hand
            .iter()
            .fold(0.0_f32, |largest, value| largest.max(value.abs()));
        // The references differ by rounding: one is summed in f32, the other in f64.
        assert!(
            hand.iter()
                .zip(hook)
                .all(|(hand, hook)| (hand - hook).abs() <= 1e-5 * largest),
            "{hand:?} {hook:?}"
        );
    }
}

/// Collects the gradients of a model, in the order of its parameters.
struct Collected {
    gradients: burn::optim::GradientsParams,
    found: Vec<Vec<f32>>,
}

impl Collected {
    fn of(model: &Perceptron, gradients: burn::optim::GradientsParams) -> Vec<Vec<f32>> {
        let mut collected = Self {
            gradients,
            found: Vec::new(),
        };
        model.visit(&mut collected);
        assert!(!collected.found.is_empty());
        collected.found
    }
}

impl burn::module::ModuleVisitor for Collected {
    fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
        let gradient = self
            .gradients
            .get::<D>(param.id)
            .expect("every parameter has a gradient");
        self.found.push(gradient.try_into_vec_as().unwrap());
    }
}

#[test]
fn validation_reports_the_task_loss_and_the_score_of_the_whole_split() {
    let device = Device::flex();
    let model = Perceptron::new(0.3, &device);
    let valid = Batches::random(4, 8, 5, &device);
    let (hook, _) = hook(100.0);
    let mut metric = hook.isoscore_metric();
    let wrapped = hook.wrap(model.clone());
    let mut parts = Vec::new();
    for batch in valid.iter() {
        let batch = batch.unwrap();
        let output = InferenceStep::step(&wrapped.valid(), batch.clone());
        let bare = model.valid().forward_step(batch);
        let reported: LossInput = output.adapt();
        let expected: LossInput = bare.output.adapt();
        let mut metrics = (LossMetric::new(), LossMetric::new());
        metrics.0.update(&reported, &metadata()).unwrap();
        metrics.1.update(&expected, &metadata()).unwrap();
        assert_eq!(
            metrics.0.value().unwrap().current(),
            metrics.1.value().unwrap().current()
        );
        parts.push(output);
    }
    for part in &parts {
        metric.update(&part.adapt(), &metadata()).unwrap();
    }
    let states = valid.batches.iter().map(|batch| {
        StateSelection::default().moments(&model.valid().hidden_states(batch.clone()))
    });
    let score: f64 =
        isostar_core::isoscore_of_covariance(Moments::union(states.collect()).covariance())
            .into_scalar();
    assert!((metric.final_value().current() - score).abs() < 1e-5);
}

#[test]
fn the_weight_has_its_sign() {
    let after = |weight: Option<f64>| {
        let device = Device::flex();
        let folder = tempfile::tempdir().unwrap();
        let hook = weight.map_or_else(Hook::without_regularizer, |weight| hook(weight).0);
        let training = SupervisedTraining::new(
            folder.path(),
            hook.tap(Arc::new(Batches::random(12, 32, 1, &device))),
            Arc::new(Batches::random(2, 32, 2, &device)),
        );
        let training = training.with_application_logger(None).num_epochs(6);
        let model = Perceptron::new(0.0, &device.clone().autodiff());
        let model = training
            .launch(Learner::new(
                hook.wrap(model),
                AdamWConfig::new().init(),
                1e-2,
            ))
            .model
            .into_inner();
        let states = model
            .valid()
            .hidden_states(Batches::random(1, 256, 3, &device).batches[0].clone());
        isostar_core::isoscore_of_covariance(
            StateSelection::default().moments(&states).covariance(),
        )
        .into_scalar::<f64>()
    };
    let (lower, without, higher) = (after(Some(-3.0)), after(None), after(Some(3.0)));
    assert!(
        lower < without - 0.05 && without < higher - 0.05,
        "{lower} {without} {higher}"
    );
}

#[test]
fn checkpoints_early_stopping_and_resumption_work_as_without_the_hook() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let run = |epochs: usize, from: Option<usize>, patience: usize| {
        let (hook, events) = hook(0.1);
        let early = MetricEarlyStoppingStrategy::new(
            &LossMetric::new(),
            Aggregate::Mean,
            Direction::Lowest,
            Split::Valid,
            StoppingCondition::NoImprovementSince { n_epochs: patience },
        );
        let mut training = SupervisedTraining::new(
            folder.path(),
            hook.tap(Arc::new(Batches::random(4, 16, 1, &device))),
            Arc::new(Batches::random(2, 16, 2, &device)),
        )
        .metric_valid_numeric(LossMetric::new())
        .metric_train_numeric(LossMetric::new())
        .early_stopping(early)
        .with_default_checkpointers()
        .with_application_logger(None)
        .num_epochs(epochs);
        if let Some(epoch) = from {
            training = training.checkpoint(epoch);
        }
        let model = Perceptron::new(0.0, &device.clone().autodiff());
        let result = training.launch(Learner::new(
            hook.wrap(model),
            AdamWConfig::new().init(),
            1e-2,
        ));
        assert!(result.error.is_none());
        let calibrations = events
            .lock()
            .unwrap()
            .iter()
            .filter(|event| matches!(event, HookEvent::CalibrationFinished { .. }))
            .count();
        (result.model.into_inner(), calibrations)
    };
    let (uninterrupted, _) = run(3, None, 10);
    let checkpoint = folder.path().join("checkpoint");
    assert!(checkpoint.join("model-3.bpk").is_file());
    // The bare model reads the wrapped model's checkpoint.
    let bare = Perceptron::new(0.0, &device).load_file(checkpoint.join("model-3.bpk"));
    let points = Batches::random(1, 8, 9, &device).batches[0].points.clone();
    let output = |model: &Perceptron| values(model.valid().layers(points.clone())[1].clone());
    assert_eq!(output(&bare), output(&uninterrupted));

    let (resumed, calibrations) = run(3, Some(2), 10);
    assert_eq!(calibrations, 1);
    assert_eq!(
        output(&resumed),
        output(&uninterrupted),
        "a resumed run ends where an uninterrupted one does"
    );

    let (_, calibrations) = run(200, None, 1);
    assert!(
        calibrations < 200,
        "training stops early once the loss no longer falls"
    );
}

#[test]
fn a_reader_that_fails_during_calibration_stops_the_training() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let broken = Batches {
        fails_at: Some(2),
        ..Batches::random(4, 8, 1, &device)
    };
    let (hook, _) = hook_of(0.1, |config| {
        config.with_calibration_loader(Arc::new(broken))
    });
    let training = SupervisedTraining::new(
        folder.path(),
        hook.tap(Arc::new(Batches::random(4, 8, 1, &device))),
        Arc::new(Batches::random(1, 8, 2, &device)),
    );
    let training = training
        .with_application_logger(None)
        .with_interrupter(hook.interrupter())
        .num_epochs(5);
    let model = Perceptron::new(0.0, &device.clone().autodiff());
    let result = training.launch(Learner::new(
        hook.wrap(model),
        AdamWConfig::new().init(),
        1e-2,
    ));
    assert!(
        result
            .error
            .expect("the training failed")
            .to_string()
            .contains("on fire")
    );
}
