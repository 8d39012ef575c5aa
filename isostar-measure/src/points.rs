//! Points in blocks of rows: those of a tensor in a file, or of a tensor on a device.

use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::limits::{LARGEST, MAX_WIDTH, block_rows};
use crate::rows::{Fetched, Reading, Rows};
use crate::{EmbeddingsError, Note, Source};

/// The points of a tensor: its rows if it has two dimensions, the tokens under its mask if it has
/// three.
#[derive(Clone, Debug)]
pub struct Points {
    source: Source,
    rows: Arc<dyn Rows>,
    sample: Option<Vec<usize>>,
    count: usize,
    notes: Vec<Note>,
}

impl Points {
    /// Creates the points of a tensor, of whose rows `count` are measured.
    ///
    /// # Errors
    /// If there are fewer than two points, or the width is out of range.
    pub(crate) fn new(
        source: Source,
        rows: Arc<dyn Rows>,
        count: usize,
    ) -> Result<Self, EmbeddingsError> {
        check_width(&source, rows.width())?;
        match count {
            points @ (0 | 1) => Err(EmbeddingsError::FewPoints {
                place: source,
                points,
            }),
            _ => Ok(Self {
                source,
                rows,
                sample: None,
                count,
                notes: Vec::new(),
            }),
        }
    }

    /// Adds notes on the assumptions about the points.
    pub(crate) fn with_notes(self, notes: Vec<Note>) -> Self {
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
            return Err(EmbeddingsError::FewPoints {
                place: self.source,
                points: count,
            });
        }
        if count >= self.count {
            return Ok(self);
        }
        let mut drawn =
            rand::seq::index::sample(&mut ChaCha8Rng::seed_from_u64(seed), self.count, count)
                .into_vec();
        drawn.sort_unstable();
        self.sample = Some(self.rows_of(drawn.into_iter()));
        self.count = count;
        Ok(self)
    }

    /// Where the points come from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The number of points, at least 2.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The width d of the points, from 2 to [`MAX_WIDTH`](crate::MAX_WIDTH).
    pub fn width(&self) -> usize {
        self.rows.width()
    }

    /// Whether the points are all rows of a `[d, d]` matrix.
    pub(crate) fn are_square(&self) -> bool {
        self.rows.is_matrix() && self.rows.len() == self.width() && self.count == self.width()
    }

    /// See [`Rows::unpack`].
    pub(crate) fn unpack(&self, progress: &dyn Fn(usize)) -> Result<(), EmbeddingsError> {
        self.rows.unpack(progress)
    }

    /// See [`Rows::are_packed`].
    pub(crate) fn are_packed(&self) -> bool {
        self.rows.are_packed()
    }

    /// The number of rows per block.
    pub(crate) fn block_rows(&self) -> usize {
        block_rows(self.width())
    }

    /// The number of rows to [decode](Self::decode) at once.
    pub(crate) fn rows_at_once(&self) -> usize {
        self.rows.rows_at_once()
    }

    /// The row indices of the points in ascending order, in blocks.
    pub(crate) fn blocks(&self) -> Box<dyn Iterator<Item = Vec<usize>> + Send + '_> {
        let block_rows = self.block_rows();
        match &self.sample {
            Some(sample) => Box::new(sample.chunks(block_rows).map(<[usize]>::to_vec)),
            None => {
                let starts = (0..self.rows.len()).step_by(block_rows);
                let blocks = starts.map(move |start| {
                    self.rows
                        .measured(start, (start + block_rows).min(self.rows.len()))
                });
                Box::new(blocks.filter(|rows| !rows.is_empty()))
            }
        }
    }

    /// At most `runs` evenly spaced runs of `run` consecutive points each; all rows if there are no
    /// more.
    pub(crate) fn spread_evenly(&self, runs: usize, run: usize) -> Vec<usize> {
        let every = (self.count / runs).max(run);
        let ordinals = (0..runs).flat_map(|at| at * every..at * every + run);
        self.rows_of(ordinals.take_while(|ordinal| *ordinal < self.count))
    }

    /// The rows of the points with these ascending ordinals.
    fn rows_of(&self, ordinals: impl Iterator<Item = usize>) -> Vec<usize> {
        match &self.sample {
            Some(sample) => ordinals.map(|ordinal| sample[ordinal]).collect(),
            None if self.rows.are_all_measured() => ordinals.collect(),
            None => {
                let mut ordinals = ordinals.peekable();
                let rows = self.blocks().flatten().enumerate();
                rows.filter_map(|(ordinal, row)| ordinals.next_if_eq(&ordinal).map(|_| row))
                    .collect()
            }
        }
    }

    /// See [`Rows::fetch`].
    pub(crate) fn fetch(
        &self,
        rows: &[usize],
        reading: Reading,
        memory: Vec<u8>,
    ) -> Result<Box<dyn Fetched + '_>, EmbeddingsError> {
        self.rows.fetch(rows, reading, memory)
    }

    /// Reads the points at `rows` as f64 into `values`. Shape `[rows, d]`.
    ///
    /// # Errors
    /// If a number is not finite or beyond ±1e300, where no scaling can avoid an overflow of its
    /// square.
    pub(crate) fn read(
        &self,
        rows: &[usize],
        values: &mut Vec<f64>,
    ) -> Result<(), EmbeddingsError> {
        self.decode(
            rows,
            self.fetch(rows, Reading::Again, Vec::new())?.as_ref(),
            values,
        )
    }

    /// Like [`read`](Self::read), for some or all of the rows that were [fetched](Self::fetch).
    pub(crate) fn decode(
        &self,
        rows: &[usize],
        fetched: &dyn Fetched,
        values: &mut Vec<f64>,
    ) -> Result<(), EmbeddingsError> {
        let width = self.width();
        values.resize(rows.len() * width, 0.0);
        fetched.decode(rows, values);
        let sound = |value: f64| value.abs() <= LARGEST;
        // Checking every number is faster than stopping at the first invalid one.
        if pulp::Arch::new().dispatch(|| values.iter().fold(true, |all, value| all & sound(*value)))
        {
            return Ok(());
        }
        let at = values.iter().position(|value| !sound(*value)).unwrap_or(0);
        let index = self.rows.index(rows[at / width], at % width);
        Err(EmbeddingsError::NotFinite {
            place: self.source.clone(),
            at: index,
            value: values[at],
        })
    }
}

/// Checks that points of this width have an isotropy, and a covariance that fits into memory.
pub(crate) fn check_width(source: &Source, width: usize) -> Result<(), EmbeddingsError> {
    match width {
        0 | 1 => Err(EmbeddingsError::Narrow {
            place: source.clone(),
            width,
        }),
        2..=MAX_WIDTH => Ok(()),
        _ => Err(EmbeddingsError::Wide {
            place: source.clone(),
            width,
        }),
    }
}
