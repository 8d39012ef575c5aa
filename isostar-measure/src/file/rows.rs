//! The rows of a tensor in a file.

use std::cell::Cell;
use std::ops::Range;

use super::numbers::{Numbers, View};
use crate::element::Element;
use crate::limits::block_rows;
use crate::points::check_width;
use crate::rows::{Fetched, Reading, Rows, contiguous_rows_at_once};
use crate::{EmbeddingsError, Location};

/// The number of rows of a Fortran-order array decoded at once; each of its columns is on another
/// page.
const FORTRAN_ROWS: usize = 128;

/// The number of columns of a Fortran-order array read together: as many f64 as two cache lines
/// hold.
const PIECE: usize = 16;

/// The maximum length of a copied range of the file, relative to the length of its rows.
const SPARSE: usize = 2;

/// The rows of a tensor in a file, and its mask.
#[derive(Clone, Debug)]
pub(super) struct FileRows {
    element: Element,
    shape: Vec<usize>,
    fortran_order: bool,
    numbers: Numbers,
    mask: Option<Flags>,
}

/// The mask of a tensor: one number per row, zero for rows that are not measured.
#[derive(Clone, Debug)]
struct Flags {
    element: Element,
    numbers: View,
    /// Whether the mask is stored in the opposite order to the rows.
    transposed: bool,
}

/// A mask as stored in its file.
#[derive(Debug)]
pub(super) struct Mask {
    pub name: String,
    pub shape: Vec<usize>,
    pub fortran_order: bool,
    pub element: Element,
    pub numbers: Numbers,
}

impl FileRows {
    /// The rows of a tensor under a mask, and the number of those that are measured. `numbers` must
    /// match the shape.
    ///
    /// # Errors
    /// If the tensor has another rank than points, or the mask does not fit it.
    pub fn new(
        location: &Location,
        element: Element,
        shape: Vec<usize>,
        fortran_order: bool,
        numbers: Numbers,
        mask: Option<Mask>,
    ) -> Result<(Self, usize), EmbeddingsError> {
        let (leading, width) = match shape.as_slice() {
            [leading @ .., width] if matches!(leading.len(), 1 | 2) => (leading, *width),
            _ => {
                return Err(EmbeddingsError::Rank {
                    place: location.clone(),
                    shape,
                });
            }
        };
        check_width(&location.clone().into(), width)?;
        let place = location.clone();
        if let Some(Mask {
            name, shape: found, ..
        }) = &mask
            && found != leading
        {
            return Err(EmbeddingsError::MaskShape {
                place,
                mask: name.clone(),
                expected: leading.into(),
                found: found.clone(),
            });
        }
        let mut rows = Self {
            element,
            shape,
            fortran_order,
            numbers,
            mask: None,
        };
        let all = rows.len();
        let Some(Mask {
            name,
            fortran_order,
            element,
            numbers,
            ..
        }) = mask
        else {
            return Ok((rows, all));
        };
        let transposed = rows.shape.len() == 3 && fortran_order != rows.fortran_order;
        let flags = Flags {
            element,
            numbers: numbers.unpack(&|_| ())?,
            transposed,
        };
        let mut count = 0;
        for start in (0..all).step_by(block_rows(width)) {
            let block = rows.flags(&flags, start, (start + block_rows(width)).min(all));
            // A mask that is added to attention scores is 0 at tokens and negative at padding.
            if let Some(&value) = block.iter().find(|flag| flag.is_nan() || **flag < 0.0) {
                return Err(EmbeddingsError::MaskValue {
                    place,
                    mask: name,
                    value,
                });
            }
            count += block.iter().filter(|flag| **flag != 0.0).count();
        }
        rows.mask = Some(flags);
        match count {
            0 if all > 0 => Err(EmbeddingsError::EmptyMask { place, mask: name }),
            _ => Ok((rows, count)),
        }
    }

    /// The mask for a range of rows.
    fn flags(
        &self,
        Flags {
            element,
            numbers,
            transposed,
        }: &Flags,
        start: usize,
        end: usize,
    ) -> Vec<f64> {
        let mut flags = vec![0.0; end - start];
        let size = element.size();
        if *transposed {
            let (inner, outer) = if self.fortran_order {
                (self.shape[0], self.shape[1])
            } else {
                (self.shape[1], self.shape[0])
            };
            for (row, flag) in (start..end).zip(flags.chunks_exact_mut(1)) {
                let at = row % inner * outer + row / inner;
                element.decode(numbers.read(at * size..(at + 1) * size), flag);
            }
        } else {
            element.decode(numbers.read(start * size..end * size), &mut flags);
        }
        flags
    }

