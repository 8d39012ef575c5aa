//! Writing the hidden states of a model to a file.

mod error;
mod sequences;
mod states_file;

use std::path::Path;

use burn::module::Module;
use isostar_models::{Checkpoint, Encoder, ModelConfig, Pretrained};

pub use error::EmbedError;
pub use sequences::Sequences;
use states_file::StatesFile;

use crate::data::{PaddingSide, order, pad};

/// An encoder and its configuration, for embedding sequences of token ids.
pub trait EmbeddingModel {
    /// The encoder.
    fn encoder(&self) -> &Encoder;
    /// The configuration.
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
/// The file has one tensor `layer.I` per layer, `[sequences, tokens, d]` in f32, where layer 0 is
/// the embedding output, and `mask`, `[sequences, tokens]`, true at tokens. Sequences keep their
/// order and are padded to the longest; states at padding are 0. The file appears only when
/// complete. `progress` receives the number of tokens done.
///
/// # Errors
/// If the batch size is 0, the file cannot be written, or the device fails.
///
/// # Panics
/// If there are no sequences, a layer does not exist, or an id or a length exceeds the model's
/// vocabulary or positions.
pub fn embed(
    model: &impl EmbeddingModel,
    sequences: &Sequences,
    layers: &[usize],
    batch_size: usize,
    out: &Path,
    progress: &dyn Fn(usize),
) -> Result<(), EmbedError> {
    let shape = [sequences.len(), sequences.longest(), model.config().sizes().width];
    if batch_size == 0 {
        return Err(EmbedError::BatchSize);
    }
    let mut file = StatesFile::create(out, layers, shape)?;
    for_each_sequence(model, sequences, layers, batch_size, progress, |at, sequence, states| file.write_states(at, sequence, states))?;
    mark_tokens(&mut file, sequences)?;
    file.finish()
}

/// Writes two files in one pass: the states of every token, as [`embed`] does, and one vector per
/// sequence.
///
/// The vector of a sequence is the mean of the states of its tokens, including special tokens but
/// not padding; it is summed in f64 and stored in f32. The second file has the layout of the first,
/// with sequences of one token: `layer.I` is `[sequences, 1, d]`.
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
) -> Result<(), EmbedError> {
    let width = model.config().sizes().width;
    if batch_size == 0 {
        return Err(EmbedError::BatchSize);
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

/// Calls `write` for each sequence in each layer with the index of the layer in `layers`, the index
/// of the sequence, and its states `[tokens, d]` without padding.
fn for_each_sequence(
    model: &impl EmbeddingModel,
    sequences: &Sequences,
    layers: &[usize],
    batch_size: usize,
    progress: &dyn Fn(usize),
    mut write: impl FnMut(usize, usize, &[f32]) -> Result<(), EmbedError>,
) -> Result<(), EmbedError> {
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

fn mark_tokens(file: &mut StatesFile, sequences: &Sequences) -> Result<(), EmbedError> {
    (0..sequences.len()).try_for_each(|sequence| file.write_mask(sequence, sequences.ids(sequence).len()))
}

/// The mean of the rows of `states`, `[tokens, width]`, with at least one row.
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
