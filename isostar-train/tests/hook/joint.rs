//! Penalties on several devices against those of one device with the joined batches, of sequences with
//! padding whose length differs from device to device.

use std::sync::{Arc, Mutex};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::module::{ModuleVisitor, Param};
use burn::nn::Linear;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::train::{ClassificationOutput, ExecutionStrategy, Learner, MultiDeviceOptim};
use isostar_core::{
    Estimator, HiddenStates, Hold, IStar, IsoScorer, LayerSelection, Padding, Penalty, Regularizer,
    Shrinkage, ShrinkageTarget, SigRegConfig, StateSelection, StepContext, Target, VicRegConfig,
};
use isostar_train::hook::{ForwardStep, HiddenStateModel, Hook, HookConfig, HookEvent};

const WIDTH: usize = 6;

/// Largest difference of a parameter after twenty steps. Largest observed: 2e-7.
const TOLERANCE: f64 = 1e-6;

#[derive(Clone, Debug)]
struct Sequences {
    points: Tensor<3>,
    mask: Tensor<2, Bool>,
    classes: Tensor<1, Int>,
    rows: Vec<u32>,
}

impl Sequences {
    /// Sequences of 1 to `tokens` tokens, whose mean differs from one to the next.
    fn new(first_row: usize, count: usize, tokens: usize) -> Self {
        let device = Device::flex();
        let number = |at: usize| ((at as f64 * 0.618 + first_row as f64 * 0.37) * 997.0).sin();
        let points: Vec<f32> = (0..count * tokens * WIDTH)
            .map(|at| (2.0 * number(at) + number(at / (tokens * WIDTH) + 7)) as f32)
            .collect();
        // The first one is as long as the batch.
        let length = |row: usize| {
            if row == 0 {
                tokens
            } else {
                1 + row * 7 % tokens
            }
        };
        let mask: Vec<bool> = (0..count * tokens)
            .map(|at| at % tokens < length(at / tokens))
            .collect();
        let classes: Vec<i32> = (0..count).map(|row| i32::from(number(row) > 0.0)).collect();
        let points = TensorData::new(points, [count, tokens, WIDTH]);
        Self {
            points: Tensor::from_data(points, &device),
            mask: Tensor::from_data(TensorData::new(mask, [count, tokens]), &device),
            classes: Tensor::from_data(TensorData::new(classes, [count]), &device),
            rows: (first_row..first_row + count)
                .map(|row| row as u32)
                .collect(),
        }
    }

    /// The same sequences with more padding.
    fn padded(self, tokens: usize) -> Self {
        let [count, own, _] = self.points.dims();
        if own == tokens {
            return self;
        }
        let device = Device::flex();
        let points = Tensor::ones([count, tokens - own, WIDTH], &device);
        let mask = Tensor::<2>::zeros([count, tokens - own], &device).greater_scalar(0.5);
        Self {
            points: Tensor::cat(vec![self.points, points], 1),
            mask: Tensor::cat(vec![self.mask, mask], 1),
            ..self
        }
    }

    fn joined(batches: Vec<Self>) -> Self {
        let tokens = batches.iter().map(|batch| batch.points.dims()[1]).max();
        let tokens = tokens.unwrap();
        let all: Vec<Self> = batches
            .into_iter()
            .map(|batch| batch.padded(tokens))
            .collect();
        Self {
            points: Tensor::cat(all.iter().map(|batch| batch.points.clone()).collect(), 0),
            mask: Tensor::cat(all.iter().map(|batch| batch.mask.clone()).collect(), 0),
            classes: Tensor::cat(all.iter().map(|batch| batch.classes.clone()).collect(), 0),
            rows: all.into_iter().flat_map(|batch| batch.rows).collect(),
        }
    }
}

/// The batches of one training. The model places them.
#[derive(Clone)]
struct Loader {
    batches: Vec<Sequences>,
}

impl Loader {
    fn new(batches: Vec<Sequences>) -> Self {
        Self { batches }
    }
}

struct Pass<'a>(&'a Loader, usize);

impl Iterator for Pass<'_> {
    type Item = Result<Sequences, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.0.batches.get(self.1)?.clone();
        self.1 += 1;
        Some(Ok(batch))
    }
}

impl DataLoaderIterator<Sequences> for Pass<'_> {
    fn progress(&self) -> Progress {
        Progress::new(self.1, self.0.batches.len(), Some("batches".into()))
    }
}

impl DataLoader<Sequences> for Loader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Sequences> + 'a> {
        Box::new(Pass(self, 0))
    }

    fn num_items(&self) -> usize {
        self.batches.len()
    }

    fn to_device(&self, _: &Device) -> Arc<dyn DataLoader<Sequences>> {
        Arc::new(self.clone())
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Sequences>> {
        Arc::new(Self::new(self.batches[start..end].to_vec()))
    }
}

