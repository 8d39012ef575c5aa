//! The points in a tensor of a file, read in blocks of rows.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::element::Element;
use super::survey::LARGEST;
use super::{EmbeddingsError, Place};

/// The widest points that are measured: a covariance of this width takes 2 GB, and the widest of today's models has as many dimensions.
pub const MAX_WIDTH: usize = 16_384;

/// How many rows one thread reads at a time.
pub(super) const PART_ROWS: usize = 128;

/// The least numbers of a block, where a d×d matrix has fewer: 16 MB of f32 keep a device busy.
const BLOCK_NUMBERS: usize = 1 << 22;

/// The points of a tensor: its rows where it has two dimensions, the tokens under its mask where it has three.
#[derive(Clone, Debug)]
pub struct Points<'a> {
    place: Place,
    element: Element,
    shape: &'a [usize],
    fortran_order: bool,
    bytes: &'a [u8],
    mask: Option<Mask<'a>>,
    sample: Option<Vec<usize>>,
    count: usize,
}

/// Which points of a tensor count.
#[derive(Clone, Debug)]
pub(super) struct Mask<'a> {
    pub name: &'a str,
    pub shape: &'a [usize],
    pub element: Element,
    pub bytes: &'a [u8],
}

impl<'a> Points<'a> {
    /// The points of a tensor whose bytes are as many as its shape needs.
    pub(super) fn new(
        place: Place,
        element: Element,
        shape: &'a [usize],
        fortran_order: bool,
        bytes: &'a [u8],
        mask: Option<Mask<'a>>,
    ) -> Result<Self, EmbeddingsError> {
        let (leading, width) = match shape {
            [leading @ .., width] if matches!(leading.len(), 1 | 2) => (leading, *width),
            _ => return Err(EmbeddingsError::Rank { place, shape: shape.into() }),
        };
        if width < 2 {
            return Err(EmbeddingsError::Narrow { place, width });
        }
        if width > MAX_WIDTH {
            return Err(EmbeddingsError::Wide { place, width });
        }
        let mask_name = mask.as_ref().map(|mask| mask.name.to_string());
        if let Some(Mask { name, shape: found, .. }) = mask
            && found != leading
        {
            return Err(EmbeddingsError::MaskShape { place, mask: name.into(), expected: leading.into(), found: found.into() });
        }
        let mut points = Self { place, element, shape, fortran_order, bytes, mask, sample: None, count: 0 };
        points.count = match points.mask {
            Some(_) => points.blocks().map(|rows| rows.len()).sum(),
            None => points.rows(),
        };
        match (points.count, mask_name) {
            (0, Some(mask)) if points.rows() > 0 => Err(EmbeddingsError::EmptyMask { place: points.place, mask }),
            (count @ (0 | 1), _) => Err(EmbeddingsError::FewPoints { place: points.place, points: count }),
            _ => Ok(points),
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
        let mut drawn = drawn.into_iter().peekable();
        let rows = self.blocks().flatten().enumerate();
        let sample = rows.filter_map(|(ordinal, row)| drawn.next_if_eq(&ordinal).map(|_| row)).collect();
        self.sample = Some(sample);
        self.count = count;
        Ok(self)
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
        matches!(self.shape, [rows, columns] if rows == columns) && self.count == self.width()
    }

    /// The rows of the points, ascending, in blocks of at least d rows but for gaps in the mask: merging what a block gives costs as much as
    /// d rows do.
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

    fn unmasked(&self, start: usize, end: usize) -> Vec<usize> {
        let Some(Mask { element, bytes, .. }) = self.mask else { return (start..end).collect() };
        let mut flags = vec![0.0; end - start];
        element.decode(&bytes[start * element.size()..end * element.size()], &mut flags);
        (start..end).zip(flags).filter_map(|(row, flag)| (flag != 0.0).then_some(row)).collect()
    }

    /// The points at `rows`, one after the other in f64. Shape `[rows, d]`.
    ///
    /// # Errors
    /// If a number among them is not finite or beyond ±1e300, whose squares no scaling could save.
    pub(super) fn read(&self, rows: &[usize]) -> Result<Vec<f64>, EmbeddingsError> {
        let width = self.width();
        let mut values = vec![0.0; rows.len() * width];
        let mut rest = values.as_mut_slice();
        for run in rows.chunk_by(|row, next| row + 1 == *next) {
            let (part, others) = rest.split_at_mut(run.len() * width);
            if self.fortran_order {
                self.read_columns(run[0], part)
            } else {
                self.read_rows(run[0], part)
            }
            rest = others;
        }
        match values.iter().position(|value| value.is_nan() || value.abs() > LARGEST) {
            None => Ok(values),
            Some(at) => {
                let at_index = self.index(rows[at / width], at % width);
                Err(EmbeddingsError::NotFinite { place: self.place.clone(), at: at_index, value: values[at] })
            }
        }
    }

    /// Consecutive rows from `first`, which lie one after the other.
    fn read_rows(&self, first: usize, values: &mut [f64]) {
        let start = first * self.width() * self.element.size();
        self.element.decode(&self.bytes[start..], values);
    }

    /// The same where every column lies by itself.
    fn read_columns(&self, first: usize, values: &mut [f64]) {
        let width = self.width();
        let mut column = vec![0.0; values.len() / width];
        for at in 0..width {
            let start = (at * self.rows() + first) * self.element.size();
            self.element.decode(&self.bytes[start..], &mut column);
            for (value, number) in values[at..].iter_mut().step_by(width).zip(&column) {
                *value = *number;
            }
        }
    }

    /// The rows of the tensor, points or not.
    fn rows(&self) -> usize {
        self.shape[..self.shape.len() - 1].iter().product()
    }

    /// Where a number stands in the tensor. Rows of a Fortran array are counted with the sequence varying fastest, as they lie.
    fn index(&self, row: usize, column: usize) -> Vec<usize> {
        match *self.shape {
            [sequences, _, _] if self.fortran_order => vec![row % sequences, row / sequences, column],
            [_, tokens, _] => vec![row / tokens, row % tokens, column],
            _ => vec![row, column],
        }
    }
}
