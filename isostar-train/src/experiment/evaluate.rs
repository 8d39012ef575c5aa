//! Accuracy, loss and geometry of a whole split.

use std::collections::BTreeMap;

use burn::data::dataloader::DataLoader;
use burn::prelude::*;
use isostar_core::{LayerSelection, RunningMoments, StateSelection};
use isostar_models::SequenceClassifier;
use serde::Serialize;

use super::{ExperimentError, IsoScores, Observer, Phase};
use crate::data::BatchLoader;
use crate::hook::HiddenStateModel;
use crate::score;

/// What a model makes of one row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The row, from 0, in the order of the file.
    pub index: usize,
    /// The class.
    pub label: String,
    /// The logits, in the order of the labels; their softmax are the probabilities.
    pub scores: Vec<f32>,
}

/// What a model makes of a split.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitReport {
    /// The number of rows.
    pub rows: usize,
    /// The share of rows whose class is right.
    pub accuracy: f64,
    /// F1 of the second of two classes, and of more the mean of them all.
    pub f1: f64,
    /// Matthews' correlation coefficient.
    pub matthews: f64,
    /// The mean cross entropy of a row.
    pub task_loss: f64,
    /// IsoScore of all token states, padding left out.
    pub isoscore: IsoScores,
    /// A line a row, in the order of the file.
    pub predictions: Vec<Prediction>,
}

impl SplitReport {
    /// The scores of the predictions, by name.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        [("accuracy", self.accuracy), ("f1", self.f1), ("matthews", self.matthews)].map(|(name, value)| (name.to_string(), value)).into()
    }
}

/// Runs a model in evaluation mode over a split.
///
/// The scores are those of the states of the whole split: the moments of each layer are merged batch by batch, and those of all layers at the end.
///
/// # Errors
/// If the device cannot be read.
pub fn evaluate(
    model: &SequenceClassifier,
    loader: &BatchLoader,
    labels: &[String],
    observer: &dyn Observer,
) -> Result<SplitReport, ExperimentError> {
    let model = model.valid();
    let rows = loader.rows();
    observer.begin(Phase::Evaluation, rows);

    let (mut loss, mut done) = (0.0, 0);
    let (mut right_classes, mut found_classes) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let mut layers: Vec<RunningMoments> = Vec::new();
    let mut predictions: Vec<Prediction> = Vec::with_capacity(rows);
    for batch in loader.iter() {
        let batch = batch.map_err(|error| ExperimentError::Training { message: error.to_string() })?;
        let step = model.forward_step(batch);

        for layer in 0..step.hidden_states.depth() {
            let selection = StateSelection { layers: LayerSelection::Only(vec![layer + 1]), ..Default::default() };
            let moments = selection.moments(&step.hidden_states);
            if layers.len() <= layer {
                layers.push(RunningMoments::new(moments.width()));
            }
            layers[layer].update(&moments)?;
        }

        let losses: Vec<f64> = step.output.losses.try_into_vec_as()?;
        let classes = step.output.logits.dims()[1];
        let logits: Vec<f32> = step.output.logits.try_into_vec_as()?;
        let truth: Vec<i64> = step.output.labels.try_into_vec_as()?;
        loss += losses.iter().sum::<f64>();
        for (at, &row) in step.output.rows.iter().enumerate() {
            let of_row = at * classes..(at + 1) * classes;
            let best = argmax(&logits[of_row.clone()]);
            right_classes.push(truth[at] as usize);
            found_classes.push(best);
            predictions.push(Prediction { index: row as usize, label: labels[best].clone(), scores: logits[of_row].to_vec() });
        }
        done += step.output.rows.len();
        observer.advance(&Phase::Evaluation, done);
    }
    observer.end(&Phase::Evaluation);

    predictions.sort_unstable_by_key(|prediction| prediction.index);
    let isoscore = IsoScores::of_layers(&layers);
    let f1 = match labels.len() {
        2 => score::f1(&right_classes, &found_classes, 1),
        _ => score::macro_f1(&right_classes, &found_classes),
    };
    Ok(SplitReport {
        rows,
        accuracy: score::accuracy(&right_classes, &found_classes),
        f1,
        matthews: score::matthews_correlation(&right_classes, &found_classes),
        task_loss: loss / rows as f64,
        isoscore,
        predictions,
    })
}

/// The index of the largest number, the first of equals.
fn argmax(numbers: &[f32]) -> usize {
    (1..numbers.len()).fold(0, |best, at| if numbers[at] > numbers[best] { at } else { best })
}
