//! The hidden states of every token, from a model to a file.

use std::path::Path;

use burn::prelude::*;
use isostar_models::{Encoder, Pretrained, TokenBatch};

use super::states_file::StatesFile;
use super::{EmbeddingsError, Sequences};
use crate::data::order;

/// Writes the hidden states of all sequences to a safetensors file.
///
/// One tensor `layer.I` a layer, `[sequences, tokens, d]` in f32, where layer 0 is the embedding output, and `mask` `[sequences, tokens]`, true at tokens.
/// Sequences keep their order and are padded to the longest; states at padding are 0. The file appears whole or not at all. `progress` is told of
/// tokens done.
///
/// # Errors
/// If the batch size is 0, the file cannot be written, or the device fails.
///
/// # Panics
/// If there are no sequences or no such layers, or an id or a length is beyond what the model has.
pub fn embed(
    pretrained: &Pretrained<Encoder>,
    sequences: &Sequences,
    layers: &[usize],
    batch_size: usize,
    out: &Path,
    progress: &dyn Fn(usize),
) -> Result<(), EmbeddingsError> {
    if batch_size == 0 {
        return Err(EmbeddingsError::BatchSize);
    }
    let encoder = &pretrained.model;
    let padding = pretrained.config.padding().unwrap_or(0);
    let width = pretrained.config.sizes().width;
    let device = encoder.devices().remove(0);

    let mut file = StatesFile::create(out, layers, [sequences.len(), sequences.longest(), width])?;
    for rows in order::by_length(&sequences.lengths(), batch_size) {
        let batch = batch(sequences, &rows, padding, &device);
        let [_, tokens] = batch.ids.dims();
        let states = encoder.forward(batch);
        for (at, layer) in layers.iter().enumerate() {
            let values: Vec<f32> = states.layer(*layer).try_to_vec_as()?;
            for (padded, row) in values.chunks_exact(tokens * width).zip(&rows) {
                let sequence = *row as usize;
                file.write_states(at, sequence, &padded[..sequences.ids(sequence).len() * width])?;
            }
        }
        for row in &rows {
            let sequence = *row as usize;
            file.write_mask(sequence, sequences.ids(sequence).len())?;
            progress(sequences.ids(sequence).len());
        }
    }
    file.finish()
}

/// The sequences at `rows`, padded to the longest of them.
fn batch(sequences: &Sequences, rows: &[u32], padding: usize, device: &Device) -> TokenBatch {
    let tokens = rows.iter().map(|row| sequences.ids(*row as usize).len()).max().expect("a batch holds at least one sequence");
    let shape = [rows.len(), tokens];
    let mut ids = vec![padding as i32; rows.len() * tokens];
    let mut mask = vec![false; rows.len() * tokens];
    for (at, row) in rows.iter().enumerate() {
        for (token, id) in sequences.ids(*row as usize).iter().enumerate() {
            ids[at * tokens + token] = *id as i32;
            mask[at * tokens + token] = true;
        }
    }
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, shape), device);
    let mask = Tensor::<2, Bool>::from_data(TensorData::new(mask, shape), device);
    TokenBatch { type_ids: ids.zeros_like(), ids, mask }
}
