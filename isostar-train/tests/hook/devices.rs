//! Trainings on several devices against those of one device with the joined batches, and workers
//! that fail.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use burn::module::{ModuleVisitor, Param};
use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::train::{ExecutionStrategy, Interrupter, Learner, LearningResult, MultiDeviceOptim};
use isostar_core::{
    CosRegConfig, HiddenStates, IStar, IStarConfig, Penalty, PooledRegularizer, Regularizer,
    Statistics, StepContext,
};
use isostar_train::hook::{Hook, HookConfig, HookEvent, MonitorConfig, Regularized};

use super::common::{Batch, Batches, Perceptron};

/// Largest difference of a parameter after two epochs of up to four steps. Largest observed: 1.2e-7.
const TOLERANCE: f64 = 1e-6;

/// Batches of different numbers of rows.
fn batches(count: usize) -> Vec<Batch> {
    let rows = [8, 5, 9, 3, 7, 8, 2];
    let of = |at: usize| Batches::random(1, rows[at], 10 + at as u64, &Device::flex());
    (0..count).map(|at| of(at).batches[0].clone()).collect()
}

fn loader(batches: Vec<Batch>) -> Batches {
    Batches {
        batches: Arc::new(batches),
        ..Batches::random(0, 1, 1, &Device::flex())
    }
}

/// The batches that the workers take at the same time, joined.
fn joined(batches: &[Batch], devices: usize) -> Vec<Batch> {
    // Burn gives the last device the remainder.
    let size = batches.len() / devices;
    let slices: Vec<&[Batch]> = (0..devices)
        .map(|device| match device + 1 == devices {
            true => &batches[device * size..],
            false => &batches[device * size..(device + 1) * size],
        })
        .collect();
    let steps = slices.iter().map(|slice| slice.len()).max().unwrap();
    (0..steps)
        .map(|step| {
            let taken = slices.iter().filter_map(|slice| slice.get(step));
            let taken: Vec<Batch> = taken.cloned().collect();
            Batch {
                points: Tensor::cat(taken.iter().map(|batch| batch.points.clone()).collect(), 0),
                classes: Tensor::cat(taken.into_iter().map(|batch| batch.classes).collect(), 0),
            }
        })
        .collect()
}

fn train(
    hook: &Hook<Batch>,
    train: Batches,
    devices: usize,
    strategy: MultiDeviceOptim,
) -> LearningResult<Regularized<Perceptron>> {
    let folder = tempfile::tempdir().unwrap();
    let valid = Batches::random(2, 8, 2, &Device::flex());
    let mut training = hook
        .training(folder.path(), Arc::new(train), Arc::new(valid))
        .with_application_logger(None)
        .num_epochs(2);
    if devices > 1 {
        let strategy = ExecutionStrategy::multi(vec![Device::flex(); devices], strategy);
        training = training.with_training_strategy(strategy.into());
    }
    let model = hook.wrap(Perceptron::new(0.0, &Device::flex().autodiff()));
    training.launch(Learner::new(model, AdamWConfig::new().init(), 1e-2))
}

fn hook(regularizer: Option<Box<dyn Regularizer>>) -> Hook<Batch> {
    let calibration = Batches::random(3, 16, 3, &Device::flex());
    let config = HookConfig::new().with_calibration_loader(Arc::new(calibration));
    match regularizer {
        Some(regularizer) => config.init(regularizer),
        None => config.init_without_regularizer(),
    }
}

fn parameters(result: LearningResult<Regularized<Perceptron>>) -> Vec<f64> {
    struct Values(Vec<f64>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(param.val().into_data().iter::<f64>());
        }
    }
    assert!(result.error.is_none(), "{:?}", result.error);
    let mut values = Values(Vec::new());
    result.model.visit(&mut values);
    values.0
}

fn largest_difference(one: &[f64], other: &[f64]) -> f64 {
    let differences = one
        .iter()
        .zip(other)
        .map(|(one, other)| (one - other).abs());
    differences.fold(0.0, f64::max)
}

/// I-STAR that is not known to be pooled: every device has its own penalty.
#[derive(Debug)]
struct Apart(IStar);

