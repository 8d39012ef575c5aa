//! Evaluating a model on a split: metrics, loss and geometry.

use std::collections::BTreeMap;

use burn::data::dataloader::DataLoader;
use isostar_core::{DeviceMoments, LayerSelection, StateSelection};

use super::waiting::Waiting;
use super::{ExperimentError, IsoScores};
use crate::data::BatchLoader;
use crate::progress::{Phase, Progress};
use crate::task::{Evaluator, Prediction, TaskModel};

/// Largest size of the moments of all layers that wait on the device to be read, in bytes. A batch
/// of BERT-base has 28 MB.
const PENDING: usize = 4 * DeviceMoments::PENDING;

/// Rows per evaluation batch.
pub(super) const EVALUATION_BATCH: usize = 64;

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
/// accumulated over the batches, of which many at a time are read back, then merged over the layers.
///
/// # Errors
/// If the device cannot be read, or the observer asks to stop.
pub fn evaluate<M: TaskModel>(
    model: &M,
    loader: &BatchLoader<M::Source>,
    mut evaluator: M::Evaluator,
    observer: &dyn Progress,
) -> Result<SplitReport, ExperimentError> {
    let model = model.valid();
    observer.begin(Phase::Evaluation, loader.rows());

    let mut done = loader.iter();
    let mut layers: Vec<DeviceMoments> = Vec::new();
    let devices = model.devices();
    let mut waiting = Waiting::new(devices.first().expect("a model has parameters"));
    while let Some(batch) = done.next() {
        if let Some(stop) = observer.stop() {
            return Err(ExperimentError::Interrupted {
                path: None,
                stop,
                step: 0,
                steps: 0,
            });
        }
        let batch = batch.map_err(|error| ExperimentError::Batch {
            message: error.to_string(),
        })?;
        let step = model.forward_step(batch);
        let depth = step.hidden_states.depth();
        for layer in 0..depth {
            let selection = StateSelection {
                layers: LayerSelection::Only(vec![layer + 1]),
                ..Default::default()
            };
            let moments = selection.moments(&step.hidden_states);
            if layers.len() <= layer {
                layers.push(DeviceMoments::new(moments.width()).with_limit(PENDING / depth));
            }
            layers[layer].add(moments)?;
        }
        for output in waiting.add(step.output)? {
            evaluator.add(&output)?;
        }
        observer.advance(&Phase::Evaluation, done.progress().items_processed);
    }
    for output in waiting.finish(&mut layers)? {
        evaluator.add(&output)?;
    }
    observer.end(&Phase::Evaluation);

    let layers = layers
        .iter()
        .map(DeviceMoments::read)
        .collect::<Result<Vec<_>, _>>()?;
    let predictions = evaluator.predictions();
    Ok(SplitReport {
        rows: predictions.len(),
        metrics: evaluator.scores(),
        task_loss: evaluator.loss(),
        isoscore: IsoScores::from_layers(&layers),
        predictions,
    })
}
