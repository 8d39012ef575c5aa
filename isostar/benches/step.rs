//! Training steps of a BERT on flex: forward, backward and AdamW, with dropout, with and without I-STAR on all layers.
//!
//! cargo bench --workspace --bench step --profile dev
//! cargo bench --workspace --bench step --profile dev -- --serve 6x384 32x64
//!
//! The first command prints what the penalty adds to a step: the two kinds of steps alternate, and the share is the median of
//! their ratios. The second reads a word per line, `plain`, `penalty`, `parts` or `memory`, and answers with the seconds of one
//! step, with those of its forward, backward and update, or with the peak memory of the process in MiB;
//! scripts/step_beside_torch.py uses it. `--padded` makes a third of the positions padding. The dev profile is optimised; no
//! second build is needed.

use std::io::BufRead;
use std::time::Instant;

use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use burn::tensor::Distribution;
use isostar_core::{IStar, IStarConfig, Regularizer, StepContext};
use isostar_models::{BertConfig, ModelConfig, PretrainedModel, SequenceClassifier, TokenBatch};
use isostar_train::data::{SequenceBatch, Targets};
use isostar_train::experiment::adamw;
use isostar_train::hook::HiddenStateModel;

#[path = "../src/allocator.rs"]
mod allocator;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const VOCABULARY: usize = 30_522;
const HEADS: usize = 12;
const ROUNDS: usize = 9;

#[derive(Clone, Copy)]
struct Shape {
    layers: usize,
    width: usize,
    sequences: usize,
    tokens: usize,
    padded: bool,
}

/// A batch of random tokens; if it is padded, lengths are uniform from a third of the positions to all.
fn batch(shape: &Shape, device: &Device) -> SequenceBatch {
    let Shape {
        sequences,
        tokens,
        padded,
        ..
    } = *shape;
    let numbers = |least: f64, most: f64, count| {
        Tensor::<1>::random([count], Distribution::Uniform(least, most), device).int()
    };
    let ids = numbers(1.0, VOCABULARY as f64, sequences * tokens).reshape([sequences, tokens]);
    let mut input = TokenBatch::unpadded(ids);
    if padded {
        let lengths: Tensor<2, Int> =
            numbers(tokens as f64 / 3.0, tokens as f64, sequences).unsqueeze_dim(1);
        let positions: Tensor<2, Int> =
            Tensor::<1, Int>::arange(0..tokens as i64, device).unsqueeze_dim(0);
        input.mask = positions
            .expand([sequences, tokens])
            .lower(lengths.expand([sequences, tokens]));
    }
    SequenceBatch {
        input,
        targets: Targets::Classes(numbers(0.0, 1.99, sequences)),
        rows: (0..sequences as u32).collect(),
    }
}

struct Training {
    shape: Shape,
    device: Device,
    model: SequenceClassifier,
    optimizer: ModuleOptimizer,
    istar: IStar,
    reference: Tensor<2>,
}

impl Training {
    fn new(shape: Shape) -> Self {
        let device = Device::flex().autodiff();
        device.seed(1);
        let config = BertConfig {
            vocab_size: VOCABULARY,
            hidden_size: shape.width,
            num_hidden_layers: shape.layers,
            num_attention_heads: HEADS,
            intermediate_size: 4 * shape.width,
            ..BertConfig::default()
        };
        let model = SequenceClassifier::new(&ModelConfig::Bert(config), &device)
            .expect("the configuration is valid");
        let istar = IStarConfig::new(-0.1)
            .init()
            .expect("the settings are valid");
        let reference = Tensor::eye(shape.width, &device.clone().without_autodiff());
        Self {
            shape,
            device,
            model,
            optimizer: adamw(0.01, 1e-8),
            istar,
            reference,
        }
    }

