//! The points in a tensor of a file, read in blocks of rows.

use std::cell::Cell;
use std::ops::Range;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;

use super::file::{Element, Numbers, View};
use super::{EmbeddingsError, Place};

/// The widest points that are measured: a covariance of this width takes 2 GB, and the widest of today's models has as many dimensions.
pub const MAX_WIDTH: usize = 16_384;

/// The largest number that points may hold: differences and sums of a block stay within f64.
pub(super) const LARGEST: f64 = 1e300;

/// How many rows one thread reads at a time.
pub(super) const PART_ROWS: usize = 128;

/// The least numbers of a block, where a d×d matrix has fewer: 16 MB of f32 keep a device busy.
const BLOCK_NUMBERS: usize = 1 << 22;

/// How many columns of an array in Fortran order are read together: as many f64 as two lines of a cache hold.
const PIECE: usize = 16;

/// The points of a tensor: its rows where it has two dimensions, the tokens under its mask where it has three.
#[derive(Clone, Debug)]
pub struct Points {
    place: Place,
    element: Element,
    shape: Vec<usize>,
    fortran_order: bool,
    numbers: Numbers,
    mask: Option<Flags>,
    sample: Option<Vec<usize>>,
    count: usize,
}

/// A number for each row of a tensor, zero where the row does not count.
#[derive(Clone, Debug)]
struct Flags {
    element: Element,
    numbers: View,
    /// Whether they lie in the other order than the rows do.
    transposed: bool,
}

/// Which points of a tensor count.
#[derive(Debug)]
pub(super) struct Mask {
    pub name: String,
    pub shape: Vec<usize>,
    pub fortran_order: bool,
    pub element: Element,
    pub numbers: Numbers,
}

impl Points {
    /// The points of a tensor whose numbers are as many as its shape needs.
    pub(super) fn new(
        place: Place,
        element: Element,
        shape: Vec<usize>,
        fortran_order: bool,
        numbers: Numbers,
        mask: Option<Mask>,
    ) -> Result<Self, EmbeddingsError> {
        let (leading, width) = match shape.as_slice() {
            [leading @ .., width] if matches!(leading.len(), 1 | 2) => (leading, *width),
            _ => return Err(EmbeddingsError::Rank { place, shape }),
        };
        if width < 2 {
            return Err(EmbeddingsError::Narrow { place, width });
        }
        if width > MAX_WIDTH {
            return Err(EmbeddingsError::Wide { place, width });
        }
        if let Some(Mask { name, shape: found, .. }) = &mask
            && found != leading
        {
            return Err(EmbeddingsError::MaskShape { place, mask: name.clone(), expected: leading.into(), found: found.clone() });
        }
        let mut points = Self { place, element, shape, fortran_order, numbers, mask: None, sample: None, count: 0 };
        points.count = points.rows();
        let Some(Mask { name, fortran_order, element, numbers, .. }) = mask else { return points.of_two_or_more() };
        let transposed = points.shape.len() == 3 && fortran_order != points.fortran_order;
        points.mask = Some(Flags { element, numbers: numbers.unpack(&|_| ())?, transposed });
        points.count = points.blocks().map(|rows| rows.len()).sum();
        match points.count {
            0 if points.rows() > 0 => Err(EmbeddingsError::EmptyMask { place: points.place, mask: name }),
            _ => points.of_two_or_more(),
        }
    }

    fn of_two_or_more(self) -> Result<Self, EmbeddingsError> {
        match self.count {
            points @ (0 | 1) => Err(EmbeddingsError::FewPoints { place: self.place, points }),
            _ => Ok(self),
        }
    }

    /// `count` of the points, drawn at random without replacement; all of them where there are no more.
    ///
    /// Equal seeds draw equal points.
    ///
    /// # Errors
    /// If `count` is below 2.
    pub fn sample(mut self, count: usize, seed: u64) -> Result<Self, EmbeddingsError> {
        if count < 2 {
            return Err(EmbeddingsError::FewPoints { place: self.place, points: count });
        }
        if count >= self.count {
            return Ok(self);
        }
        let mut drawn = rand::seq::index::sample(&mut ChaCha8Rng::seed_from_u64(seed), self.count, count).into_vec();
        drawn.sort_unstable();
        self.sample = Some(self.rows_of(drawn.into_iter()));
        self.count = count;
        Ok(self)
    }

    /// Lays out points that are compressed in their file in a temporary one, which reading them does otherwise. `progress` is told of rows
    /// done.
    ///
    /// # Errors
    /// If the file does not hold what it declares, or there is no room.
    pub(super) fn unpack(&self, progress: &dyn Fn(usize)) -> Result<(), EmbeddingsError> {
        let row = self.width() * self.element.size();
        let done = Cell::new(0);
        self.numbers.unpack(&|bytes| {
            let before = done.replace(done.get() + bytes);
            progress(done.get() / row - before / row);
        })?;
        Ok(())
    }

    /// Whether [`unpack`](Self::unpack) has something to do.
    pub(super) fn are_packed(&self) -> bool {
        self.numbers.are_packed()
    }

    /// The file and the tensor.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// How many points there are, at least 2.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The width d of the points, from 2 to [`MAX_WIDTH`].
    pub fn width(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }

    /// Whether they are all rows of a `[d, d]` matrix.
    pub(super) fn are_square(&self) -> bool {
        matches!(self.shape[..], [rows, columns] if rows == columns) && self.count == self.width()
    }

