//! Limits of points, and the sizes of the pieces in which they are read.

/// The maximum width of points: a covariance of this width takes 2 GB, and the widest current
/// models have as many dimensions.
pub const MAX_WIDTH: usize = 16_384;

/// The largest absolute value of a number in points: differences and sums of a block stay within
/// f64.
pub const LARGEST: f64 = 1e300;

/// The number of rows in a part. The result of a part may be as large as a row.
pub(crate) const PART_ROWS: usize = 128;

/// The minimum size of a block in numbers, unless a d×d matrix is larger: 32 MB of f32, which makes
/// the fixed cost per block negligible.
const BLOCK_NUMBERS: usize = 1 << 23;

/// The number of rows per block: a multiple of the rows per part, and at least d, because merging
/// the result of a block costs as much as processing d rows.
pub(crate) fn block_rows(width: usize) -> usize {
    (BLOCK_NUMBERS / width)
        .max(width)
        .next_multiple_of(PART_ROWS)
}
