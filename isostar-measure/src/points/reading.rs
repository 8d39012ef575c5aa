//! Reading and decoding the rows of a tensor.

use std::ops::Range;

use super::Points;
use crate::EmbeddingsError;
use crate::file::View;

/// The largest absolute value of a number in points: differences and sums of a block stay within
/// f64.
pub(crate) const LARGEST: f64 = 1e300;

/// The number of numbers decoded at once: as f64, with their results, they fit into a core's
/// caches.
const AT_ONCE: usize = 1 << 12;

/// The minimum number of rows decoded at once.
const LEAST_ROWS: usize = 8;

/// The number of rows of a Fortran-order array decoded at once; each of its columns is on another
/// page.
const FORTRAN_ROWS: usize = 128;

/// The number of columns of a Fortran-order array read together: as many f64 as two cache lines
/// hold.
const PIECE: usize = 16;

/// The maximum length of a copied range of the file, relative to the length of its rows.
const SPARSE: usize = 2;

/// How often the points are read in total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Once: the file need not stay in the page cache.
    Once,
    /// More than once, at the speed of mapping cached pages.
    Again,
}

/// The source for decoding rows: a copy of the range of the file that holds them, or the file.
pub struct Source {
    numbers: View,
    copy: Vec<u8>,
    /// The byte offset of the copy within the numbers.
    start: usize,
}

impl Source {
    fn bytes(&self, range: Range<usize>) -> &[u8] {
        if self.copy.is_empty() { self.numbers.read(range) } else { &self.copy[range.start - self.start..range.end - self.start] }
    }

    /// Returns the buffer of the copy for reuse.
    pub fn into_memory(self) -> Vec<u8> {
        self.copy
    }
}

impl Points {
    /// The number of rows to [decode](Self::decode) at once.
    pub(crate) fn rows_at_once(&self) -> usize {
        if self.fortran_order { FORTRAN_ROWS } else { (AT_ONCE / self.width()).max(LEAST_ROWS).next_multiple_of(LEAST_ROWS) }
    }

    /// Fetches ascending `rows` for decoding. `memory` is reused as the buffer.
    ///
    /// # Errors
    /// If the rows are compressed and cannot be decompressed.
    pub(crate) fn fetch(&self, rows: &[usize], reading: Reading, memory: Vec<u8>) -> Result<Source, EmbeddingsError> {
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

    /// Reads the points at `rows` as f64 into `values`. Shape `[rows, d]`.
    ///
    /// # Errors
    /// If a number is not finite or beyond ±1e300, where no scaling can avoid an overflow of its
    /// square.
    pub(crate) fn read(&self, rows: &[usize], values: &mut Vec<f64>) -> Result<(), EmbeddingsError> {
        self.decode(rows, &self.fetch(rows, Reading::Again, Vec::new())?, values)
    }

    /// Like [`read`](Self::read), for some or all of the rows of a [fetched](Self::fetch) source.
    pub(crate) fn decode(&self, rows: &[usize], source: &Source, values: &mut Vec<f64>) -> Result<(), EmbeddingsError> {
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
        // Checking every number is faster than stopping at the first invalid one.
        if pulp::Arch::new().dispatch(|| values.iter().fold(true, |all, value| all & sound(*value))) {
            return Ok(());
        }
        let at = values.iter().position(|value| !sound(*value)).unwrap_or(0);
        Err(EmbeddingsError::NotFinite { place: self.place.clone(), at: self.index(rows[at / width], at % width), value: values[at] })
    }

    /// Decodes consecutive rows from `first` of a column-major array, a few columns at a time.
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

    /// The byte range of `count` numbers from `first`.
    fn bytes(&self, first: usize, count: usize) -> Range<usize> {
        let size = self.element.size();
        first * size..(first + count) * size
    }

    /// The index of a number in the tensor. Rows of a Fortran-order array are counted with the
    /// sequence varying fastest, as stored.
    fn index(&self, row: usize, column: usize) -> Vec<usize> {
        match self.shape[..] {
            [sequences, _, _] if self.fortran_order => vec![row % sequences, row / sequences, column],
            [_, tokens, _] => vec![row / tokens, row % tokens, column],
            _ => vec![row, column],
        }
    }
}