    /// Returns the seconds of one step on a new batch: forward, backward and optimizer.
    fn step(&mut self, penalty: bool) -> [f64; 3] {
        let batch = batch(&self.shape, &self.device);
        let start = Instant::now();
        let step = self.model.forward_step(batch);
        let mut loss = step.task_loss;
        if penalty {
            loss = loss
                + self
                    .istar
                    .penalty(
                        &step.hidden_states,
                        &StepContext::default().with_reference(&self.reference),
                    )
                    .value;
        }
        drop(step.hidden_states);
        let forward = start.elapsed();
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        let backward = start.elapsed();
        // The Learner also updates a clone of its model.
        self.model = self.optimizer.step(1e-5, self.model.clone(), gradients);
        [forward, backward - forward, start.elapsed() - backward].map(|part| part.as_secs_f64())
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Returns the peak memory of this process in MiB, and 0 where the system does not tell.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.split_whitespace().next()?.parse::<usize>().ok())
        .unwrap_or(0)
        / 1024
}

fn serve(shape: Shape) {
    let mut training = Training::new(shape);
    for word in std::io::stdin().lock().lines() {
        match word.expect("the input is text").as_str() {
            "plain" => println!("{:.5}", training.step(false).iter().sum::<f64>()),
            "penalty" => println!("{:.5}", training.step(true).iter().sum::<f64>()),
            "parts" => println!(
                "{}",
                training
                    .step(false)
                    .map(|seconds| format!("{seconds:.5}"))
                    .join(" ")
            ),
            "memory" => println!("{}", peak_memory()),
            word => panic!("expected plain, penalty, parts or memory, got {word:?}"),
        }
    }
}

fn print_penalty(padded: bool) {
    println!(
        "{:>8} {:>10} {:>11} {:>13} {:>7}",
        "model", "batch", "plain (ms)", "penalty (ms)", "adds"
    );
    for (layers, width, sequences, tokens) in [
        (6, 384, 32, 64),
        (6, 384, 32, 128),
        (6, 384, 8, 64),
        (12, 768, 8, 128),
    ] {
        let mut training = Training::new(Shape {
            layers,
            width,
            sequences,
            tokens,
            padded,
        });
        // One pair warms the caches and the allocator.
        let pairs: Vec<[f64; 2]> = (0..=ROUNDS)
            .map(|_| [false, true].map(|penalty| training.step(penalty).iter().sum()))
            .skip(1)
            .collect();
        let [plain, penalty] =
            [0, 1].map(|with| 1e3 * median(pairs.iter().map(|pair| pair[with]).collect()));
        let adds = 100.0
            * (median(
                pairs
                    .iter()
                    .map(|[plain, penalty]| penalty / plain)
                    .collect(),
            ) - 1.0);
        let [model, batch] = [format!("{layers}x{width}"), format!("{sequences}x{tokens}")];
        println!("{model:>8} {batch:>10} {plain:>11.0} {penalty:>13.0} {adds:>6.1}%");
    }
}

fn pair(text: &str) -> (usize, usize) {
    let (first, second) = text
        .split_once('x')
        .unwrap_or_else(|| panic!("expected a pair such as 6x384, got {text:?}"));
    let number = |text: &str| {
        text.parse()
            .unwrap_or_else(|_| panic!("expected a whole number, got {text:?}"))
    };
    (number(first), number(second))
}

fn main() {
    allocator::keep_pages();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let padded = arguments.iter().any(|argument| argument == "--padded");
    // Cargo adds a flag of its own.
    let rest: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| !["--padded", "--bench"].contains(argument))
        .collect();
    match rest[..] {
        [] => print_penalty(padded),
        ["--serve", model, batch] => {
            let ((layers, width), (sequences, tokens)) = (pair(model), pair(batch));
            serve(Shape {
                layers,
                width,
                sequences,
                tokens,
                padded,
            });
        }
        _ => panic!("usage: step [--padded] [--serve LAYERSxWIDTH SEQUENCESxTOKENS]"),
    }
}
