//! Fine-tunes a pretrained BERT on labelled sentences, then classifies a sentence.
//!
//! cargo run -p isostar-examples --example finetune_sentiment -- MODEL_FOLDER TRAIN_FILE [ROWS]
//!
//! MODEL_FOLDER holds config.json, model.safetensors and tokenizer.json. TRAIN_FILE is a .tsv, .csv
//! or .jsonl file with columns such as sentence and label.

use std::sync::Arc;

use burn::prelude::*;
use burn::tensor::activation::softmax;
use isostar_models::{Pretrained, SequenceClassifier, TokenBatch};
use isostar_train::experiment::{Experiment, RunFolder, TrainOptions, TrainSettings};
use isostar_train::progress::Silent;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(model), Some(task)) = (arguments.next(), arguments.next()) else {
        return Err("usage: finetune_sentiment MODEL_FOLDER TRAIN_FILE [ROWS]".into());
    };
    let limit = arguments.next().map(|rows| rows.parse()).transpose()?;

    let options = TrainOptions {
        model: Some(model),
        task: Some(task),
        limit,
        weight: Some(-0.1),
        epochs: Some(1),
        ..Default::default()
    };
    let experiment = Experiment::prepare(TrainSettings::resolve(options), &Silent)?;
    let lock = RunFolder::lock_new(None, &experiment.task.name, &Silent)?;
    let folder = lock.folder();
    let result = experiment.run(&lock, Arc::new(Silent))?;
    println!(
        "accuracy {:?}, IsoScore {:?}, in {}",
        result.metrics["accuracy"],
        result.isoscore.all,
        folder.path().display()
    );

    let device = Device::flex();
    let trained = Pretrained::<SequenceClassifier>::read(folder.model(), &device)?;
    let text = "a quietly moving film, and often a very funny one";
    let ids: Vec<i32> = trained
        .tokenizer
        .encode(text, true)
        .map_err(|error| error.to_string())?
        .get_ids()
        .iter()
        .map(|&id| id as i32)
        .collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids.clone(), [1, ids.len()]), &device);
    let (logits, _) = trained.model.valid().forward(TokenBatch::unpadded(ids));
    let probabilities: Vec<f32> = softmax(logits, 1).try_into_vec_as()?;
    for (label, probability) in trained.config.labels().names().iter().zip(probabilities) {
        println!("{label}: {probability:.3}");
    }
    Ok(())
}
