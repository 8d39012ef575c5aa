//! The rows of a tensor, wherever its numbers are.

use std::fmt::Debug;

use crate::EmbeddingsError;

/// How often the points are read in total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Once: a file need not stay in the page cache.
    Once,
    /// More than once, at the speed of mapping cached pages.
    Again,
}

/// The rows of a tensor `[rows, d]` or `[sequences, tokens, d]`, numbered in its order. Rows that
/// are not measured, such as padding, have a number too.
///
/// Blocks of points end at multiples of a row number, so tensors of the same shape are cut into the
/// same blocks, and sums over them round alike, wherever their numbers are.
pub(crate) trait Rows: Debug + Send + Sync {
    /// The width d.
    fn width(&self) -> usize;

    /// The number of rows, including those that are not measured.
    fn len(&self) -> usize;

    /// Whether the tensor is a matrix, of two dimensions.
    fn is_matrix(&self) -> bool;

    /// The rows from `start` to `end` that are measured, in ascending order.
    fn measured(&self, start: usize, end: usize) -> Vec<usize>;

    /// Whether all rows are measured.
    fn are_all_measured(&self) -> bool;

    /// The number of rows to decode at once.
    fn rows_at_once(&self) -> usize;

    /// Fetches ascending `rows` for decoding. `memory` is reused as a buffer.
    ///
    /// # Errors
    /// If the rows are compressed and cannot be decompressed, or the device fails.
    fn fetch<'a>(
        &'a self,
        rows: &[usize],
        reading: Reading,
        memory: Vec<u8>,
    ) -> Result<Box<dyn Fetched + 'a>, EmbeddingsError>;

    /// The index in the tensor of a number in a row.
    fn index(&self, row: usize, column: usize) -> Vec<usize>;

    /// Whether [`unpack`](Self::unpack) has work to do.
    fn are_packed(&self) -> bool {
        false
    }

    /// Decompresses the numbers, which fetching them would otherwise do. `progress` receives the
    /// number of rows done.
    ///
    /// # Errors
    /// If the numbers differ from what the file declares, or a temporary file cannot be written.
    fn unpack(&self, _progress: &dyn Fn(usize)) -> Result<(), EmbeddingsError> {
        Ok(())
    }
}

/// Rows that can be decoded without waiting.
pub(crate) trait Fetched: Send + Sync {
    /// Writes some of the fetched rows to `values` as f64. Shape `[rows, d]`.
    fn decode(&self, rows: &[usize], values: &mut [f64]);

    /// Returns the buffer for reuse.
    fn into_memory(self: Box<Self>) -> Vec<u8>;
}

/// The number of numbers decoded at once: as f64, with their results, they fit into a core's
/// caches.
const AT_ONCE: usize = 1 << 12;

/// The minimum number of rows decoded at once.
const LEAST_ROWS: usize = 8;

/// The number of contiguous rows to decode at once.
pub(crate) fn contiguous_rows_at_once(width: usize) -> usize {
    (AT_ONCE / width)
        .max(LEAST_ROWS)
        .next_multiple_of(LEAST_ROWS)
}
