//! Evaluating a model on a split: metrics, loss and geometry.

use std::collections::BTreeMap;

use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use isostar_core::{DeviceMoments, LayerSelection, StateSelection};

use super::turns::{Evaluated, in_turns};
use super::waiting::Waiting;
use super::{ExperimentError, IsoScores};
use crate::data::BatchLoader;
use crate::progress::{Phase, Progress};
use crate::task::{Evaluator, Prediction, TaskModel};
use crate::world::World;

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
    evaluator: M::Evaluator,
    observer: &dyn Progress,
) -> Result<SplitReport, ExperimentError> {
    evaluate_in(&World::alone(), model, loader, evaluator, observer)
}

/// [`evaluate`] in the processes of a world, of which each computes some of the batches.
pub(super) fn evaluate_in<M: TaskModel>(
    world: &World,
    model: &M,
    loader: &BatchLoader<M::Source>,
    mut evaluator: M::Evaluator,
    observer: &dyn Progress,
) -> Result<SplitReport, ExperimentError> {
    let model = model.valid();
    observer.begin(Phase::Evaluation, loader.rows());

    let mut done = 0;
    let mut layers: Vec<DeviceMoments> = Vec::new();
    let devices = model.devices();
    let device = devices.first().expect("a model has parameters");
    let mut waiting = Waiting::new(device);
    let unread = |error: DatasetError| ExperimentError::Batch {
        message: error.to_string(),
    };
    let compute = |batch| {
        let step = model.forward_step(batch);
        let layers = 1..=step.hidden_states.depth();
        let moments = layers.map(|layer| {
            let selection = StateSelection {
                layers: LayerSelection::Only(vec![layer]),
                ..Default::default()
            };
            selection.moments(&step.hidden_states)
        });
        Evaluated {
            moments: moments.collect(),
            output: step.output,
        }
    };
    let take = |Evaluated { moments, output }: Evaluated<M::Output>| {
        let depth = moments.len();
        for (layer, moments) in moments.into_iter().enumerate() {
            if layers.len() <= layer {
                layers.push(DeviceMoments::new(moments.width()).with_limit(PENDING / depth));
            }
            layers[layer].add(moments)?;
        }
        done += M::losses(&output).dims()[0];
        for output in waiting.add(output)? {
            evaluator.add(&output)?;
        }
        observer.advance(&Phase::Evaluation, done);
        ExperimentError::check_stop(observer.stop())
    };
    let batches = loader.iter().map(|batch| batch.map_err(unread));
    in_turns(world, device, batches, compute, take)?;
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
