//! The hidden states of every token, from a model to a file.

use std::path::Path;

use burn::module::Module;
use isostar_models::{Checkpoint, Encoder, ModelConfig, Pretrained};

use super::states_file::StatesFile;
use super::{EmbeddingsError, Sequences};
use crate::data::{PaddingSide, order, pad};

/// What sequences of token ids are embedded with: an encoder and its settings.
pub trait EmbeddingModel {
    /// Makes the hidden states.
    fn encoder(&self) -> &Encoder;
    /// Its settings.
    fn config(&self) -> &ModelConfig;
}

impl EmbeddingModel for Pretrained<Encoder> {
    fn encoder(&self) -> &Encoder {
        &self.model
    }

    fn config(&self) -> &ModelConfig {
        &self.config
    }
}

impl EmbeddingModel for Checkpoint<Encoder> {
    fn encoder(&self) -> &Encoder {
        &self.model
    }

    fn config(&self) -> &ModelConfig {
        &self.config
    }
}

/// Writes the hidden states of all sequences to a safetensors file.
///
/// One tensor `layer.I` a layer, `[sequences, tokens, d]` in f32, where layer 0 is the embedding output, and `mask` `[sequences, tokens]`,
/// true at tokens. Sequences keep their order and are padded to the longest; states at padding are 0. The file appears whole or not at all.
/// `progress` is told of tokens done.
///
/// # Errors
/// If the batch size is 0, the file cannot be written, or the device fails.
///
/// # Panics
/// If there are no sequences or no such layers, or an id or a length is beyond what the model has.
pub fn embed(
    model: &impl EmbeddingModel,
    sequences: &Sequences,
    layers: &[usize],
    batch_size: usize,
    out: &Path,
    progress: &dyn Fn(usize),
) -> Result<(), EmbeddingsError> {
    let shape = [sequences.len(), sequences.longest(), model.config().sizes().width];
    if batch_size == 0 {
        return Err(EmbeddingsError::BatchSize);
    }
    let mut file = StatesFile::create(out, layers, shape)?;
    for_each_sequence(model, sequences, layers, batch_size, progress, |at, sequence, states| file.write_states(at, sequence, states))?;
    mark_tokens(&mut file, sequences)?;
    file.finish()
}

/// Writes two files from one pass: the states of every token, as [`embed`] does, and one vector a sequence.
///
/// The vector of a sequence is the mean of its tokens' states, special tokens among them and padding left out; summed in f64, stored in
/// f32. Its file is laid out as that of the states, with sequences of one token: `layer.I` is `[sequences, 1, d]`.
///
/// # Errors
/// As [`embed`].
///
/// # Panics
/// As [`embed`].
pub fn embed_with_means(
    model: &impl EmbeddingModel,
    sequences: &Sequences,
    layers: &[usize],
    batch_size: usize,
    [tokens, means]: [&Path; 2],
    progress: &dyn Fn(usize),
) -> Result<(), EmbeddingsError> {
    let width = model.config().sizes().width;
    if batch_size == 0 {
        return Err(EmbeddingsError::BatchSize);
    }
    let mut tokens = StatesFile::create(tokens, layers, [sequences.len(), sequences.longest(), width])?;
    let mut means = StatesFile::create(means, layers, [sequences.len(), 1, width])?;
    for_each_sequence(model, sequences, layers, batch_size, progress, |at, sequence, states| {
        tokens.write_states(at, sequence, states)?;
        means.write_states(at, sequence, &mean(states, width))
    })?;
    mark_tokens(&mut tokens, sequences)?;
    for sequence in 0..sequences.len() {
        means.write_mask(sequence, 1)?;
    }
    tokens.finish()?;
    means.finish()
}

/// Gives `write` the states of each sequence in each layer, `[tokens, d]` without padding: the layer's place in `layers`, the sequence, the
/// states.
fn for_each_sequence(
    model: &impl EmbeddingModel,
    sequences: &Sequences,
    layers: &[usize],
    batch_size: usize,
    progress: &dyn Fn(usize),
    mut write: impl FnMut(usize, usize, &[f32]) -> Result<(), EmbeddingsError>,
) -> Result<(), EmbeddingsError> {
    let (encoder, config) = (model.encoder(), model.config());
    let padding = config.padding().unwrap_or(0) as u32;
    let width = config.sizes().width;
    let device = encoder.devices().remove(0);
    for rows in order::by_length(&sequences.lengths(), batch_size) {
        let padded: Vec<_> = rows.iter().map(|row| (sequences.ids(*row as usize), sequences.type_ids(*row as usize))).collect();
        let batch = pad(&padded, padding, PaddingSide::Right, &device);
        let [_, tokens] = batch.ids.dims();
        let states = encoder.forward(batch);
        for (at, layer) in layers.iter().enumerate() {
            let values: Vec<f32> = states.layer(*layer).try_to_vec_as()?;
            for (padded, row) in values.chunks_exact(tokens * width).zip(&rows) {
                let sequence = *row as usize;
                write(at, sequence, &padded[..sequences.ids(sequence).len() * width])?;
            }
        }
        progress(rows.iter().map(|row| sequences.ids(*row as usize).len()).sum());
    }
    Ok(())
}

fn mark_tokens(file: &mut StatesFile, sequences: &Sequences) -> Result<(), EmbeddingsError> {
    (0..sequences.len()).try_for_each(|sequence| file.write_mask(sequence, sequences.ids(sequence).len()))
}

/// The mean of the rows of `states`, `[tokens, width]`, of which there is at least one.
fn mean(states: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; width];
    for state in states.chunks_exact(width) {
        for (sum, value) in sums.iter_mut().zip(state) {
            *sum += f64::from(*value);
        }
    }
    let tokens = (states.len() / width) as f64;
    sums.into_iter().map(|sum| (sum / tokens) as f32).collect()
}
