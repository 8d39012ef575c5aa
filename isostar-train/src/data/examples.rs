//! Tokenized rows with their targets.

use burn::tensor::Device;
use isostar_models::TokenBatch;

use super::batch::feed_numbers;
use super::tokens::Tokens;
use super::{BatchSource, BatchWidth, PaddingSide, RowTargets, Targets};

/// Tokenized rows: token ids, segments and targets, without padding.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    tokens: Tokens,
    targets: RowTargets,
}

/// Batch of sequences with one target each, a class or a number.
#[derive(Debug, Clone)]
pub struct SequenceBatch {
    /// Tokens, padded to the longest row. Shape of each tensor: `[sequences, tokens]`.
    pub input: TokenBatch,
    /// Targets. Shape `[sequences]`.
    pub targets: Targets,
    /// Row index of each sequence in [`Examples`], to restore the order of predictions. Length
    /// `sequences`.
    pub rows: Vec<u32>,
}

impl Examples {
    pub(super) fn new(tokens: Tokens, targets: RowTargets) -> Self {
        assert_eq!(tokens.len(), targets.len(), "every row needs a label");
        Self { tokens, targets }
    }

    /// The same rows, in batches of these widths.
    pub fn with_width(self, width: BatchWidth) -> Self {
        Self {
            tokens: self.tokens.with_width(width),
            ..self
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Token ids of a row, including special tokens.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn ids(&self, row: u32) -> &[u32] {
        self.tokens.ids(row)
    }

    /// Segment of each token of a row; `None` if no row is a pair, so that every token has segment
    /// 0.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn type_ids(&self, row: u32) -> Option<Vec<u32>> {
        self.tokens.type_ids(row)
    }

    /// Targets of the rows.
    pub fn targets(&self) -> &RowTargets {
        &self.targets
    }

    /// Length of each row, in tokens.
    pub fn lengths(&self) -> Vec<u32> {
        self.tokens.lengths()
    }

    /// Number of tokens in all rows.
    pub fn tokens(&self) -> usize {
        self.tokens.count()
    }

    /// Number of truncated rows.
    pub fn cut(&self) -> usize {
        self.tokens.cut()
    }

    /// Id of the padding token.
    pub fn padding_id(&self) -> u32 {
        self.tokens.padding_id()
    }

    /// Padding side.
    pub fn padding_side(&self) -> PaddingSide {
        self.tokens.padding_side()
    }
}

impl BatchSource for Examples {
    type Batch = SequenceBatch;

    fn lengths(&self) -> Vec<u32> {
        self.tokens.lengths()
    }

    fn feed(&self, sink: &mut dyn FnMut(&[u8])) {
        self.tokens.feed(sink);
        match &self.targets {
            RowTargets::Classes(classes) => {
                feed_numbers(classes.iter().map(|class| class.to_le_bytes()), sink)
            }
            RowTargets::Values(values) => {
                feed_numbers(values.iter().map(|value| value.to_le_bytes()), sink)
            }
        }
    }

    fn batch(&self, rows: Vec<u32>, device: &Device) -> SequenceBatch {
        SequenceBatch {
            input: self.tokens.batch(&rows, device),
            targets: self.targets.batch(&rows, device),
            rows,
        }
    }
}

impl SequenceBatch {
    /// Number of sequences.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a batch holds at least one row"
    )]
    pub fn len(&self) -> usize {
        self.rows.len()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Int, Tensor};

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
        encoder
            .encode(&rows, (0..rows.len() as u32).collect())
            .unwrap()
    }

    fn ints<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i64> {
        tensor.into_data().iter::<i64>().collect()
    }

    #[test]
    fn rows_are_padded_to_the_longest_of_the_batch() {
        let examples = examples(&[
            ("man", None),
            ("area man", None),
            ("area man area man area man", None),
        ]);
        let batch = examples.batch(vec![1, 0], &Device::default());
        assert_eq!(
            batch.input.ids.dims(),
            [2, 4],
            "the row of eight tokens is not in the batch"
        );
        let id = |row: u32, token: usize| i64::from(examples.ids(row)[token]);
        let expected = [
            2,
            id(1, 1),
            id(1, 2),
            3,
            /* shorter row */ 2,
            id(0, 1),
            3,
            0,
        ];
        assert_eq!(ints(batch.input.ids), expected);
        assert_eq!(ints(batch.input.type_ids), [0; 8]);
        let mask: Vec<bool> = batch.input.mask.into_data().iter::<bool>().collect();
        assert_eq!(mask, [true, true, true, true, true, true, true, false]);
        assert_eq!(ints(batch.targets.classes()), [1, 0]);
        assert_eq!(batch.rows, [1, 0]);
    }

    #[test]
    fn pairs_have_their_segments_and_padding_is_segment_zero() {
        let examples = examples(&[("man", Some("man")), ("area man", Some("area man"))]);
        let batch = examples.batch(vec![0, 1], &Device::default());
        assert_eq!(
            ints(batch.input.type_ids),
            [
                0, 0, 0, 1, 1, 0, 0, /* longer row */ 0, 0, 0, 0, 1, 1, 1
            ]
        );
    }

    #[test]
    fn what_a_hash_is_fed_tells_apart_rows_of_equal_length() {
        let fed = |texts: &[(&str, Option<&str>)]| {
            let mut bytes = Vec::new();
            examples(texts).feed(&mut |part| bytes.extend_from_slice(part));
            bytes
        };
        let texts = [("area man", None), ("man area", None)];
        assert_eq!(fed(&texts), fed(&texts));
        assert_ne!(fed(&texts), fed(&[texts[1], texts[0]]));
        assert_ne!(fed(&[("man", Some("man"))]), fed(&[("man man", None)]));
        // The same ids, with another label.
        let labelled = |class: u32| {
            let mut bytes = Vec::new();
            let tokens = examples(&[("man", None)]).tokens;
            Examples::new(tokens, RowTargets::Classes(vec![class]))
                .feed(&mut |part| bytes.extend_from_slice(part));
            bytes
        };
        assert_ne!(labelled(0), labelled(1));
    }

    #[test]
    fn numbers_stay_with_their_rows() {
        let rows = ["1.5", "-2"].map(|label| TextRow {
            text: "man".into(),
            pair: None,
            label: label.into(),
            line: 1,
        });
        let targets = RowTargets::Values(vec![1.5, -2.0]);
        let examples = TextEncoder::from_json(DEFAULT_TOKENIZER, 32)
            .unwrap()
            .encode_targets(&rows, targets)
            .unwrap();
        let Targets::Values(values) = examples.batch(vec![1, 0], &Device::default()).targets else {
            panic!("these are numbers")
        };
        assert_eq!(
            values.into_data().iter::<f32>().collect::<Vec<_>>(),
            [-2.0, 1.5]
        );
    }
}
