//! Rows of token ids to tensors.

use std::fmt::Debug;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use isostar_models::TokenBatch;

use super::PaddingSide;

/// Tokenized rows from which batches are made.
pub trait BatchSource: Debug + Send + Sync + 'static {
    /// What a model is given.
    type Batch: Send + 'static;

    /// The length of each row in tokens.
    fn lengths(&self) -> Vec<u32>;

    /// Pads the given rows to the longest one and moves them to the device.
    ///
    /// # Panics
    /// If there are no rows, or no such row.
    fn batch(&self, rows: Vec<u32>, device: &Device) -> Self::Batch;
}

/// Pads sequences of token ids and, where there are any, their segments to the longest one, and moves them to the device.
///
/// # Panics
/// If there are no sequences.
pub(crate) fn pad(sequences: &[(&[u32], Option<&[u32]>)], padding_id: u32, side: PaddingSide, device: &Device) -> TokenBatch {
    let tokens = sequences.iter().map(|(ids, _)| ids.len()).max().expect("a batch holds at least one row");
    // GPT-2's tokenizers add nothing to an empty text, and no model takes sequences of no tokens.
    let tokens = tokens.max(1);
    let shape = [sequences.len(), tokens];
    let mut ids = vec![padding_id as i32; sequences.len() * tokens];
    let mut type_ids = vec![0_i32; sequences.len() * tokens];
    let mut mask = vec![false; sequences.len() * tokens];
    for (at, (row_ids, row_type_ids)) in sequences.iter().enumerate() {
        let start = match side {
            PaddingSide::Right => at * tokens,
            PaddingSide::Left => (at + 1) * tokens - row_ids.len(),
        };
        let span = start..start + row_ids.len();
        copy(row_ids, &mut ids[span.clone()]);
        if let Some(row_type_ids) = row_type_ids {
            copy(row_type_ids, &mut type_ids[span.clone()]);
        }
        mask[span].fill(true);
    }
    TokenBatch {
        ids: Tensor::<2, Int>::from_data(TensorData::new(ids, shape), device),
        type_ids: Tensor::<2, Int>::from_data(TensorData::new(type_ids, shape), device),
        mask: Tensor::<2, Bool>::from_data(TensorData::new(mask, shape), device),
    }
}

/// Ids are below 2³¹ in every vocabulary, and 32 signed bits are what all devices compute with.
fn copy(ids: &[u32], into: &mut [i32]) {
    for (into, id) in into.iter_mut().zip(ids) {
        *into = *id as i32;
    }
}
