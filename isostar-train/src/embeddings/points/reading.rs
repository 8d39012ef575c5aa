//! The rows of a tensor, decoded.

use std::ops::Range;

use super::Points;
use crate::embeddings::EmbeddingsError;
use crate::embeddings::file::View;

/// The largest number that points may hold: differences and sums of a block stay within f64.
pub(in crate::embeddings) const LARGEST: f64 = 1e300;

/// How many numbers are decoded at once: as f64, with what is made of them, they stay in a core's first caches.
const AT_ONCE: usize = 1 << 12;

/// The fewest rows that are decoded at once.
const LEAST_ROWS: usize = 8;

/// How many rows of an array in Fortran order are decoded at once, each column of which lies on a page of its own.
const FORTRAN_ROWS: usize = 128;

/// How many columns of an array in Fortran order are read together: as many f64 as two lines of a cache hold.
const PIECE: usize = 16;

/// How many times as long as its rows a stretch of a file may be that is copied for their sake.
const SPARSE: usize = 2;

/// How often points will have been read in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Once: the system need not hold them.
    Once,
    /// More than once, as fast as the system can map what it holds.
    Again,
}

/// Where rows are decoded from: a copy of the stretch of the file that they lie in, or the file.
pub struct Source {
    numbers: View,
    copy: Vec<u8>,
    /// Where the copy begins among the numbers' bytes.
    start: usize,
}

impl Source {
    fn bytes(&self, range: Range<usize>) -> &[u8] {
        if self.copy.is_empty() { self.numbers.read(range) } else { &self.copy[range.start - self.start..range.end - self.start] }
    }

    /// The memory of the copy, for another one.
    pub fn into_memory(self) -> Vec<u8> {
        self.copy
    }
}

impl Points {
    /// How many rows should be [decoded](Self::decode) at once.
    pub(in crate::embeddings) fn rows_at_once(&self) -> usize {
        if self.fortran_order { FORTRAN_ROWS } else { (AT_ONCE / self.width()).max(LEAST_ROWS).next_multiple_of(LEAST_ROWS) }
    }

    /// Makes `rows`, ascending, ready to be decoded. `memory` is used again.
    ///
    /// # Errors
    /// If they are compressed in their file and cannot be laid out.
    pub(in crate::embeddings) fn fetch(&self, rows: &[usize], reading: Reading, memory: Vec<u8>) -> Result<Source, EmbeddingsError> {
        let numbers = self.numbers.unpack(&|_| ())?;
        let mut source = Source { numbers, copy: memory, start: 0 };
        let (first, end) = (rows.first().map_or(0, |row| *row), rows.last().map_or(0, |row| row + 1));
        if reading == Reading::Once && !self.fortran_order && end - first <= SPARSE * rows.len() {
            let range = self.bytes(first * self.width(), (end - first) * self.width());
            source.start = range.start;
            source.numbers.copy_once(range, &mut source.copy);
        } else {
            source.copy.clear();
        }
        Ok(source)
    }

    /// Writes the points at `rows` down, one after the other in f64. Shape `[rows, d]`.
    ///
    /// # Errors
    /// If a number among them is not finite or beyond ±1e300, whose squares no scaling could save.
    pub(in crate::embeddings) fn read(&self, rows: &[usize], values: &mut Vec<f64>) -> Result<(), EmbeddingsError> {
        self.decode(rows, &self.fetch(rows, Reading::Again, Vec::new())?, values)
    }

    /// The same of rows that were [fetched](Self::fetch), all of them or some.
    pub(in crate::embeddings) fn decode(&self, rows: &[usize], source: &Source, values: &mut Vec<f64>) -> Result<(), EmbeddingsError> {
        let width = self.width();
        values.resize(rows.len() * width, 0.0);
        let mut rest = values.as_mut_slice();
        for run in rows.chunk_by(|row, next| row + 1 == *next) {
            let (part, others) = rest.split_at_mut(run.len() * width);
            if self.fortran_order {
                self.decode_columns(source, run[0], part)
            } else {
                self.element.decode(source.bytes(self.bytes(run[0] * width, part.len())), part)
            }
            rest = others;
        }
        let sound = |value: f64| value.abs() <= LARGEST;
        // Looking at every number is faster than stopping at the first.
        if pulp::Arch::new().dispatch(|| values.iter().fold(true, |all, value| all & sound(*value))) {
            return Ok(());
        }
        let at = values.iter().position(|value| !sound(*value)).unwrap_or(0);
        Err(EmbeddingsError::NotFinite { place: self.place.clone(), at: self.index(rows[at / width], at % width), value: values[at] })
    }

    /// Consecutive rows from `first` of numbers that lie column by column. A few columns are read at a time and written as one piece of
    /// each row.
    fn decode_columns(&self, source: &Source, first: usize, values: &mut [f64]) {
        let width = self.width();
        let count = values.len() / width;
        let mut columns = vec![0.0; count * PIECE];
        for start in (0..width).step_by(PIECE) {
            let piece = PIECE.min(width - start);
            for (column, values) in (start..start + piece).zip(columns.chunks_exact_mut(count)) {
                self.element.decode(source.bytes(self.bytes(column * self.rows() + first, count)), values);
            }
            for (row, values) in values.chunks_exact_mut(width).enumerate() {
                for (column, value) in values[start..start + piece].iter_mut().enumerate() {
                    *value = columns[column * count + row];
                }
            }
        }
    }

    /// Where `count` numbers from `first` lie.
    fn bytes(&self, first: usize, count: usize) -> Range<usize> {
        let size = self.element.size();
        first * size..(first + count) * size
    }

    /// Where a number stands in the tensor. Rows of a Fortran array are counted with the sequence varying fastest, as they lie.
    fn index(&self, row: usize, column: usize) -> Vec<usize> {
        match self.shape[..] {
            [sequences, _, _] if self.fortran_order => vec![row % sequences, row / sequences, column],
            [_, tokens, _] => vec![row / tokens, row % tokens, column],
            _ => vec![row, column],
        }
    }
}
