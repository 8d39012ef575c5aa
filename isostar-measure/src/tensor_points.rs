//! The points in a tensor on a device.

use std::sync::Arc;

use burn::prelude::*;
use burn::tensor::{DType, TensorReadError};

use crate::element::Element;
use crate::rows::{Fetched, Reading, Rows, contiguous_rows_at_once};
use crate::{EmbeddingsError, Points, Source};

impl Points {
    /// The rows of `points`, `[n, d]`, on their device. They are read from it in blocks, as often
    /// as a measure passes over the points, and are not differentiated.
    ///
    /// # Errors
    /// If there are fewer than two points, or d is below 2 or above
    /// [`MAX_WIDTH`](crate::MAX_WIDTH).
    pub fn from_tensor(points: Tensor<2>) -> Result<Self, EmbeddingsError> {
        let [count, _] = points.dims();
        Self::new(
            Source::Tensor("the tensor".into()),
            Arc::new(TensorRows::new(points, None)),
            count,
        )
    }

    /// The hidden states of sequences, one sequence after another without padding. Every measure
    /// has the value that it has for a file of the same states with padding and a mask,
    /// `[sequences, tokens, d]`: the blocks of points are the same.
    ///
    /// # Arguments
    /// - `states`: `[n, d]`, n the sum of the lengths
    /// - `lengths`: the number of tokens of each sequence
    /// - `name`: the name of the states in messages
    ///
    /// # Errors
    /// As [`from_tensor`](Self::from_tensor).
    ///
    /// # Panics
    /// If the lengths do not add up to the number of states.
    pub fn from_sequences(
        states: Tensor<2>,
        lengths: &[usize],
        name: impl Into<String>,
    ) -> Result<Self, EmbeddingsError> {
        let [count, _] = states.dims();
        let sequences = Sequences::new(lengths);
        let total = sequences.starts[lengths.len()];
        assert_eq!(
            total, count,
            "Points::from_sequences: {count} states for sequences of {total} tokens in total"
        );
        Self::new(
            Source::Tensor(name.into()),
            Arc::new(TensorRows::new(states, Some(sequences))),
            count,
        )
    }
}

/// The place of each sequence among the rows of a tensor without padding.
#[derive(Clone, Debug)]
struct Sequences {
    /// The first row of each sequence, and the number of rows.
    starts: Vec<usize>,
    /// The length of the longest sequence: what the others would be padded to.
    longest: usize,
}

impl Sequences {
    fn new(lengths: &[usize]) -> Self {
        let mut end = 0;
        let ends = lengths.iter().map(|length| {
            end += length;
            end
        });
        let starts = std::iter::once(0).chain(ends).collect();
        Self {
            starts,
            longest: lengths.iter().copied().max().unwrap_or(0),
        }
    }

    fn length(&self, sequence: usize) -> usize {
        self.starts[sequence + 1] - self.starts[sequence]
    }

    /// The place without padding of a row that is not padding.
    fn place(&self, row: usize) -> usize {
        self.starts[row / self.longest] + row % self.longest
    }
}

#[derive(Debug)]
struct TensorRows {
    tensor: Tensor<2>,
    element: Element,
    /// `None` if every row is a point and rows are numbered as in the tensor.
    sequences: Option<Sequences>,
}

impl TensorRows {
    fn new(tensor: Tensor<2>, sequences: Option<Sequences>) -> Self {
        let tensor = tensor.without_autodiff();
        match Element::of_tensor(tensor.dtype()) {
            Some(element) => Self {
                tensor,
                element,
                sequences,
            },
            None => Self {
                tensor: tensor.cast(DType::F32),
                element: Element::F32,
                sequences,
            },
        }
    }

    fn place(&self, row: usize) -> usize {
        self.sequences
            .as_ref()
            .map_or(row, |sequences| sequences.place(row))
    }
}

impl Rows for TensorRows {
    fn width(&self) -> usize {
        self.tensor.dims()[1]
    }

    fn len(&self) -> usize {
        match &self.sequences {
            Some(sequences) => (sequences.starts.len() - 1) * sequences.longest,
            None => self.tensor.dims()[0],
        }
    }

    fn is_matrix(&self) -> bool {
        self.sequences.is_none()
    }

    fn measured(&self, start: usize, end: usize) -> Vec<usize> {
        let Some(sequences) = &self.sequences else {
            return (start..end).collect();
        };
        (start..end)
            .filter(|row| row % sequences.longest < sequences.length(row / sequences.longest))
            .collect()
    }

    fn are_all_measured(&self) -> bool {
        self.sequences.is_none()
    }

    fn rows_at_once(&self) -> usize {
        contiguous_rows_at_once(self.width())
    }

    fn fetch<'a>(
        &'a self,
        rows: &[usize],
        _reading: Reading,
        _memory: Vec<u8>,
    ) -> Result<Box<dyn Fetched + 'a>, EmbeddingsError> {
        let first = rows.first().map_or(0, |row| self.place(*row));
        let end = rows.last().map_or(0, |row| self.place(*row) + 1);
        let numbers = self
            .tensor
            .clone()
            .slice_dim(0, first..end)
            .try_into_data()
            .map_err(TensorReadError::from)?;
        Ok(Box::new(Block {
            rows: self,
            numbers,
            first,
        }))
    }

    fn index(&self, row: usize, column: usize) -> Vec<usize> {
        match &self.sequences {
            Some(sequences) => vec![row / sequences.longest, row % sequences.longest, column],
            None => vec![row, column],
        }
    }
}

/// Consecutive rows that were read from the device.
struct Block<'a> {
    rows: &'a TensorRows,
    numbers: TensorData,
    /// The place of the first of them in the tensor.
    first: usize,
}

impl Fetched for Block<'_> {
    fn decode(&self, rows: &[usize], values: &mut [f64]) {
        let (width, element) = (self.rows.width(), self.rows.element);
        let bytes = self.numbers.as_bytes();
        let mut rest = values;
        for run in rows.chunk_by(|row, next| self.rows.place(*row) + 1 == self.rows.place(*next)) {
            let (part, others) = rest.split_at_mut(run.len() * width);
            let start = (self.rows.place(run[0]) - self.first) * width * element.size();
            element.decode(&bytes[start..start + part.len() * element.size()], part);
            rest = others;
        }
    }

    fn into_memory(self: Box<Self>) -> Vec<u8> {
        Vec::new()
    }
}
