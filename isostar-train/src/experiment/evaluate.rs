//! Evaluating a model on a split: metrics, loss and geometry.

use std::collections::BTreeMap;

use burn::data::dataloader::DataLoader;
use isostar_core::{LayerSelection, RunningMoments, StateSelection};

use super::{ExperimentError, IsoScores, Observer, Phase};
use crate::data::BatchLoader;
use crate::task::{Evaluator, Prediction, TaskModel};

/// The evaluation of a model on a split.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitReport {
    /// The number of rows or questions.
    pub rows: usize,
    /// The metrics of the predictions by name; NaN if undefined.
    pub metrics: BTreeMap<String, f64>,
    /// The mean loss per row or window.
    pub task_loss: f64,
    /// IsoScore of all token states, without padding.
    pub isoscore: IsoScores,
    /// One prediction per row, in the order of the file.
    pub predictions: Vec<Prediction>,
}

/// Evaluates a model on a split. `evaluator` must not have any batches yet.
///
/// The IsoScores are those of all token states of the split: the moments of each layer are
/// accumulated over the batches, then merged over the layers.
///
/// # Errors
/// If the device cannot be read, or the observer asks to stop.
pub fn evaluate<M: TaskModel>(
    model: &M,
    loader: &BatchLoader<M::Source>,
    mut evaluator: M::Evaluator,
    observer: &dyn Observer,
) -> Result<SplitReport, ExperimentError> {
    let model = model.valid();
    observer.begin(Phase::Evaluation, loader.rows());

    let mut done = loader.iter();
    let mut layers: Vec<RunningMoments> = Vec::new();
    while let Some(batch) = done.next() {
        if let Some(stop) = observer.stop() {
            return Err(ExperimentError::Interrupted { path: None, stop, step: 0, steps: 0 });
        }
        let batch = batch.map_err(|error| ExperimentError::Batch { message: error.to_string() })?;
        let step = model.forward_step(batch);
        for layer in 0..step.hidden_states.depth() {
            let selection = StateSelection { layers: LayerSelection::Only(vec![layer + 1]), ..Default::default() };
            let moments = selection.moments(&step.hidden_states);
            if layers.len() <= layer {
                layers.push(RunningMoments::new(moments.width()));
            }
            layers[layer].update(&moments)?;
        }
        evaluator.add(&step.output)?;
        observer.advance(&Phase::Evaluation, done.progress().items_processed);
    }
    observer.end(&Phase::Evaluation);

    let predictions = evaluator.predictions();
    Ok(SplitReport {
        rows: predictions.len(),
        metrics: evaluator.scores(),
        task_loss: evaluator.loss(),
        isoscore: IsoScores::from_layers(&layers),
        predictions,
    })
}
