//! A classifier written with Burn alone. The lines that end in `// +` add training with I-STAR.
//!
//! cargo run -p isostar-examples --example hook_your_model

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::tensor::activation::gelu;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ClassificationOutput, Learner};
use isostar_core::{HiddenStates, IStarConfig}; // +
use isostar_train::hook::{ForwardStep, HiddenStateModel, Hook}; // +

/// A headline: its word ids, and class 1 if it is satire.
#[derive(Clone, Debug)]
struct Headline {
    words: Vec<i32>,
    class: i32,
}

impl Headline {
    /// Vocabulary size; id 0 is padding.
    const VOCABULARY: usize = 8192;
    /// Maximum number of words per headline.
    const LENGTH: usize = 24;

    /// Reads headlines from a file with the columns sentence and label. Word ids are hashes modulo
    /// the vocabulary size.
    fn of_file(text: &str) -> InMemDataset<Headline> {
        let hash = |word: &str| {
            word.bytes().fold(5381_usize, |hash, byte| {
                hash.wrapping_mul(33) ^ usize::from(byte)
            })
        };
        let rows = text
            .lines()
            .skip(1)
            .filter_map(|line| line.rsplit_once('\t'));
        let headlines = rows.map(|(sentence, label)| {
            let mut words: Vec<i32> = sentence
                .split_whitespace()
                .map(|word| 1 + (hash(word) % (Self::VOCABULARY - 1)) as i32)
                .collect();
            words.resize(Self::LENGTH, 0);
            Headline {
                words,
                class: i32::from(label == "1"),
            }
        });
        InMemDataset::new(headlines.collect())
    }
}

/// Word ids `[rows, LENGTH]` and classes `[rows]`.
#[derive(Clone, Debug)]
struct HeadlineBatch {
    words: Tensor<2, Int>,
    classes: Tensor<1, Int>,
}

struct HeadlineBatcher;

impl Batcher<Headline, HeadlineBatch> for HeadlineBatcher {
    fn batch(&self, rows: Vec<Headline>, device: &Device) -> HeadlineBatch {
        let classes: Vec<i32> = rows.iter().map(|row| row.class).collect();
        let words: Vec<i32> = rows.into_iter().flat_map(|row| row.words).collect();
        let count = classes.len();
        HeadlineBatch {
            words: Tensor::from_data(TensorData::new(words, [count, Headline::LENGTH]), device),
            classes: Tensor::from_data(TensorData::new(classes, [count]), device),
        }
    }
}

/// Two-layer classifier on the mean of a headline's word vectors.
#[derive(Module, Debug)]
struct BagOfWords {
    words: Embedding,
    first: Linear,
    second: Linear,
    classes: Linear,
}

impl BagOfWords {
    fn new(device: &Device) -> Self {
        Self {
            words: EmbeddingConfig::new(Headline::VOCABULARY, 64).init(device),
            first: LinearConfig::new(64, 64).init(device),
            second: LinearConfig::new(64, 64).init(device),
            classes: LinearConfig::new(64, 2).init(device),
        }
    }

    /// Returns the output of each layer, `[rows, 64]`, and the logits, `[rows, 2]`.
    fn forward(&self, words: Tensor<2, Int>) -> (Vec<Tensor<2>>, Tensor<2>) {
        let counts = words
            .clone()
            .not_equal_elem(0)
            .float()
            .unsqueeze_dim::<3>(2);
        let vectors = self.words.forward(words) * counts.clone();
        let mean: Tensor<2> = vectors.sum_dim(1).squeeze_dim(1) / counts.sum_dim(1).squeeze_dim(1);
        let first = gelu(self.first.forward(mean));
        let second = gelu(self.second.forward(first.clone()));
        let logits = self.classes.forward(second.clone());
        (vec![first, second], logits)
    }

    fn classify(&self, batch: HeadlineBatch) -> (Vec<Tensor<2>>, ClassificationOutput) {
        let (layers, logits) = self.forward(batch.words);
        let loss = CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits.clone(), batch.classes.clone());
        (
            layers,
            ClassificationOutput::new(loss, logits, batch.classes),
        )
    }
}

impl HiddenStateModel for BagOfWords {
    // +
    type Batch = HeadlineBatch; // +
    type Output = ClassificationOutput; // +
    fn forward_step(&self, batch: HeadlineBatch) -> ForwardStep<ClassificationOutput> {
        // +
        let (layers, output) = self.classify(batch); // +
        ForwardStep {
            task_loss: output.loss.clone(),
            hidden_states: HiddenStates::from_vectors(layers),
            output,
        } // +
    } // +
} // +

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    device.seed(1);
    let loader = |text| {
        DataLoaderBuilder::new(HeadlineBatcher)
            .batch_size(64)
            .shuffle(1)
            .build(Headline::of_file(text))
    };
    let (train, valid) = (
        loader(include_str!("../data/train.tsv")),
        loader(include_str!("../data/dev.tsv")),
    );
    let model = BagOfWords::new(&device.autodiff());

    let folder = tempfile::tempdir()?;
    let hook = Hook::new(IStarConfig::new(0.3).init()?); // +
    // Without the hook: SupervisedTraining::new(folder.path(), train, valid).
    let training = hook.training(folder.path(), train, valid); // +
    let training = training
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .num_epochs(3)
        .summary();
    let model = hook.wrap(model); // +
    let result = training.launch(Learner::new(model, AdamWConfig::new().init(), 2e-3));
    let model = result.model.into_inner(); // +
    println!("{model}");
    Ok(())
}