impl Regularizer for Apart {
    fn measure_name(&self) -> &str {
        self.0.measure_name()
    }

    fn penalty(&self, states: &HiddenStates, context: &StepContext) -> Penalty {
        self.0.penalty(states, context)
    }
}

#[test]
fn several_devices_train_like_one_with_the_joined_batches() {
    let istar = |zeta| IStarConfig::new(-0.5).with_shrinkage(zeta).init().unwrap();
    type Make = Box<dyn Fn() -> Option<Box<dyn Regularizer>>>;
    let regularizers: [(&str, Make); 4] = [
        (
            "I-STAR, ζ = 0",
            Box::new(move || Some(Box::new(istar(0.0)))),
        ),
        (
            "I-STAR, ζ = 0.2",
            Box::new(move || Some(Box::new(istar(0.2)))),
        ),
        (
            "CosReg",
            Box::new(|| Some(Box::new(CosRegConfig::new().init().unwrap()))),
        ),
        ("no regularizer", Box::new(|| None)),
    ];
    for (name, regularizer) in &regularizers {
        for (devices, count) in [(2, 4), (2, 7), (3, 7)] {
            let all = batches(count);
            let one = loader(joined(&all, devices));
            let one = train(
                &hook(regularizer()),
                one,
                1,
                MultiDeviceOptim::OptimMainDevice,
            );
            let one = parameters(one);
            for strategy in [
                MultiDeviceOptim::OptimMainDevice,
                MultiDeviceOptim::OptimSharded,
            ] {
                let several = train(&hook(regularizer()), loader(all.clone()), devices, strategy);
                let apart = largest_difference(&parameters(several), &one);
                let what = format!("{name}, {count} batches on {devices} devices");
                println!("{what}: {apart:e}");
                assert!(apart <= TOLERANCE, "{what}: {apart}");
            }
        }
    }
    // With a penalty of its own on every device, the training is another.
    let all = batches(4);
    let one = loader(joined(&all, 2));
    let one = train(
        &hook(regularizers[0].1()),
        one,
        1,
        MultiDeviceOptim::OptimMainDevice,
    );
    let apart = hook(Some(Box::new(Apart(istar(0.0)))));
    let apart = train(&apart, loader(all), 2, MultiDeviceOptim::OptimMainDevice);
    let difference = largest_difference(&parameters(apart), &parameters(one));
    assert!(difference > 1000.0 * TOLERANCE, "{difference}");
}

#[test]
fn a_monitor_of_several_devices_says_once_that_it_measures_nothing() {
    for (devices, expected) in [(1, (14, 0)), (2, (0, 1))] {
        let (measured, reports) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = reports.clone();
        let hook = HookConfig::new()
            .with_observer(move |event| {
                if *event == HookEvent::NotMonitored {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
            })
            .init_without_regularizer();
        let seen = measured.clone();
        let every_step = MonitorConfig {
            every: 1,
            ..Default::default()
        };
        hook.monitor(every_step, move |_| {
            seen.fetch_add(1, Ordering::SeqCst);
        });
        let all = loader(batches(7));
        parameters(train(
            &hook,
            all,
            devices,
            MultiDeviceOptim::OptimMainDevice,
        ));
        let found = [measured, reports].map(|count| count.load(Ordering::SeqCst));
        assert_eq!((found[0], found[1]), expected, "{devices} devices");
    }
}

/// I-STAR that panics in one of its calls, counted over all workers.
#[derive(Debug)]
struct Failing {
    inner: IStar,
    calls: AtomicUsize,
    fails_at: usize,
    in_penalty: bool,
}

impl Failing {
    fn call(&self) {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        assert_ne!(call, self.fails_at, "the states are lost");
    }
}

impl Regularizer for Failing {
    fn measure_name(&self) -> &str {
        self.inner.measure_name()
    }

    fn pooled(&self) -> Option<&dyn PooledRegularizer> {
        Some(self)
    }

    fn penalty(&self, _: &HiddenStates, _: &StepContext) -> Penalty {
        panic!("a step on several devices calls the methods of PooledRegularizer")
    }
}

impl PooledRegularizer for Failing {
    fn statistics(&self, states: &HiddenStates, context: &StepContext) -> Statistics {
        if !self.in_penalty {
            self.call();
        }
        self.inner.statistics(states, context)
    }

    fn penalty_of(&self, statistics: &Statistics, context: &StepContext) -> Penalty {
        if self.in_penalty {
            self.call();
        }
        self.inner.penalty_of(statistics, context)
    }
}

/// Trains on three devices; returns the message of the training's error.
///
/// # Panics
/// If the training does not end within 30 seconds.
fn error_within_limit(hook: Hook<Batch>, batches: Batches) -> String {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let result = train(&hook, batches, 3, MultiDeviceOptim::OptimMainDevice);
        sender.send(result.error.map(|error| error.to_string()))
    });
    let ended = receiver.recv_timeout(Duration::from_secs(30));
    let error = ended.expect("a worker waits for another, or the training has panicked");
    error.expect("the training has failed")
}

