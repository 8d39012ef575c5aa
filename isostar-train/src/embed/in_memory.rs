//! Hidden states in memory, without padding.

use super::forward::{EmbeddingModel, for_each_sequence};
use super::{EmbedError, Sequences};

/// The hidden states of sequences in one layer.
#[derive(Clone, Debug)]
pub struct LayerStates {
    /// The states of all tokens, one sequence after another, without padding. Shape `[tokens, d]`.
    pub tokens: Vec<f32>,
    /// The mean state of each sequence, over all of its tokens; summed in f64. Shape
    /// `[sequences, d]`.
    pub sentences: Vec<f32>,
}

impl LayerStates {
    /// The size of the states of one layer, in bytes.
    pub fn bytes(sequences: &Sequences, width: usize) -> u64 {
        ((sequences.tokens() + sequences.len()) * width * size_of::<f32>()) as u64
    }
}

/// Computes the hidden states of all sequences in the given layers, 0 being the embedding output.
/// `progress` receives the number of tokens done.
///
/// # Errors
/// If the batch size is 0, the states do not fit into memory, or the device fails.
///
/// # Panics
/// If there are no sequences, a layer does not exist, or an id or a length exceeds the model's
/// vocabulary or positions.
pub fn embed_in_memory(
    model: &impl EmbeddingModel,
    sequences: &Sequences,
    layers: &[usize],
    batch_size: usize,
    progress: &dyn Fn(usize),
) -> Result<Vec<LayerStates>, EmbedError> {
    let width = model.config().sizes().width;
    if batch_size == 0 {
        return Err(EmbedError::BatchSize);
    }
    let bytes = layers.len() as u64 * LayerStates::bytes(sequences, width);
    let zeros = |rows: usize| {
        let too_large = |_| EmbedError::Memory { rows: sequences.len(), bytes };
        Vec::<f32>::new().try_reserve_exact(rows * width).map_err(too_large)?;
        // Zeroed by the system: pages take memory when they are written, which the longest sequences
        // are first.
        Ok::<_, EmbedError>(vec![0.0; rows * width])
    };
    let all = layers.iter().map(|_| Ok(LayerStates { tokens: zeros(sequences.tokens())?, sentences: zeros(sequences.len())? }));
    let mut all = all.collect::<Result<Vec<_>, EmbedError>>()?;
    for_each_sequence(model, sequences, layers, batch_size, progress, |at, sequence, states| {
        let layer = &mut all[at];
        layer.tokens[sequences.span(sequence).start * width..][..states.len()].copy_from_slice(states);
        layer.sentences[sequence * width..][..width].copy_from_slice(&mean(states, width));
        Ok(())
    })?;
    Ok(all)
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
