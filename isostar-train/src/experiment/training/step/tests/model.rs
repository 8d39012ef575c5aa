//! A model of two layers, whose devices can be made to fail.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Param;
use burn::nn::Linear;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::prelude::*;
use burn::tensor::{ExecutionError, Transaction};
use burn::train::ItemLazy;
use isostar_core::HiddenStates;

use crate::data::RowBatch;
use crate::hook::{ForwardStep, HiddenStateModel};
use crate::readback::{Gathered, Portable};

pub(super) const WIDTH: usize = 6;
const TOKENS: usize = 5;
/// Divisible by neither 2 nor 3 nor the micro-batches.
pub(super) const ROWS: usize = 23;

#[derive(Clone, Debug)]
pub(super) struct Batch {
    points: Tensor<3>,
    mask: Tensor<2, Bool>,
    classes: Tensor<1, Int>,
    pub(super) fault: Option<Fault>,
}

/// Where a device fails.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// Name of its thread.
    pub(super) thread: String,
    /// Number of the forward pass on it; 0 for none.
    pub(super) pass: usize,
    pub(super) passes: Arc<AtomicUsize>,
    pub(super) in_output: bool,
}

impl Fault {
    fn is_here(&self) -> bool {
        std::thread::current().name() == Some(&self.thread)
    }
}

impl RowBatch for Batch {
    fn count(&self) -> usize {
        self.points.dims()[0]
    }

    fn part(&self, rows: Range<usize>) -> Self {
        Self {
            points: self.points.clone().slice([rows.clone()]),
            mask: self.mask.clone().slice([rows.clone()]),
            classes: self.classes.clone().slice([rows]),
            fault: self.fault.clone(),
        }
    }

    fn to_device(self, device: &Device) -> Self {
        Self {
            points: self.points.to_device(device),
            mask: self.mask.to_device(device),
            classes: self.classes.to_device(device),
            ..self
        }
    }
}

impl Batch {
    /// A batch of sequences of 1 to 5 tokens, whose mean differs from row to row.
    pub(super) fn random(seed: u64, device: &Device) -> Self {
        let number = |at: usize| ((at as f64 * 0.618 + seed as f64 * 0.37) * 997.0).sin();
        let data = |count: usize, of: &dyn Fn(usize) -> f64| {
            (0..count).map(|at| of(at) as f32).collect::<Vec<_>>()
        };
        let points = data(ROWS * TOKENS * WIDTH, &|at| {
            2.0 * number(at) + number(at / (TOKENS * WIDTH) + 7)
        });
        let points = TensorData::new(points, [ROWS, TOKENS, WIDTH]);
        let mask: Vec<bool> = (0..ROWS * TOKENS)
            .map(|at| at % TOKENS <= (at / TOKENS * 7 + seed as usize) % TOKENS)
            .collect();
        let classes: Vec<i32> = (0..ROWS).map(|row| i32::from(number(row) > 0.0)).collect();
        Self {
            points: Tensor::from_data(points, device),
            mask: Tensor::from_data(TensorData::new(mask, [ROWS, TOKENS]), device),
            classes: Tensor::from_data(TensorData::new(classes, [ROWS]), device),
            fault: None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Output {
    fault: Option<Fault>,
}

impl ItemLazy for Output {
    fn sync(self) -> Result<Self, ExecutionError> {
        match &self.fault {
            Some(fault) if fault.in_output && fault.is_here() => Err(ExecutionError::WithContext {
                reason: "the device is lost".into(),
            }),
            _ => Ok(self),
        }
    }
}

impl Gathered for Output {
    fn register(&self, transaction: Transaction) -> Transaction {
        transaction
    }

    fn placed(self, _: &mut dyn Iterator<Item = TensorData>, _: &Device) -> Self {
        self
    }
}

impl Portable for Output {
    fn label(&self) -> Vec<u8> {
        Vec::new()
    }

    fn rebuilt(_: &[u8], _: &mut dyn Iterator<Item = TensorData>, _: &Device) -> Option<Self> {
        Some(Self { fault: None })
    }
}

/// Two layers, and two classes from the mean of the second.
#[derive(Module, Debug)]
pub(super) struct Model {
    first: Linear,
    second: Linear,
    classes: Linear,
}

impl Model {
    pub(super) fn new(device: &Device) -> Self {
        // From the host: tests that run beside each other share the generator of flex.
        let linear = |inputs: usize, outputs: usize| {
            let weights = (0..inputs * outputs).map(|at| (at as f32 * 2.3).sin() * 0.6);
            let weights = TensorData::new(weights.collect(), [inputs, outputs]);
            Linear {
                weight: Param::from_data(weights, device),
                bias: Some(Param::from_data(
                    TensorData::new(vec![0.1; outputs], [outputs]),
                    device,
                )),
            }
        };
        Self {
            first: linear(WIDTH, WIDTH),
            second: linear(WIDTH, WIDTH),
            classes: linear(WIDTH, 2),
        }
    }
}

impl HiddenStateModel for Model {
    type Batch = Batch;
    type Output = Output;

    fn forward_step(&self, batch: Batch) -> ForwardStep<Output> {
        if let Some(fault) = batch.fault.as_ref().filter(|fault| fault.is_here()) {
            let pass = fault.passes.fetch_add(1, Ordering::SeqCst) + 1;
            assert_ne!(pass, fault.pass, "out of memory");
        }
        let first = self.first.forward(batch.points).tanh();
        let second = self.second.forward(first.clone()).tanh();
        let weights: Tensor<3> = batch.mask.clone().float().unsqueeze_dim(2);
        let pooled = (second.clone() * weights.clone()).sum_dim(1) / weights.sum_dim(1);
        let logits = self.classes.forward(pooled.squeeze_dim::<2>(1));
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        ForwardStep {
            task_loss: loss.forward(logits, batch.classes),
            hidden_states: HiddenStates::from_layers(vec![first, second]).with_mask(batch.mask),
            output: Output { fault: batch.fault },
        }
    }
}