/// Two layers, and two classes from the mean of the second.
#[derive(Module, Debug)]
struct Model {
    first: Linear,
    second: Linear,
    classes: Linear,
}

impl Model {
    fn new(device: &Device) -> Self {
        let linear = |outputs: usize| {
            let weights = (0..WIDTH * outputs).map(|at| (at as f32 * 2.3).sin() * 0.6);
            let weights = TensorData::new(weights.collect(), [WIDTH, outputs]);
            let bias = TensorData::new(vec![0.1; outputs], [outputs]);
            Linear {
                weight: Param::from_data(weights, device),
                bias: Some(Param::from_data(bias, device)),
            }
        };
        Self {
            first: linear(WIDTH),
            second: linear(WIDTH),
            classes: linear(2),
        }
    }
}

impl HiddenStateModel for Model {
    type Batch = Sequences;
    type Output = ClassificationOutput;

    fn forward_step(&self, batch: Sequences) -> ForwardStep<ClassificationOutput> {
        let device = self.first.weight.device();
        let points = match device.is_autodiff() {
            true => batch.points.autodiff(),
            false => batch.points.without_autodiff(),
        };
        let first = self.first.forward(points).tanh();
        let second = self.second.forward(first.clone()).tanh();
        let weights: Tensor<3> = batch.mask.clone().float().unsqueeze_dim(2);
        let pooled = (second.clone() * weights.clone()).sum_dim(1) / weights.sum_dim(1);
        let logits = self.classes.forward(pooled.squeeze_dim::<2>(1));
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        let loss = loss.forward(logits.clone(), batch.classes.clone());
        ForwardStep {
            task_loss: loss.clone(),
            hidden_states: HiddenStates::from_layers(vec![first, second]).with_mask(batch.mask),
            output: ClassificationOutput::new(loss, logits, batch.classes),
        }
    }

    fn rows(batch: &Sequences) -> Vec<u32> {
        batch.rows.clone()
    }
}

/// Batches of different sizes and lengths.
fn batches(count: usize) -> Vec<Sequences> {
    let sizes = [8, 5, 9, 6, 7];
    let tokens = [5, 3, 4, 5, 2];
    let of = |at: usize| Sequences::new(10 * at, sizes[at % 5], tokens[at % 5]);
    (0..count).map(of).collect()
}

/// The batches that the workers take at the same time, joined.
fn joined(batches: &[Sequences], devices: usize) -> Vec<Sequences> {
    // Burn gives the last device the remainder.
    let size = batches.len() / devices;
    let bounds = |device: usize| match device + 1 == devices {
        true => device * size..batches.len(),
        false => device * size..(device + 1) * size,
    };
    let slices: Vec<&[Sequences]> = (0..devices).map(|at| &batches[bounds(at)]).collect();
    let steps = slices.iter().map(|slice| slice.len()).max().unwrap();
    let step = |step: usize| {
        let taken = slices.iter().filter_map(|slice| slice.get(step)).cloned();
        Sequences::joined(taken.collect())
    };
    (0..steps).map(step).collect()
}

/// Parameters after four epochs, and the acting weight of a target in every step, over ρ.
fn train(
    regularizer: Box<dyn Regularizer>,
    batches: Vec<Sequences>,
    devices: usize,
) -> (Vec<f64>, Vec<f64>) {
    let held = Arc::new(Mutex::new(Vec::new()));
    let kept = held.clone();
    let calibration = Loader::new(vec![Sequences::new(500, 16, 4)]);
    let hook: Hook<Sequences> = HookConfig::new()
        .with_calibration_loader(Arc::new(calibration))
        .with_observer(move |event: &HookEvent| {
            if let HookEvent::StepEnded { held, .. } = event {
                // In units of the factor ρ, by which an error of the score enters.
                let numbers = held.iter().map(|held| held.numbers);
                let weights = numbers.map(|held| held.weight / held.penalty.max(1.0));
                kept.lock().unwrap().extend(weights);
            }
        })
        .init(regularizer);
    let folder = tempfile::tempdir().unwrap();
    let valid = Loader::new(vec![Sequences::new(900, 8, 3)]);
    let mut training = hook
        .training(
            folder.path(),
            Arc::new(Loader::new(batches)),
            Arc::new(valid),
        )
        .with_application_logger(None)
        .num_epochs(4);
    if devices > 1 {
        let strategy = MultiDeviceOptim::OptimMainDevice;
        let strategy = ExecutionStrategy::multi(vec![Device::flex(); devices], strategy);
        training = training.with_training_strategy(strategy.into());
    }
    let model = hook.wrap(Model::new(&Device::flex().autodiff()));
    let result = training.launch(Learner::new(model, AdamWConfig::new().init(), 1e-2));
    assert!(result.error.is_none(), "{:?}", result.error);

    struct Values(Vec<f64>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(param.val().into_data().iter::<f64>());
        }
    }
    let mut values = Values(Vec::new());
    result.model.visit(&mut values);
    let held = held.lock().unwrap().clone();
    (values.0, held)
}

