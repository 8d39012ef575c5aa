//! Batching rows of token ids into padded tensors.

use std::fmt::Debug;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use isostar_models::TokenBatch;

use super::PaddingSide;

/// Tokenized rows from which batches are made.
pub trait BatchSource: Debug + Send + Sync + 'static {
    /// The batch type that the model receives.
    type Batch: Send + 'static;

    /// Length of each row, in tokens.
    fn lengths(&self) -> Vec<u32>;

    /// Passes the rows to a hash: token ids, segments and targets, in a fixed order and with their
    /// lengths. Sources give equal bytes exactly if they give equal batches.
    fn feed(&self, sink: &mut dyn FnMut(&[u8]));

    /// Pads the given rows to the longest of them and moves them to the device.
    ///
    /// # Panics
    /// If `rows` is empty or contains an index out of range.
    fn batch(&self, rows: Vec<u32>, device: &Device) -> Self::Batch;
}

/// Passes numbers to a hash, after their count.
pub(super) fn feed_numbers(
    numbers: impl ExactSizeIterator<Item = [u8; 4]>,
    sink: &mut dyn FnMut(&[u8]),
) {
    sink(&(numbers.len() as u64).to_le_bytes());
    let bytes: Vec<u8> = numbers.flatten().collect();
    sink(&bytes);
}

/// Pads sequences of token ids, and their segments if given, to the longest sequence and moves them
/// to the device.
///
/// # Panics
/// If `sequences` is empty.
pub(crate) fn pad(
    sequences: &[(&[u32], Option<&[u32]>)],
    padding_id: u32,
    side: PaddingSide,
    device: &Device,
) -> TokenBatch {
    let tokens = sequences
        .iter()
        .map(|(ids, _)| ids.len())
        .max()
        .expect("a batch holds at least one row");
    // GPT-2's tokenizer produces no tokens for an empty text, and models need at least one token.
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

/// Copies ids as `i32`: every vocabulary has ids below 2³¹, and all devices support `i32`.
fn copy(ids: &[u32], into: &mut [i32]) {
    for (into, id) in into.iter_mut().zip(ids) {
        *into = *id as i32;
    }
}
