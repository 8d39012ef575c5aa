//! Devices that fail, and trainings that end early.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use burn::prelude::*;
use isostar_core::{
    HiddenStates, IStar, IStarConfig, Penalty, PooledRegularizer, Regularizer, Statistics,
    StepContext,
};

use super::model::{Batch, Fault, Model};
use super::{crew, first, istar};
use crate::experiment::AccumulateScore;

/// Runs a test on a thread of its own.
///
/// # Panics
/// If it does not end within 30 seconds.
fn within_limit<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(test()));
    let ended = receiver.recv_timeout(Duration::from_secs(30));
    ended.expect("a device waits for another, or the test has panicked")
}

/// I-STAR that fails on a thread of this name, or when the penalty is computed.
#[derive(Debug)]
struct Failing {
    thread: Option<String>,
    inner: IStar,
}

impl Regularizer for Failing {
    fn measure_name(&self) -> &str {
        self.inner.measure_name()
    }

    fn pooled(&self) -> Option<&dyn PooledRegularizer> {
        Some(self)
    }

    fn penalty(&self, _: &HiddenStates, _: &StepContext) -> Penalty {
        panic!("a step in parts calls the methods of PooledRegularizer")
    }
}

impl PooledRegularizer for Failing {
    fn statistics(&self, states: &HiddenStates, context: &StepContext) -> Statistics {
        let is_here = std::thread::current().name() == self.thread.as_deref();
        assert!(!is_here, "the states are lost");
        self.inner.statistics(states, context)
    }

    fn penalty_of(&self, statistics: &Statistics, context: &StepContext) -> Penalty {
        assert!(self.thread.is_some(), "the penalty is lost");
        self.inner.penalty_of(statistics, context)
    }
}

fn failing(thread: Option<String>) -> Arc<dyn Regularizer> {
    let inner = IStarConfig::new(1.0).with_shrinkage(0.0).init().unwrap();
    Arc::new(Failing { thread, inner })
}

#[test]
fn a_device_that_fails_ends_the_step_with_its_message() {
    // Every device has three parts: passes 1 and 2 have no graph, 3 has one, and 4 runs again what 2
    // did.
    for device in 1..=3 {
        let thread = format!("device {device}");
        let places = [
            (1, false, "out of memory"),
            (3, false, "out of memory"),
            (4, false, "out of memory"),
            (0, true, "the device is lost"),
            (0, false, "the states are lost"),
        ];
        for (pass, in_output, expected) in places {
            let fault = Fault {
                thread: thread.clone(),
                pass,
                passes: Arc::default(),
                in_output,
            };
            let in_statistics = pass == 0 && !in_output;
            let regularizer = failing(Some(if in_statistics {
                thread.clone()
            } else {
                "-".into()
            }));
            let message = within_limit(move || {
                let device = Device::flex().autodiff();
                let mut batch = Batch::random(6, &device);
                batch.fault = Some(fault);
                let mut crew = crew(3, 8, AccumulateScore::Full, &regularizer);
                let result = crew.compute(&Model::new(&device), &batch, &first());
                result.map(|_| ()).unwrap_err().to_string()
            });
            let named = message.starts_with(&format!("device {device} of 3 failed: "));
            assert!(named && message.contains(expected), "{message}");
        }
    }
}

#[test]
fn a_training_that_ends_between_the_passes_leaves_no_device_waiting() {
    let result = within_limit(|| {
        let device = Device::flex().autodiff();
        let batch = Batch::random(7, &device);
        std::panic::catch_unwind(|| {
            let mut crew = crew(3, 8, AccumulateScore::Full, &failing(None));
            let _ = crew.compute(&Model::new(&device), &batch, &first());
        })
    });
    let panic = result.unwrap_err();
    let message = panic.downcast_ref::<&str>().unwrap();
    assert_eq!(*message, "the penalty is lost");
}

#[test]
fn a_crew_that_is_dropped_ends_its_threads() {
    within_limit(|| {
        let device = Device::flex().autodiff();
        let model = Model::new(&device);
        let regularizer = istar();
        for steps in 0..5 {
            let mut crew = crew(3, 8, AccumulateScore::Full, &regularizer);
            for step in 0..steps {
                let batch = Batch::random(step, &device);
                assert!(crew.compute(&model, &batch, &first()).is_ok());
            }
        }
    });
}
