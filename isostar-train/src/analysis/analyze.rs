//! From sequences to the geometry of every layer, by way of files.

use burn::prelude::*;
use isostar_models::{Encoder, Pretrained};

use super::states::States;
use super::steps::Steps;
use super::{AnalysisError, AnalysisSettings, LayerAnalysis};
use crate::embeddings::{EmbeddingsError, EmbeddingsFile, Geometry, Sequences, measure};
use crate::experiment::{Observer, Phase};

/// How often `measure` reads a point.
const PASSES: usize = 2;

/// Measures the states of all tokens and the sentence vectors in every layer of a model, the embedding output first.
///
/// The states stand in files of the system's temporary folder meanwhile. The observer is told of tokens embedded and points measured, and of large files
/// before they are written.
///
/// # Errors
/// If a setting is out of range, the files find no room, a state is not finite, or the device fails.
///
/// # Panics
/// If there are no sequences, or an id or a length is beyond what the model has.
pub fn analyze(
    pretrained: &Pretrained<Encoder>,
    sequences: &Sequences,
    settings: &AnalysisSettings,
    observer: &dyn Observer,
) -> Result<Vec<LayerAnalysis>, AnalysisError> {
    settings.check()?;
    let last = pretrained.config.sizes().layers;
    let device = pretrained.model.devices().remove(0);
    let states = States::write(pretrained, sequences, settings, observer)?.open()?;

    let sampled = |points: usize| points.min(settings.sample.unwrap_or(points));
    let points = sampled(sequences.tokens()) + sampled(sequences.len());
    let layer = |layer| {
        let steps = Steps::begin(observer, Phase::Measuring { layer, last }, PASSES * points);
        let of = |file| geometry(file, layer, settings, &device, &|rows| steps.advance(rows));
        Ok(LayerAnalysis { layer, tokens: of(&states.tokens)?, sentences: of(&states.sentences)? })
    };
    (0..=last).map(layer).collect()
}

/// What `measure` makes of a layer; `None` where all points are equal, or there is but one.
fn geometry(
    file: &EmbeddingsFile,
    layer: usize,
    settings: &AnalysisSettings,
    device: &Device,
    progress: &dyn Fn(usize),
) -> Result<Option<Geometry>, AnalysisError> {
    let measured = file.points(Some(&format!("layer.{layer}")), None).and_then(|points| {
        let points = points.into_iter().next().expect("a name stands for one tensor");
        let points = match settings.sample {
            Some(count) => points.sample(count, settings.seed)?,
            None => points,
        };
        measure(&points, None, device, progress)
    });
    match measured {
        Ok(geometry) => Ok(Some(geometry)),
        Err(EmbeddingsError::NoVariance { .. } | EmbeddingsError::FewPoints { .. }) => Ok(None),
        Err(EmbeddingsError::NotFinite { at, value, .. }) => Err(AnalysisError::NotFinite { layer, row: at[0], value }),
        Err(error) => Err(error.into()),
    }
}
