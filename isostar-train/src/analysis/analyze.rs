//! From sequences to the geometry of every layer, by way of files.

use burn::prelude::*;
use isostar_models::{Encoder, Pretrained};

use super::states::States;
use super::steps::Steps;
use super::{AnalysisError, AnalysisSettings, LayerAnalysis};
use crate::embeddings::{EmbeddingsError, EmbeddingsFile, Geometry, Measures, Points, Sample, Sequences, measure, steps};
use crate::experiment::{Observer, Phase};

/// Measures the states of all tokens and the sentence vectors in every layer of a model, the embedding output first.
///
/// The states stand in files of the system's temporary folder meanwhile. The observer is told of tokens embedded and points measured, and
/// of large files before they are written.
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

    let layer = |layer| {
        let name = format!("layer.{layer}");
        let sets = [points(&states.tokens, &name)?, points(&states.sentences, &name)?];
        let total = sets.iter().flatten().map(|points| steps(points, Measures::All(settings.sample))).sum();
        let steps = Steps::begin(observer, Phase::Measuring { layer, last }, total);
        let measured = sets.map(|points| match points {
            Some(points) => geometry(layer, &points, settings.sample, &device, &|done| steps.advance(done)),
            None => Ok(None),
        });
        let [tokens, sentences] = measured;
        Ok(LayerAnalysis { layer, tokens: tokens?, sentences: sentences? })
    };
    (0..=last).map(layer).collect()
}

/// The points of a layer; `None` where there is but one.
fn points(file: &EmbeddingsFile, layer: &str) -> Result<Option<Points>, EmbeddingsError> {
    match file.points(Some(layer), None) {
        Ok(points) => Ok(points.into_iter().next()),
        Err(EmbeddingsError::FewPoints { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What `measure` makes of points; `None` where all are equal.
fn geometry(
    layer: usize,
    points: &Points,
    sample: Sample,
    device: &Device,
    progress: &dyn Fn(usize),
) -> Result<Option<Geometry>, AnalysisError> {
    match measure(points, None, Measures::All(sample), device, progress) {
        Ok(geometry) => Ok(Some(geometry)),
        Err(EmbeddingsError::NoVariance { .. }) => Ok(None),
        Err(EmbeddingsError::NotFinite { at, value, .. }) => Err(AnalysisError::NotFinite { layer, row: at[0], value }),
        Err(error) => Err(error.into()),
    }
}