#[test]
fn a_worker_that_panics_leaves_none_waiting() {
    for in_penalty in [false, true] {
        for fails_at in 1..=5 {
            let failing = Failing {
                inner: IStarConfig::new(-0.5).with_shrinkage(0.0).init().unwrap(),
                calls: AtomicUsize::new(0),
                fails_at,
                in_penalty,
            };
            let error = error_within_limit(
                hook(Some(Box::new(failing))),
                Batches::random(15, 8, 1, &Device::flex()),
            );
            assert!(error.contains("the states are lost"), "{error}");
        }
    }
}

#[test]
fn a_loader_that_fails_leaves_no_worker_waiting() {
    // The slices of three devices have five batches each.
    for slice in 0..3 {
        for batch in 0..5 {
            let mut batches = Batches::random(15, 8, 1, &Device::flex());
            batches.slice_fails_at = Some(slice * 5 + batch);
            let regularizer = IStarConfig::new(-0.5).init().unwrap();
            let error = error_within_limit(hook(Some(Box::new(regularizer))), batches);
            assert!(error.contains("the disk is on fire"), "{error}");
        }
    }
}

#[test]
fn a_training_that_is_stopped_leaves_no_worker_waiting() {
    for stop_at in 1..=5 {
        let regularizer = IStarConfig::new(-0.5).with_shrinkage(0.0).init().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let stopping = Stopping {
            inner: regularizer,
            seen: seen.clone(),
            stop_at,
            interrupter: Mutex::default(),
        };
        let stopping = Arc::new(stopping);
        let hook = hook(Some(Box::new(stopping.clone())));
        *stopping.interrupter.lock().unwrap() = Some(hook.interrupter());
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let batches = Batches::random(15, 8, 1, &Device::flex());
            sender.send(train(&hook, batches, 3, MultiDeviceOptim::OptimMainDevice).interrupted)
        });
        let ended = receiver.recv_timeout(Duration::from_secs(30));
        assert!(ended.expect("a worker waits for another").is_some());
        assert_eq!(seen.load(Ordering::SeqCst), stop_at, "one penalty per step");
    }
}

/// I-STAR that stops the training in a step.
struct Stopping {
    inner: IStar,
    seen: Arc<AtomicUsize>,
    stop_at: usize,
    interrupter: Mutex<Option<Interrupter>>,
}

impl std::fmt::Debug for Stopping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stopping")
    }
}

impl Regularizer for Stopping {
    fn measure_name(&self) -> &str {
        self.inner.measure_name()
    }

    fn pooled(&self) -> Option<&dyn PooledRegularizer> {
        Some(self)
    }

    fn penalty(&self, states: &HiddenStates, context: &StepContext) -> Penalty {
        self.inner.penalty(states, context)
    }
}

impl PooledRegularizer for Stopping {
    fn statistics(&self, states: &HiddenStates, context: &StepContext) -> Statistics {
        self.inner.statistics(states, context)
    }

    fn penalty_of(&self, statistics: &Statistics, context: &StepContext) -> Penalty {
        if self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.stop_at {
            let interrupter = self.interrupter.lock().unwrap().clone();
            interrupter.unwrap().stop(Some("enough"));
        }
        self.inner.penalty_of(statistics, context)
    }
}
