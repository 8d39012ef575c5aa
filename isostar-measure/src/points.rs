//! The points in a tensor of a file, in blocks of rows.

mod reading;

use std::cell::Cell;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

pub(super) use self::reading::{LARGEST, Reading};
use super::file::{Element, Numbers, View};
use super::pass::PART_ROWS;
use super::{EmbeddingsError, Location, Note};

/// The maximum width of points: a covariance of this width takes 2 GB, and the widest current
/// models have as many dimensions.
pub const MAX_WIDTH: usize = 16_384;

/// The minimum size of a block in numbers, unless a d×d matrix is larger: 32 MB of f32, which makes
/// the fixed cost per block negligible.
const BLOCK_NUMBERS: usize = 1 << 23;

/// The points of a tensor: its rows if it has two dimensions, the tokens under its mask if it has
/// three.
#[derive(Clone, Debug)]
pub struct Points {
    place: Location,
    element: Element,
    shape: Vec<usize>,
    fortran_order: bool,
    numbers: Numbers,
    mask: Option<Flags>,
    sample: Option<Vec<usize>>,
    count: usize,
    notes: Vec<Note>,
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

impl Points {
    /// Creates the points of a tensor. `numbers` must match its shape.
    pub(super) fn new(
        place: Location,
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
        let mut points = Self { place, element, shape, fortran_order, numbers, mask: None, sample: None, count: 0, notes: Vec::new() };
        points.count = points.rows();
        let Some(Mask { name, fortran_order, element, numbers, .. }) = mask else { return points.of_two_or_more() };
        let transposed = points.shape.len() == 3 && fortran_order != points.fortran_order;
        let flags = Flags { element, numbers: numbers.unpack(&|_| ())?, transposed };
        points.count = 0;
        for start in (0..points.rows()).step_by(points.block_rows()) {
            let block = points.flags(&flags, start, (start + points.block_rows()).min(points.rows()));
            // A mask that is added to attention scores is 0 at tokens and negative at padding.
            if let Some(&value) = block.iter().find(|flag| flag.is_nan() || **flag < 0.0) {
                return Err(EmbeddingsError::MaskValue { place: points.place, mask: name, value });
            }
            points.count += block.iter().filter(|flag| **flag != 0.0).count();
        }
        points.mask = Some(flags);
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

    /// Adds notes on the assumptions about the points.
    pub(super) fn with_notes(self, notes: Vec<Note>) -> Self {
        Self { notes, ..self }
    }

    /// The assumptions made about the points.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Draws `count` points at random without replacement; keeps all if there are no more.
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

    /// Decompresses the points into a temporary file, which reading them would otherwise do.
    /// `progress` receives the number of rows done.
    ///
    /// # Errors
    /// If the numbers differ from what the file declares, or the temporary file cannot be written.
    pub(super) fn unpack(&self, progress: &dyn Fn(usize)) -> Result<(), EmbeddingsError> {
        let row = self.width() * self.element.size();
        let done = Cell::new(0);
        self.numbers.unpack(&|bytes| {
            let before = done.replace(done.get() + bytes);
            progress(done.get() / row - before / row);
        })?;
        Ok(())
    }

    /// Whether [`unpack`](Self::unpack) has work to do.
    pub(super) fn are_packed(&self) -> bool {
        self.numbers.are_packed()
    }

    /// The file and the tensor.
    pub fn place(&self) -> &Location {
        &self.place
    }

    /// The number of points, at least 2.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The width d of the points, from 2 to [`MAX_WIDTH`].
    pub fn width(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }

    /// Whether the points are all rows of a `[d, d]` matrix.
    pub(super) fn are_square(&self) -> bool {
        matches!(self.shape[..], [rows, columns] if rows == columns) && self.count == self.width()
    }

    /// The number of rows per block: a multiple of the rows per part, and at least d, because
    /// merging the result of a block costs as much as processing d rows.
    pub(super) fn block_rows(&self) -> usize {
        (BLOCK_NUMBERS / self.width()).max(self.width()).next_multiple_of(PART_ROWS)
    }

    /// The row indices of the points in ascending order, in blocks. Masked rows are excluded.
    pub(super) fn blocks(&self) -> Box<dyn Iterator<Item = Vec<usize>> + Send + '_> {
        let block_rows = self.block_rows();
        match &self.sample {
            Some(sample) => Box::new(sample.chunks(block_rows).map(<[usize]>::to_vec)),
            None => {
                let starts = (0..self.rows()).step_by(block_rows);
                let blocks = starts.map(move |start| self.unmasked(start, (start + block_rows).min(self.rows())));
                Box::new(blocks.filter(|rows| !rows.is_empty()))
            }
        }
    }

    /// At most `runs` evenly spaced runs of `run` consecutive points each; all rows if there are no
    /// more.
    pub(super) fn spread_evenly(&self, runs: usize, run: usize) -> Vec<usize> {
        let every = (self.count / runs).max(run);
        let ordinals = (0..runs).flat_map(|at| at * every..at * every + run);
        self.rows_of(ordinals.take_while(|ordinal| *ordinal < self.count))
    }

    /// The rows of the points with these ascending ordinals.
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
        let Some(mask) = &self.mask else { return (start..end).collect() };
        (start..end).zip(self.flags(mask, start, end)).filter_map(|(row, flag)| (flag != 0.0).then_some(row)).collect()
    }

    /// The mask for a range of rows.
    fn flags(&self, Flags { element, numbers, transposed }: &Flags, start: usize, end: usize) -> Vec<f64> {
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
        flags
    }

    /// The number of rows of the tensor, masked ones included.
    fn rows(&self) -> usize {
        self.shape[..self.shape.len() - 1].iter().product()
    }
}
