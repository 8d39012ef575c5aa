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
    /// lengths. Sources give equal bytes exactly if their rows are equal.
    fn feed(&self, sink: &mut dyn FnMut(&[u8]));

    /// Pads the given rows to the longest of them or further, and moves them to the device.
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

/// The number of tokens to which the rows of a batch are padded.
///
/// GPUs compile and tune a kernel for each shape, so a run with every length from 8 to 256 tokens
/// would spend more time on kernels than on training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchWidth {
    /// The width is a multiple of this number.
    pub multiple: usize,
    /// Maximum number of tokens, which bounds the rounding: no row is longer.
    pub longest: usize,
}

impl Default for BatchWidth {
    /// The longest row of the batch.
    fn default() -> Self {
        Self {
            multiple: 1,
            longest: usize::MAX,
        }
    }
}

impl BatchWidth {
    /// The width of a batch whose longest row has `tokens` tokens; at least 1.
    fn of(self, tokens: usize) -> usize {
        // GPT-2's tokenizer produces no tokens for an empty text, and models need at least one token.
        let tokens = tokens.max(1);
        tokens
            .next_multiple_of(self.multiple)
            .min(self.longest)
            .max(tokens)
    }
}

/// Pads sequences of token ids, and their segments if given, to the width of their batch and moves
/// them to the device.
///
/// # Panics
/// If `sequences` is empty.
pub(crate) fn pad(
    sequences: &[(&[u32], Option<&[u32]>)],
    width: BatchWidth,
    padding_id: u32,
    side: PaddingSide,
    device: &Device,
) -> TokenBatch {
    let tokens = width.of(sequences
        .iter()
        .map(|(ids, _)| ids.len())
        .max()
        .expect("a batch holds at least one row"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_as_wide_as_a_multiple_within_the_longest() {
        let width = BatchWidth {
            multiple: 32,
            longest: 100,
        };
        let widths = [0, 1, 32, 33, 64, 97, 100].map(|tokens| width.of(tokens));
        assert_eq!(widths, [32, 32, 32, 64, 64, 100, 100]);
        assert_eq!(
            [0, 1, 33].map(|tokens| BatchWidth::default().of(tokens)),
            [1, 1, 33]
        );
    }

    #[test]
    fn further_padding_is_masked_on_either_side() {
        let rows: [(&[u32], Option<&[u32]>); 2] = [(&[5, 6, 7], None), (&[8], None)];
        let width = BatchWidth {
            multiple: 4,
            longest: 9,
        };
        for (side, expected) in [
            (PaddingSide::Right, [5, 6, 7, 0, 8, 0, 0, 0]),
            (PaddingSide::Left, [0, 5, 6, 7, 0, 0, 0, 8]),
        ] {
            let batch = pad(&rows, width, 0, side, &Device::default());
            assert_eq!(
                batch.ids.into_data().iter::<i32>().collect::<Vec<_>>(),
                expected
            );
            let mask: Vec<bool> = batch.mask.into_data().iter::<bool>().collect();
            assert_eq!(mask, expected.map(|id| id != 0));
        }
    }
}