fn largest_difference(one: &[f64], other: &[f64]) -> f64 {
    assert_eq!(one.len(), other.len());
    let apart = one
        .iter()
        .zip(other)
        .map(|(one, other)| (one - other).abs());
    apart.fold(0.0, f64::max)
}

type Make = Box<dyn Fn() -> Box<dyn Regularizer>>;

fn scored(estimator: Estimator, layers: &str, sample: usize) -> IStar {
    let selection = StateSelection {
        layers: layers.parse().unwrap(),
        padding: Padding::Mask,
    };
    let scorer = IsoScorer::new(estimator, selection).with_sample(sample, 4);
    IStar::with_scorer(-0.5, scorer).unwrap()
}

fn target(targets: &[(&str, f64)]) -> Target {
    let hold = |(layers, target): &(&str, f64)| {
        let layers: LayerSelection = layers.parse().unwrap();
        let mut hold = Hold::new(layers, *target);
        hold.control = hold.control.with_warmup(12).with_response(0.01);
        hold
    };
    Target::new(targets.iter().map(hold).collect(), Padding::Mask).unwrap()
}

fn regularizers() -> Vec<(&'static str, Make)> {
    let auto = || Estimator::AutoShrunk(ShrinkageTarget::Reference);
    let shrunk = || Shrinkage::new(0.2, ShrinkageTarget::Reference).unwrap();
    let vicreg = VicRegConfig::new().with_weight(0.02);
    let sigreg = SigRegConfig::new().with_slices(16).with_tokens(40);
    vec![
        (
            "unbiased",
            Box::new(|| Box::new(scored(Estimator::Unbiased, "all", 0))),
        ),
        (
            "unbiased, each, 40 states",
            Box::new(|| Box::new(scored(Estimator::Unbiased, "each", 40))),
        ),
        ("auto", Box::new(move || Box::new(scored(auto(), "all", 0)))),
        (
            "auto, 60 states",
            Box::new(move || Box::new(scored(auto(), "all", 60))),
        ),
        (
            "ζ = 0.2, 60 states",
            Box::new(move || Box::new(scored(shrunk().into(), "all", 60))),
        ),
        ("VICReg", Box::new(move || Box::new(vicreg.init().unwrap()))),
        (
            "SIGReg, 40 states",
            Box::new(move || Box::new(sigreg.init().unwrap())),
        ),
        ("target", Box::new(|| Box::new(target(&[("all", 0.6)])))),
        (
            "targets",
            Box::new(|| Box::new(target(&[("1", 0.3), ("2", 0.8)]))),
        ),
    ]
}

/// A regularizer that is not known to be pooled: every device has its own penalty.
#[derive(Debug)]
struct Apart(Box<dyn Regularizer>);

impl Regularizer for Apart {
    fn measure_name(&self) -> &str {
        self.0.measure_name()
    }

    fn reference_states(&self) -> Option<&StateSelection> {
        self.0.reference_states()
    }

    fn penalty(&self, states: &HiddenStates, context: &StepContext) -> Penalty {
        self.0.penalty(states, context)
    }
}

#[test]
fn several_devices_have_the_penalty_of_the_joined_batches() {
    for (name, make) in regularizers() {
        for (devices, count) in [(2, 10), (3, 16)] {
            let all = batches(count);
            let (one, held) = train(make(), joined(&all, devices), 1);
            let (several, held_by_several) = train(make(), all.clone(), devices);
            let apart = largest_difference(&several, &one);
            let held_apart = largest_difference(&held_by_several, &held);
            println!("{name}, {count} batches on {devices} devices: {apart:e}, {held_apart:e}");
            assert!(apart <= TOLERANCE, "{name} on {devices} devices: {apart}");
            assert!(
                held_apart <= TOLERANCE,
                "{name}: acting weights differ by {held_apart}"
            );
            // With a penalty of its own on every device, the training is another.
            let (own, _) = train(Box::new(Apart(make())), all, devices);
            let apart = largest_difference(&own, &one);
            assert!(
                apart > 100.0 * TOLERANCE,
                "{name} on {devices} devices: {apart}"
            );
        }
    }
}
