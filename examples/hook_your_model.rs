//! A classifier of one's own, written with Burn alone, and what makes it train under I-STAR: the lines that end in `// +`.
//!
//! cargo run -p isostar-examples --example hook_your_model

use std::sync::Arc;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::tensor::activation::gelu;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ClassificationOutput, Learner, SupervisedTraining};
use isostar_core::{HiddenStates, IStarConfig}; // +
use isostar_train::data::{BatchLoader, DEFAULT_TOKENIZER, Labels, SequenceBatch, TextEncoder, TrainingOrder, default_rows};
use isostar_train::hook::{ForwardStep, HiddenStateModel, Hook}; // +
use isostar_train::metric::IsoScoreMetric; // +

/// Two layers on the mean of a headline's word vectors.
#[derive(Module, Debug)]
struct BagOfWords {
    words: Embedding,
    first: Linear,
    second: Linear,
    classes: Linear,
}

impl BagOfWords {
    fn new(vocabulary: usize, device: &Device) -> Self {
        Self {
            words: EmbeddingConfig::new(vocabulary, 64).init(device),
            first: LinearConfig::new(64, 64).init(device),
            second: LinearConfig::new(64, 64).init(device),
            classes: LinearConfig::new(64, 2).init(device),
        }
    }

    /// What each layer makes of each headline, `[rows, 64]`, and the logits, `[rows, 2]`.
    fn forward(&self, batch: &SequenceBatch) -> (Vec<Tensor<2>>, Tensor<2>) {
        let counts = batch.input.mask.clone().float().unsqueeze_dim::<3>(2);
        let words = self.words.forward(batch.input.ids.clone()) * counts.clone();
        let mean: Tensor<2> = words.sum_dim(1).squeeze_dim(1) / counts.sum_dim(1).squeeze_dim(1);
        let first = gelu(self.first.forward(mean));
        let second = gelu(self.second.forward(first.clone()));
        let logits = self.classes.forward(second.clone());
        (vec![first, second], logits)
    }

    fn classify(&self, batch: SequenceBatch) -> (Vec<Tensor<2>>, ClassificationOutput) {
        let (layers, logits) = self.forward(&batch);
        let classes = batch.targets.classes();
        let loss = CrossEntropyLossConfig::new().init(&logits.device()).forward(logits.clone(), classes.clone());
        (layers, ClassificationOutput::new(loss, logits, classes))
    }
}

impl HiddenStateModel for BagOfWords {
    // +
    type Batch = SequenceBatch; // +
    type Output = ClassificationOutput; // +
    fn forward_step(&self, batch: SequenceBatch) -> ForwardStep<ClassificationOutput> {
        // +
        let (layers, output) = self.classify(batch); // +
        ForwardStep { task_loss: output.loss.clone(), hidden_states: HiddenStates::of_vectors(layers), output } // +
    } // +
} // +

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    device.seed(1);
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 64)?;
    let rows = default_rows();
    let labels = Labels::of(&rows.train.rows)?;
    let train = Arc::new(encoder.encode(&rows.train.rows, labels.indices_of(&rows.train.rows, &rows.train.path)?)?);
    let dev = Arc::new(encoder.encode(&rows.dev.rows, labels.indices_of(&rows.dev.rows, &rows.dev.path)?)?);

    let order = TrainingOrder { batch_size: 64, batching: Default::default(), seed: 1, first_epoch: 0 };
    let train = Arc::new(BatchLoader::training(train, order, &device.clone().autodiff()));
    let dev = Arc::new(BatchLoader::evaluation(dev, 64, &device));
    let model = BagOfWords::new(encoder.tokenizer().get_vocab_size(true), &device.autodiff());

    let hook = Hook::new(IStarConfig::new(0.3).init()?); // +
    let folder = tempfile::tempdir()?;
    let training = SupervisedTraining::new(folder.path(), hook.tap(train), dev) // hook.tap(train) was: train
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .metric_valid_numeric(IsoScoreMetric::new()) // +
        .metric_train_numeric(hook.measure_metric().expect("the hook has a regularizer")) // +
        .num_epochs(3)
        .summary();
    let result = training.launch(Learner::new(hook.wrap(model), AdamWConfig::new().init(), 2e-3)); // hook.wrap(model) was: model
    let model = result.model.into_inner(); // +
    println!("{model}");
    Ok(())
}