    /// The rows of the points, ascending, in blocks of at least d rows but for gaps in the mask: merging what a block gives costs as much
    /// as d rows do.
    pub(super) fn blocks(&self) -> Box<dyn Iterator<Item = Vec<usize>> + '_> {
        let block_rows = (BLOCK_NUMBERS / self.width()).max(self.width());
        match &self.sample {
            Some(sample) => Box::new(sample.chunks(block_rows).map(<[usize]>::to_vec)),
            None => {
                let starts = (0..self.rows()).step_by(block_rows);
                let blocks = starts.map(move |start| self.unmasked(start, (start + block_rows).min(self.rows())));
                Box::new(blocks.filter(|rows| !rows.is_empty()))
            }
        }
    }

    /// At most `runs` runs of `run` consecutive points each, as far apart as can be: all rows where there are no more of them.
    pub(super) fn spread_evenly(&self, runs: usize, run: usize) -> Vec<usize> {
        let every = (self.count / runs).max(run);
        let ordinals = (0..runs).flat_map(|at| at * every..at * every + run);
        self.rows_of(ordinals.take_while(|ordinal| *ordinal < self.count))
    }

    /// The rows of points of ascending `ordinals`.
    fn rows_of(&self, ordinals: impl Iterator<Item = usize>) -> Vec<usize> {
        match (&self.sample, &self.mask) {
            (Some(sample), _) => ordinals.map(|ordinal| sample[ordinal]).collect(),
            (None, None) => ordinals.collect(),
            (None, Some(_)) => {
                let mut ordinals = ordinals.peekable();
                let rows = self.blocks().flatten().enumerate();
                rows.filter_map(|(ordinal, row)| ordinals.next_if_eq(&ordinal).map(|_| row)).collect()
            }
        }
    }

    fn unmasked(&self, start: usize, end: usize) -> Vec<usize> {
        let Some(Flags { element, numbers, transposed }) = &self.mask else { return (start..end).collect() };
        let mut flags = vec![0.0; end - start];
        let size = element.size();
        if *transposed {
            let (inner, outer) = if self.fortran_order { (self.shape[0], self.shape[1]) } else { (self.shape[1], self.shape[0]) };
            for (row, flag) in (start..end).zip(flags.chunks_exact_mut(1)) {
                let at = row % inner * outer + row / inner;
                element.decode(numbers.read(at * size..(at + 1) * size), flag);
            }
        } else {
            element.decode(numbers.read(start * size..end * size), &mut flags);
        }
        (start..end).zip(flags).filter_map(|(row, flag)| (flag != 0.0).then_some(row)).collect()
    }

    /// Writes the points at `rows` down, one after the other in f64. Shape `[rows, d]`.
    ///
    /// # Errors
    /// If a number among them is not finite or beyond ±1e300, whose squares no scaling could save.
    pub(super) fn read(&self, rows: &[usize], values: &mut Vec<f64>) -> Result<(), EmbeddingsError> {
        let width = self.width();
        let numbers = self.numbers.unpack(&|_| ())?;
        values.resize(rows.len() * width, 0.0);
        let mut rest = values.as_mut_slice();
        for run in rows.chunk_by(|row, next| row + 1 == *next) {
            let (part, others) = rest.split_at_mut(run.len() * width);
            if self.fortran_order {
                self.read_columns(&numbers, run[0], part)
            } else {
                self.element.decode(numbers.read(self.bytes(run[0] * width, part.len())), part)
            }
            rest = others;
        }
        // Looking at every number is faster than stopping at the first.
        let sound = |value: f64| value.abs() <= LARGEST;
        if values.iter().fold(true, |all, value| all & sound(*value)) {
            return Ok(());
        }
        let at = values.iter().position(|value| !sound(*value)).unwrap_or(0);
        Err(EmbeddingsError::NotFinite { place: self.place.clone(), at: self.index(rows[at / width], at % width), value: values[at] })
    }

    /// Reads the points at `rows` in parts, side by side; what `each` makes of the parts, in their order.
    ///
    /// `each` is given the points of a part and its part of `deviations`. Both have the shape `[rows, d]`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) fn read_parts<R: Send>(
        &self,
        rows: &[usize],
        deviations: &mut [f32],
        each: impl Fn(&[f64], &mut [f32]) -> R + Sync,
    ) -> Result<Vec<R>, EmbeddingsError> {
        let parts = rows.par_chunks(PART_ROWS).zip(deviations.par_chunks_mut(PART_ROWS * self.width()));
        let made = parts.map_init(Vec::new, |values, (part, deviations)| {
            self.read(part, values)?;
            Ok(each(values, deviations))
        });
        made.collect()
    }

    /// Consecutive rows from `first` of numbers that lie column by column. A few columns are read at a time and written as one piece of
    /// each row.
    fn read_columns(&self, numbers: &View, first: usize, values: &mut [f64]) {
        let width = self.width();
        let count = values.len() / width;
        let mut columns = vec![0.0; count * PIECE];
        for start in (0..width).step_by(PIECE) {
            let piece = PIECE.min(width - start);
            for (column, values) in (start..start + piece).zip(columns.chunks_exact_mut(count)) {
                self.element.decode(numbers.read(self.bytes(column * self.rows() + first, count)), values);
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

    /// The rows of the tensor, points or not.
    fn rows(&self) -> usize {
        self.shape[..self.shape.len() - 1].iter().product()
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
