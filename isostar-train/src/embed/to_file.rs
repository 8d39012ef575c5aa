//! Hidden states in a file.

use std::path::Path;

use super::forward::{EmbeddingModel, for_each_sequence};
use super::states_file::StatesFile;
use super::{EmbedError, Sequences};

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
    let shape = [
        sequences.len(),
        sequences.longest(),
        model.config().sizes().width,
    ];
    if batch_size == 0 {
        return Err(EmbedError::BatchSize);
    }
    let mut file = StatesFile::create(out, layers, shape)?;
    for_each_sequence(
        model,
        sequences,
        layers,
        batch_size,
        progress,
        |at, sequence, states| file.write_states(at, sequence, states),
    )?;
    (0..sequences.len())
        .try_for_each(|sequence| file.write_mask(sequence, sequences.ids(sequence).len()))?;
    file.finish()
}
