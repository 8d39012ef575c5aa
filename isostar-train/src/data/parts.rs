//! Cutting batches by rows.

use std::ops::Range;

use burn::prelude::*;
use isostar_models::TokenBatch;

use super::{SequenceBatch, SpanBatch, Targets};

/// A batch that can be cut by rows and moved between devices.
pub trait RowBatch: Clone + Send + 'static {
    /// The number of rows.
    fn count(&self) -> usize;

    /// The rows `rows`, padded like the whole batch.
    ///
    /// # Panics
    /// If the range is empty or exceeds the number of rows.
    fn part(&self, rows: Range<usize>) -> Self;

    /// The same batch on another device.
    fn to_device(self, device: &Device) -> Self;
}

impl RowBatch for SequenceBatch {
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn part(&self, rows: Range<usize>) -> Self {
        let targets = match &self.targets {
            Targets::Classes(classes) => Targets::Classes(classes.clone().slice([rows.clone()])),
            Targets::Values(values) => Targets::Values(values.clone().slice([rows.clone()])),
        };
        Self {
            input: part(&self.input, &rows),
            targets,
            rows: self.rows[rows].to_vec(),
        }
    }

    fn to_device(self, device: &Device) -> Self {
        let targets = match self.targets {
            Targets::Classes(classes) => Targets::Classes(classes.to_device(device)),
            Targets::Values(values) => Targets::Values(values.to_device(device)),
        };
        Self {
            input: moved(self.input, device),
            targets,
            ..self
        }
    }
}

impl RowBatch for SpanBatch {
    fn count(&self) -> usize {
        self.windows.len()
    }

    fn part(&self, rows: Range<usize>) -> Self {
        Self {
            input: part(&self.input, &rows),
            answers: self
                .answers
                .each_ref()
                .map(|places| places.clone().slice([rows.clone()])),
            windows: self.windows[rows].to_vec(),
        }
    }

    fn to_device(self, device: &Device) -> Self {
        Self {
            input: moved(self.input, device),
            answers: self.answers.map(|places| places.to_device(device)),
            ..self
        }
    }
}

fn part(input: &TokenBatch, rows: &Range<usize>) -> TokenBatch {
    TokenBatch {
        ids: input.ids.clone().slice([rows.clone()]),
        type_ids: input.type_ids.clone().slice([rows.clone()]),
        mask: input.mask.clone().slice([rows.clone()]),
    }
}

fn moved(input: TokenBatch, device: &Device) -> TokenBatch {
    TokenBatch {
        ids: input.ids.to_device(device),
        type_ids: input.type_ids.to_device(device),
        mask: input.mask.to_device(device),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BatchSource, DEFAULT_TOKENIZER, TextEncoder, TextRow};
    use super::*;

    #[test]
    fn parts_are_padded_like_the_whole_and_lose_no_row() {
        let texts = ["man", "area man of the world", "the area", "man"];
        let rows = texts.map(|text| TextRow {
            text: text.into(),
            pair: None,
            label: String::new(),
            line: 1,
        });
        let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 32).unwrap();
        let examples = encoder.encode(&rows, vec![0, 1, 2, 3]).unwrap();
        let whole = examples.batch(vec![3, 1, 0, 2], &Device::default());
        let parts = [whole.part(0..1), whole.part(1..4)];
        assert_eq!(parts.each_ref().map(RowBatch::count), [1, 3]);
        let joined = |of: fn(&SequenceBatch) -> Vec<i64>| parts.iter().flat_map(of).collect();
        let checks: [fn(&SequenceBatch) -> Vec<i64>; 5] = [
            |batch| batch.input.ids.to_data().iter().collect(),
            |batch| batch.input.type_ids.to_data().iter().collect(),
            |batch| batch.input.mask.clone().int().into_data().iter().collect(),
            |batch| batch.targets.clone().classes().into_data().iter().collect(),
            |batch| batch.rows.iter().map(|row| i64::from(*row)).collect(),
        ];
        for of in checks {
            let joined: Vec<i64> = joined(of);
            assert_eq!(joined, of(&whole));
        }
    }
}
