//! Computes the geometry of every layer of a model.

use burn::prelude::*;
use isostar_measure::{EmbeddingsError, EmbeddingsFile, Geometry, Measures, Points, Sample, measure, steps};
use isostar_models::{Encoder, Pretrained};

use super::states::States;
use super::steps::Steps;
use super::{AnalysisError, AnalysisSettings, LayerAnalysis};
use crate::embed::Sequences;
use crate::experiment::{Observer, Phase};

/// Measures the token states and the sentence vectors in every layer of a model, the embedding
/// output first.
///
/// The states are stored in files in the system's temporary folder until they are measured. The
/// observer receives the number of tokens embedded and of points measured, and a note before large
/// files are written.
///
/// # Errors
/// Returns an error if a setting is out of range, the files cannot be written, a state is not
/// finite, or the device fails.
///
/// # Panics
/// Panics if there are no sequences, or if a token id or a length exceeds what the model supports.
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

/// Returns the points of a layer; `None` if there is only one.
fn points(file: &EmbeddingsFile, layer: &str) -> Result<Option<Points>, EmbeddingsError> {
    match file.points(Some(layer), None) {
        Ok(points) => Ok(points.into_iter().next()),
        Err(EmbeddingsError::FewPoints { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Measures points; `None` if all points are equal.
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
