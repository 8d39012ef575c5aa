//! A model of your own on several devices, whose penalty is that of the states on all of them.
//!
//! cargo run -p isostar-examples --example multi_device
//!
//! Two workers on the CPU stand for two GPUs: with the feature `cuda`, use
//! `vec![Device::cuda(0), Device::cuda(1)]`.

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ClassificationOutput, ExecutionStrategy, Learner, MultiDeviceOptim};
use isostar_core::{HiddenStates, IStarConfig};
use isostar_train::hook::{ForwardStep, HiddenStateModel, Hook};

const WIDTH: usize = 16;

/// A point, and class 1 if its coordinates have a positive sum.
type Row = ([f32; WIDTH], i32);

/// Points `[rows, WIDTH]` and classes `[rows]`.
#[derive(Clone, Debug)]
struct Points {
    points: Tensor<2>,
    classes: Tensor<1, Int>,
}

struct PointBatcher;

impl Batcher<Row, Points> for PointBatcher {
    fn batch(&self, rows: Vec<Row>, device: &Device) -> Points {
        let classes: Vec<i32> = rows.iter().map(|(_, class)| *class).collect();
        let points: Vec<f32> = rows.into_iter().flat_map(|(point, _)| point).collect();
        let count = classes.len();
        Points {
            points: Tensor::from_data(TensorData::new(points, [count, WIDTH]), device),
            classes: Tensor::from_data(TensorData::new(classes, [count]), device),
        }
    }
}

/// Points without a pattern but the class.
fn rows(count: usize) -> InMemDataset<Row> {
    let coordinate = |row: usize, column: usize| ((row * WIDTH + column) as f32 * 1.7).sin();
    let row = |row| {
        let point: [f32; WIDTH] = std::array::from_fn(|column| coordinate(row, column));
        (point, i32::from(point.iter().sum::<f32>() > 0.0))
    };
    InMemDataset::new((0..count).map(row).collect())
}

/// Two layers, and two classes.
#[derive(Module, Debug)]
struct Classifier {
    first: Linear,
    second: Linear,
    classes: Linear,
}

impl Classifier {
    fn new(device: &Device) -> Self {
        Self {
            first: LinearConfig::new(WIDTH, 32).init(device),
            second: LinearConfig::new(32, 32).init(device),
            classes: LinearConfig::new(32, 2).init(device),
        }
    }
}

impl HiddenStateModel for Classifier {
    type Batch = Points;
    type Output = ClassificationOutput;

    fn forward_step(&self, batch: Points) -> ForwardStep<ClassificationOutput> {
        let first = self.first.forward(batch.points).tanh();
        let second = self.second.forward(first.clone()).tanh();
        let logits = self.classes.forward(second.clone());
        let loss = CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits.clone(), batch.classes.clone());
        ForwardStep {
            task_loss: loss.clone(),
            hidden_states: HiddenStates::from_vectors(vec![first, second]),
            output: ClassificationOutput::new(loss, logits, batch.classes),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let devices = vec![Device::flex(), Device::flex()];
    devices[0].seed(1);
    // 20 rows for each device: a step is that of one device with batches of 40.
    let loader = |count| {
        DataLoaderBuilder::new(PointBatcher)
            .batch_size(20)
            .shuffle(1)
            .build(rows(count))
    };
    let model = Classifier::new(&devices[0].clone().autodiff());

    let folder = tempfile::tempdir()?;
    let hook = Hook::new(IStarConfig::new(0.3).init()?);
    let strategy = ExecutionStrategy::multi(devices, MultiDeviceOptim::OptimMainDevice);
    let training = hook
        .training(folder.path(), loader(1000), loader(200))
        .with_training_strategy(strategy.into())
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .num_epochs(3)
        .summary();
    let learner = Learner::new(hook.wrap(model), AdamWConfig::new().init(), 2e-3);
    let result = training.launch(learner);
    if let Some(error) = result.error {
        return Err(error.to_string().into());
    }
    println!("{}", result.model.into_inner());
    Ok(())
}