    /// The byte range of `count` numbers from `first`.
    fn bytes(&self, first: usize, count: usize) -> Range<usize> {
        let size = self.element.size();
        first * size..(first + count) * size
    }
}

impl Rows for FileRows {
    fn width(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }

    fn len(&self) -> usize {
        self.shape[..self.shape.len() - 1].iter().product()
    }

    fn is_matrix(&self) -> bool {
        self.shape.len() == 2
    }

    fn measured(&self, start: usize, end: usize) -> Vec<usize> {
        let Some(mask) = &self.mask else {
            return (start..end).collect();
        };
        (start..end)
            .zip(self.flags(mask, start, end))
            .filter_map(|(row, flag)| (flag != 0.0).then_some(row))
            .collect()
    }

    fn are_all_measured(&self) -> bool {
        self.mask.is_none()
    }

    fn rows_at_once(&self) -> usize {
        if self.fortran_order {
            FORTRAN_ROWS
        } else {
            contiguous_rows_at_once(self.width())
        }
    }

    fn fetch<'a>(
        &'a self,
        rows: &[usize],
        reading: Reading,
        memory: Vec<u8>,
    ) -> Result<Box<dyn Fetched + 'a>, EmbeddingsError> {
        let numbers = self.numbers.unpack(&|_| ())?;
        let mut block = Block {
            rows: self,
            numbers,
            copy: memory,
            start: 0,
        };
        let (first, end) = (
            rows.first().map_or(0, |row| *row),
            rows.last().map_or(0, |row| row + 1),
        );
        if reading == Reading::Once && !self.fortran_order && end - first <= SPARSE * rows.len() {
            let range = self.bytes(first * self.width(), (end - first) * self.width());
            block.start = range.start;
            block.numbers.copy_once(range, &mut block.copy);
        } else {
            block.copy.clear();
        }
        Ok(Box::new(block))
    }

    /// Rows of a Fortran-order array are counted with the sequence varying fastest, as stored.
    fn index(&self, row: usize, column: usize) -> Vec<usize> {
        match self.shape[..] {
            [sequences, _, _] if self.fortran_order => {
                vec![row % sequences, row / sequences, column]
            }
            [_, tokens, _] => vec![row / tokens, row % tokens, column],
            _ => vec![row, column],
        }
    }

    fn are_packed(&self) -> bool {
        self.numbers.are_packed()
    }

    fn unpack(&self, progress: &dyn Fn(usize)) -> Result<(), EmbeddingsError> {
        let row = self.width() * self.element.size();
        let done = Cell::new(0);
        self.numbers.unpack(&|bytes| {
            let before = done.replace(done.get() + bytes);
            progress(done.get() / row - before / row);
        })?;
        Ok(())
    }
}

/// Rows to decode from a copy of the range of the file that holds them, or from the file.
struct Block<'a> {
    rows: &'a FileRows,
    numbers: View,
    copy: Vec<u8>,
    /// The byte offset of the copy within the numbers.
    start: usize,
}

impl Block<'_> {
    fn bytes(&self, range: Range<usize>) -> &[u8] {
        if self.copy.is_empty() {
            self.numbers.read(range)
        } else {
            &self.copy[range.start - self.start..range.end - self.start]
        }
    }

    /// Decodes consecutive rows from `first` of a column-major array, a few columns at a time.
    fn decode_columns(&self, first: usize, values: &mut [f64]) {
        let rows = self.rows;
        let width = rows.width();
        let count = values.len() / width;
        let mut columns = vec![0.0; count * PIECE];
        for start in (0..width).step_by(PIECE) {
            let piece = PIECE.min(width - start);
            for (column, values) in (start..start + piece).zip(columns.chunks_exact_mut(count)) {
                rows.element.decode(
                    self.bytes(rows.bytes(column * rows.len() + first, count)),
                    values,
                );
            }
            for (row, values) in values.chunks_exact_mut(width).enumerate() {
                for (column, value) in values[start..start + piece].iter_mut().enumerate() {
                    *value = columns[column * count + row];
                }
            }
        }
    }
}

impl Fetched for Block<'_> {
    fn decode(&self, rows: &[usize], values: &mut [f64]) {
        let width = self.rows.width();
        let mut rest = values;
        for run in rows.chunk_by(|row, next| row + 1 == *next) {
            let (part, others) = rest.split_at_mut(run.len() * width);
            if self.rows.fortran_order {
                self.decode_columns(run[0], part)
            } else {
                self.rows.element.decode(
                    self.bytes(self.rows.bytes(run[0] * width, part.len())),
                    part,
                )
            }
            rest = others;
        }
    }

    fn into_memory(self: Box<Self>) -> Vec<u8> {
        self.copy
    }
}
