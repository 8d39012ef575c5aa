//! A small model and its batches, written with Burn alone.
#![allow(dead_code, reason = "each test uses its part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::module::Param;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::prelude::*;
use burn::train::ClassificationOutput;
use isostar_core::HiddenStates;
use isostar_train::hook::{ForwardStep, HiddenStateModel};

/// The width of the points and of every layer.
pub const WIDTH: usize = 6;

/// Points `[rows, WIDTH]` and their classes `[rows]`.
#[derive(Clone, Debug)]
pub struct Batch {
    pub points: Tensor<2>,
    pub classes: Tensor<1, Int>,
}

/// Reproducible numbers.
struct Numbers(u64);

impl Numbers {
    fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Between 0 and 1.
    fn uniform(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    /// Of mean 0 and variance 1, nearly normal: the sum of twelve uniform numbers.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}

/// Two layers, dropout between them, and two classes.
#[derive(Module, Debug)]
pub struct Perceptron {
    first: Linear,
    dropout: Dropout,
    second: Linear,
    classes: Linear,
}

impl Perceptron {
    /// The same weights each time. They come from the host: tests that run beside each other share a device's generator.
    pub fn new(dropout: f64, device: &Device) -> Self {
        let mut numbers = Numbers::of(3);
        let mut linear = |outputs: usize| {
            let weight = TensorData::new(
                (0..WIDTH * outputs)
                    .map(|_| 0.7 * numbers.normal())
                    .collect(),
                [WIDTH, outputs],
            );
            let bias = TensorData::new(vec![0.1; outputs], [outputs]);
            Linear {
                weight: Param::from_data(weight, device),
                bias: Some(Param::from_data(bias, device)),
            }
        };
        let [first, second, classes] = [WIDTH, WIDTH, 2].map(&mut linear);
        Self {
            first,
            dropout: DropoutConfig::new(dropout).init(),
            second,
            classes,
        }
    }

    /// The layers, `[rows, WIDTH]` each.
    pub fn layers(&self, points: Tensor<2>) -> Vec<Tensor<2>> {
        let first = self.first.forward(points).tanh();
        let second = self
            .second
            .forward(self.dropout.forward(first.clone()))
            .tanh();
        vec![first, second]
    }
}

impl HiddenStateModel for Perceptron {
    type Batch = Batch;
    type Output = ClassificationOutput;

    fn forward_step(&self, batch: Batch) -> ForwardStep<ClassificationOutput> {
        let layers = self.layers(batch.points);
        let logits = self.classes.forward(layers[1].clone());
        let loss = CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits.clone(), batch.classes.clone());
        ForwardStep {
            task_loss: loss.clone(),
            hidden_states: HiddenStates::from_vectors(layers),
            output: ClassificationOutput::new(loss, logits, batch.classes),
        }
    }
}

/// Batches held in memory; counts how often it is iterated and how many batches it has given, its copies included. May fail at a batch, from a
/// pass on.
#[derive(Clone)]
pub struct Batches {
    pub batches: Arc<Vec<Batch>>,
    pub iterated: Arc<AtomicUsize>,
    pub given: Arc<AtomicUsize>,
    pub fails_at: Option<usize>,
    /// The batch at which the slice that holds it fails.
    pub slice_fails_at: Option<usize>,
    pub fails_from_pass: usize,
    pub device: Device,
}

impl Batches {
    /// `count` batches of `rows` normal points each; the class is the sign of the first coordinate.
    pub fn random(count: usize, rows: usize, seed: u64, device: &Device) -> Self {
        let plain = device.clone().without_autodiff();
        let mut numbers = Numbers::of(seed);
        let mut batch = |_| {
            let points = TensorData::new(
                (0..rows * WIDTH).map(|_| 0.5 + numbers.normal()).collect(),
                [rows, WIDTH],
            );
            let points = Tensor::<2>::from_data(points, &plain);
            let classes = points
                .clone()
                .slice([0..rows, 0..1])
                .greater_scalar(0.5)
                .int()
                .squeeze_dim(1);
            Batch { points, classes }
        };
        let batches = Arc::new((0..count).map(&mut batch).collect());
        Self {
            batches,
            iterated: Arc::default(),
            given: Arc::default(),
            fails_at: None,
            slice_fails_at: None,
            fails_from_pass: 1,
            device: device.clone(),
        }
    }
}

struct Iter<'a> {
    loader: &'a Batches,
    at: usize,
    pass: usize,
}

impl Iterator for Iter<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.loader.batches.get(self.at)?.clone();
        if self.loader.fails_at == Some(self.at) && self.pass >= self.loader.fails_from_pass {
            return Some(Err(DatasetError::new(std::io::Error::other(
                "the disk is on fire",
            ))));
        }
        self.at += 1;
        self.loader.given.fetch_add(1, Ordering::SeqCst);
        let device = &self.loader.device;
        Some(Ok(Batch {
            points: place(batch.points, device),
            classes: batch.classes.to_device(device),
        }))
    }
}

fn place(points: Tensor<2>, device: &Device) -> Tensor<2> {
    if device.is_autodiff() {
        points.autodiff()
    } else {
        points.without_autodiff()
    }
}

impl DataLoaderIterator<Batch> for Iter<'_> {
    fn progress(&self) -> Progress {
        Progress::new(self.at, self.loader.batches.len(), Some("batches".into()))
    }
}

impl DataLoader<Batch> for Batches {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let pass = self.iterated.fetch_add(1, Ordering::SeqCst) + 1;
        Box::new(Iter {
            loader: self,
            at: 0,
            pass,
        })
    }

    fn num_items(&self) -> usize {
        self.batches.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self {
            device: device.clone(),
            ..self.clone()
        })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let fails_at = self.slice_fails_at.filter(|at| (start..end).contains(at));
        Arc::new(Self {
            batches: Arc::new(self.batches[start..end].to_vec()),
            fails_at: fails_at.map(|at| at - start).or(self.fails_at),
            ..self.clone()
        })
    }
}
