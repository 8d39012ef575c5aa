//! Computes the geometry of every layer of a model.

use burn::prelude::*;
use isostar_measure::{EmbeddingsError, Geometry, Measures, Points, Sample, measure, steps};
use isostar_models::{Checkpoint, Encoder};

use super::steps::Steps;
use super::{AnalysisError, AnalysisSettings, LayerAnalysis};
use crate::embed::{Sequences, embed_in_memory, sentence_vectors};
use crate::progress::{Phase, Progress};

/// States above this size, 4 GB, are announced before they are computed.
const ANNOUNCED: u64 = 4_000_000_000;

/// Measures the token states and the sentence vectors in every layer of a model, the embedding
/// output first.
///
/// The states of all layers are held in memory until they are measured; the model is dropped before
/// that. The observer receives the number of tokens embedded and of points measured, and a note
/// before more than 4 GB of states are computed.
///
/// # Errors
/// Returns an error if a setting is out of range, a state is not finite, or the device fails.
///
/// # Panics
/// Panics if there are no sequences, or if a token id or a length exceeds what the model supports.
pub fn analyze(
    checkpoint: Checkpoint<Encoder>,
    sequences: &Sequences,
    settings: &AnalysisSettings,
    observer: &dyn Progress,
) -> Result<Vec<LayerAnalysis>, AnalysisError> {
    settings.check()?;
    let sizes = checkpoint.config.sizes();
    let layers: Vec<usize> = (0..=sizes.layers).collect();
    let device = checkpoint.model.devices().remove(0);
    let bytes = (layers.len() * sequences.tokens() * sizes.width * size_of::<f32>()) as u64;
    if bytes > ANNOUNCED {
        observer.note(&format!(
            "the hidden states take {:.1} GB of memory",
            bytes as f64 / 1e9
        ));
    }
    let embedding = Steps::begin(observer, Phase::Embedding, sequences.tokens());
    let states = embed_in_memory(
        &checkpoint,
        sequences,
        &layers,
        settings.batch_size,
        &|tokens| embedding.advance(tokens),
    )?;
    drop((checkpoint, embedding));

    let lengths: Vec<usize> = sequences
        .lengths()
        .into_iter()
        .map(|length| length as usize)
        .collect();
    let single = vec![1; lengths.len()];
    let layer = |(layer, tokens): (usize, Vec<f32>)| {
        let sentences = sentence_vectors(&tokens, sequences);
        let name = format!("layer {layer}");
        let points = |states: Vec<f32>, lengths: &[usize]| {
            let states = TensorData::new(states, [lengths.iter().sum(), sizes.width]);
            points(Points::from_sequences(
                Tensor::from_data(states, &device),
                lengths,
                &name,
            ))
        };
        let sets = [points(tokens, &lengths)?, points(sentences, &single)?];
        let total = sets
            .iter()
            .flatten()
            .map(|points| steps(points, Measures::All(settings.sample)))
            .sum();
        let steps = Steps::begin(
            observer,
            Phase::Measuring {
                layer,
                last: sizes.layers,
            },
            total,
        );
        let measured = sets.map(|points| match points {
            Some(points) => geometry(layer, &points, settings.sample, &device, &|done| {
                steps.advance(done)
            }),
            None => Ok(None),
        });
        let [tokens, sentences] = measured;
        Ok(LayerAnalysis {
            layer,
            tokens: tokens?,
            sentences: sentences?,
        })
    };
    states.into_iter().enumerate().map(layer).collect()
}

/// Returns the points of a layer; `None` if there is only one.
fn points(points: Result<Points, EmbeddingsError>) -> Result<Option<Points>, EmbeddingsError> {
    match points {
        Ok(points) => Ok(Some(points)),
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
        Err(EmbeddingsError::NotFinite { at, value, .. }) => Err(AnalysisError::NotFinite {
            layer,
            row: at[0],
            value,
        }),
        Err(error) => Err(error.into()),
    }
}
