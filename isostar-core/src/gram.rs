//! XᵀX of many rows, of which a general product of matrices computes both halves, and which is too small for its threads to share.

use std::ops::Range;

use burn::prelude::*;

/// How many parts of the rows are multiplied side by side, each by one thread of a CPU. The products of more parts would be shorter ones, and
/// more to add up.
const PARTS: usize = 4;

/// The fewest rows of a part: of shorter ones the sum of the parts costs too much.
const PART_ROWS: usize = 512;

/// The widest strip of a part: a multiple of the tiles of 16×6 numbers that a CPU's registers hold.
const PART_STRIP: usize = 96;

/// The widest strip of all rows, whose product several threads share.
const STRIP: usize = 256;

/// XᵀX of `rows`, shape `[n, d]` with n ≥ 1. Shape `[d, d]`, symmetric.
pub(crate) fn gram(rows: Tensor<2>) -> Tensor<2> {
    let [n, d] = rows.dims();
    let part = n / PARTS;
    if part < PART_ROWS {
        return in_strips(d, STRIP, |strip| below(&rows, &strip));
    }
    let whole = part * PARTS;
    let parts: Tensor<3> = rows.clone().narrow(0, 0, whole).reshape([PARTS, part, d]);
    let sum = in_strips(d, PART_STRIP, |strip| below(&parts, &strip).sum_dim(0).squeeze_dim(0));
    if whole == n {
        return sum;
    }
    let rest = rows.narrow(0, whole, n - whole);
    sum + symmetric(product(rest.clone(), rest))
}

/// A symmetric matrix of which `of` gives strips of rows up to the diagonal: rows and columns of `[strip, ..strip.end]`.
///
/// The strips are of equal width: of 97 columns, a strip of 96 would leave one of a single column, whose product with the parts of all others
/// Burn 0.22.1 gets wrong on wgpu.
fn in_strips(d: usize, widest: usize, of: impl Fn(Range<usize>) -> Tensor<2>) -> Tensor<2> {
    let count = d.div_ceil(widest);
    let ranges = (0..count).map(|strip| strip * d / count..(strip + 1) * d / count);
    let strips: Vec<(Range<usize>, Tensor<2>)> = ranges.map(|range| (range.clone(), of(range))).collect();
    let rows = strips.iter().enumerate().map(|(at, (range, strip))| {
        let left = (range.start > 0).then(|| columns(strip.clone(), &(0..range.start)));
        let square = symmetric(columns(strip.clone(), range));
        let above = strips[at + 1..].iter().map(|(_, below)| columns(below.clone(), range).transpose());
        Tensor::cat(left.into_iter().chain([square]).chain(above).collect(), 1)
    });
    Tensor::cat(rows.collect(), 0)
}

/// The products of a strip of columns and all columns up to its end.
fn below<const D: usize>(rows: &Tensor<D>, strip: &Range<usize>) -> Tensor<D> {
    product(columns(rows.clone(), strip), columns(rows.clone(), &(0..strip.end)))
}

fn columns<const D: usize>(tensor: Tensor<D>, range: &Range<usize>) -> Tensor<D> {
    tensor.narrow(D - 1, range.start, range.len())
}

/// Without the rounding by which entries (i, j) and (j, i) of a general product differ.
fn symmetric(square: Tensor<2>) -> Tensor<2> {
    (square.clone() + square.transpose()) * 0.5
}

fn product<const D: usize>(left: Tensor<D>, right: Tensor<D>) -> Tensor<D> {
    left.transpose().matmul(right)
}
