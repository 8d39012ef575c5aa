//! Hidden states in memory, without padding.

use super::forward::{EmbeddingModel, for_each_sequence};
use super::{EmbedError, Sequences};

/// Computes the hidden states of all sequences in the given layers, 0 being the embedding output:
/// for each layer the states of all tokens, one sequence after another, without padding. Shape
/// `[tokens, d]`. `progress` receives the number of tokens done.
///
/// The pages of the result take memory as they are written, and the longest sequences, which need the
/// most memory besides, are the first.
///
/// # Errors
/// If the batch size is 0, or the device fails.
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
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let width = model.config().sizes().width;
    if batch_size == 0 {
        return Err(EmbedError::BatchSize);
    }
    let mut all: Vec<Vec<f32>> = layers
        .iter()
        .map(|_| vec![0.0; sequences.tokens() * width])
        .collect();
    for_each_sequence(
        model,
        sequences,
        layers,
        batch_size,
        progress,
        |at, sequence, states| {
            all[at][sequences.span(sequence).start * width..][..states.len()]
                .copy_from_slice(states);
            Ok(())
        },
    )?;
    Ok(all)
}

/// The mean state of each sequence over all of its tokens, summed in f64. Shape `[sequences, d]`.
/// `states` are those of all tokens, `[tokens, d]`, one sequence after another.
pub fn sentence_vectors(states: &[f32], sequences: &Sequences) -> Vec<f32> {
    let width = states.len() / sequences.tokens().max(1);
    let states = |sequence| {
        let span = sequences.span(sequence);
        &states[span.start * width..span.end * width]
    };
    (0..sequences.len())
        .flat_map(|sequence| mean(states(sequence), width))
        .collect()
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
