//! Rows of token ids to tensors.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use isostar_models::TokenBatch;

use super::{Examples, PaddingSide};

/// One batch of a classification task.
#[derive(Debug, Clone)]
pub struct ClassificationBatch {
    /// The tokens, every row padded to the longest one. Shape of each tensor: `[sequences, tokens]`.
    pub input: TokenBatch,
    /// The class indices. Shape `[sequences]`.
    pub labels: Tensor<1, Int>,
    /// Which row of the [`Examples`] each sequence is, to put predictions back in order. As many as `sequences`.
    pub rows: Vec<u32>,
}

impl ClassificationBatch {
    /// Pads the given rows to the longest one and moves them to the device.
    ///
    /// # Panics
    /// If there are no rows, or no such row.
    pub fn new(examples: &Examples, rows: Vec<u32>, device: &Device) -> Self {
        let sequences: Vec<_> = rows.iter().map(|row| (examples.ids(*row), examples.type_ids(*row))).collect();
        let input = pad(&sequences, examples.padding_id(), examples.padding_side(), device);
        let labels: Vec<i32> = rows.iter().map(|row| examples.label(*row) as i32).collect();

        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [rows.len()]), device);
        Self { input, labels, rows }
    }

    /// The number of sequences.
    #[expect(clippy::len_without_is_empty, reason = "a batch holds at least one row")]
    pub fn len(&self) -> usize {
        self.rows.len()
    }
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

#[cfg(test)]
mod tests {
    use super::super::{DEFAULT_TOKENIZER, TextEncoder, TextRow};
    use super::*;

    fn examples(texts: &[(&str, Option<&str>)]) -> Examples {
        let row = |(line, (text, pair)): (usize, &(&str, Option<&str>))| TextRow {
            text: (*text).into(),
            pair: pair.map(String::from),
            label: line.to_string(),
            line,
        };
        let rows: Vec<TextRow> = texts.iter().enumerate().map(row).collect();
        let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 32).unwrap();
        encoder.encode(&rows, (0..rows.len() as u32).collect()).unwrap()
    }

    fn ints<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i64> {
        tensor.into_data().iter::<i64>().collect()
    }

    #[test]
    fn rows_are_padded_to_the_longest_of_the_batch() {
        let examples = examples(&[("man", None), ("area man", None), ("area man area man area man", None)]);
        let batch = ClassificationBatch::new(&examples, vec![1, 0], &Device::default());
        assert_eq!(batch.input.ids.dims(), [2, 4], "the row of eight tokens is not in the batch");
        let id = |row: u32, token: usize| i64::from(examples.ids(row)[token]);
        let expected = [2, id(1, 1), id(1, 2), 3, /* shorter row */ 2, id(0, 1), 3, 0];
        assert_eq!(ints(batch.input.ids), expected);
        assert_eq!(ints(batch.input.type_ids), [0; 8]);
        let mask: Vec<bool> = batch.input.mask.into_data().iter::<bool>().collect();
        assert_eq!(mask, [true, true, true, true, true, true, true, false]);
        assert_eq!(ints(batch.labels), [1, 0]);
        assert_eq!(batch.rows, [1, 0]);
    }

    #[test]
    fn pairs_carry_their_segments_and_padding_is_segment_zero() {
        let examples = examples(&[("man", Some("man")), ("area man", Some("area man"))]);
        let batch = ClassificationBatch::new(&examples, vec![0, 1], &Device::default());
        assert_eq!(ints(batch.input.type_ids), [0, 0, 0, 1, 1, 0, 0, /* longer row */ 0, 0, 0, 0, 1, 1, 1]);
    }
}
