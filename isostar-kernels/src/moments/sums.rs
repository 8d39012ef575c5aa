//! The loops of the moments on flex.

use std::ops::Range;
use std::sync::Arc;

use gemm::Parallelism;
use pulp::Arch;
use rayon::prelude::*;

use crate::product::{Matrix, MatrixMut, product};
use crate::tape::written;

/// Rows that are centred at once; at d = 384 they take 400 KB, which fit the L2 cache of a core.
const BLOCK: usize = 256;

/// Number of parts of which products are summed separately, if each has [`LEAST_ROWS`]. It does not
/// depend on the number of threads, so that the sum does not.
const PARTS: usize = 4;

/// Minimum number of rows per part: with fewer, adding the parts up would cost more than the
/// products.
const LEAST_ROWS: usize = 128;

/// Rows of the product that are computed at once, up to the diagonal of the last of them.
const PANEL: usize = 96;

/// Rows and columns of a matrix that are transposed at once; they fit the L1 cache of a core.
const TILE: usize = 32;

/// The rows that count.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) all: usize,
    /// Indices of the rows that count, ascending; `None` if all do.
    pub(super) kept: Option<Arc<[usize]>>,
}

impl Rows {
    pub(super) fn count(&self) -> usize {
        self.kept.as_ref().map_or(self.all, |kept| kept.len())
    }

    /// Index of the row that counts as number `at`.
    pub(super) fn row(&self, at: usize) -> usize {
        self.kept.as_ref().map_or(at, |kept| kept[at])
    }

    /// Numbers of the rows that count, of those with these indices.
    fn within(&self, indices: Range<usize>) -> Range<usize> {
        match &self.kept {
            None => indices,
            Some(kept) => {
                kept.partition_point(|row| *row < indices.start)
                    ..kept.partition_point(|row| *row < indices.end)
            }
        }
    }
}

/// Writes x − c of the rows with the numbers `range` to `centred`.
#[inline(always)]
fn centre(points: &[f32], rows: &Rows, range: Range<usize>, centre: &[f32], centred: &mut [f32]) {
    let d = centre.len();
    for (at, centred) in range.zip(centred.chunks_exact_mut(d)) {
        let point = &points[rows.row(at) * d..][..d];
        for ((centred, number), centre) in centred.iter_mut().zip(point).zip(centre) {
            *centred = number - centre;
        }
    }
}

/// Adds the lower half of P, and s as the row after it, to `sums`.
pub(super) fn add_products(points: &[f32], rows: &Rows, centre: &[f32], sums: &mut [f32]) {
    let (count, d) = (rows.count(), centre.len());
    if count == 0 || d == 0 {
        return;
    }
    let size = count.div_ceil(PARTS).max(LEAST_ROWS);
    let parts: Vec<Vec<f32>> = (0..count.div_ceil(size))
        .into_par_iter()
        .map(|part| {
            products(
                points,
                rows,
                part * size..count.min((part + 1) * size),
                centre,
            )
        })
        .collect();
    sums.par_chunks_mut(d).enumerate().for_each(|(row, sums)| {
        let length = d.min(row + 1);
        for (column, sum) in sums[..length].iter_mut().enumerate() {
            *sum += parts.iter().map(|part| part[row * d + column]).sum::<f32>();
        }
    });
}

/// The products and, as the last row, the sum of the rows with the numbers `range`.
fn products(points: &[f32], rows: &Rows, range: Range<usize>, c: &[f32]) -> Vec<f32> {
    let (arch, d) = (Arch::new(), c.len());
    let mut found = vec![0.0; (d + 1) * d];
    let (products, last) = found.split_at_mut(d * d);
    let mut sums = vec![0.0_f64; d];
    let mut centred = vec![0.0; BLOCK.min(range.len()) * d];
    for start in range.clone().step_by(BLOCK) {
        let block = start..range.end.min(start + BLOCK);
        let n = block.len();
        let centred = &mut centred[..n * d];
        arch.dispatch(|| {
            centre(points, rows, block.clone(), c, centred);
            last.fill(0.0);
            for row in centred.chunks_exact(d) {
                last.iter_mut()
                    .zip(row)
                    .for_each(|(sum, number)| *sum += number);
            }
            sums.iter_mut()
                .zip(&*last)
                .for_each(|(sum, part)| *sum += f64::from(*part));
        });
        for top in (0..d).step_by(PANEL) {
            let bottom = d.min(top + PANEL);
            let left = Matrix::new(&centred[top..], [n, bottom - top], d).transposed();
            let right = Matrix::new(centred, [n, bottom], d);
            let into = MatrixMut::new(&mut products[top * d..], [bottom - top, bottom], d);
            product(into, true, [left, right], 1.0, Parallelism::None);
        }
    }
    last.iter_mut()
        .zip(sums)
        .for_each(|(last, sum)| *last = sum as f32);
    found
}

/// The gradient of the points: M(x − c) + v of each row that counts, given M `[d, d]` and, in the
/// row after it, v.
pub(super) fn gradient_of_points(
    points: &[f32],
    rows: &Rows,
    c: &[f32],
    gradient: &[f32],
) -> Vec<f32> {
    let d = c.len();
    let (matrix, row) = gradient.split_at(d * d);
    let matrix = Matrix::new(matrix, [d, d], d);
    let at_once = (rows.all / 8).clamp(LEAST_ROWS, BLOCK);
    written(points.len(), at_once * d, |index, gradients| {
        let first = index * at_once;
        let all = gradients.len() / d;
        let range = rows.within(first..first + all);
        let count = range.len();
        let mut centred = vec![0.0; count * d];
        centre(points, rows, range.clone(), c, &mut centred);
        let centred = Matrix::new(&centred, [count, d], d);
        let fill = |products: &mut [f32]| {
            products
                .chunks_exact_mut(d)
                .for_each(|product| product.copy_from_slice(row));
            product(
                MatrixMut::new(products, [count, d], d),
                true,
                [centred, matrix],
                1.0,
                Parallelism::None,
            );
        };
        if count == all {
            return fill(gradients);
        }
        let mut products = vec![0.0; count * d];
        fill(&mut products);
        for (at, product) in range.zip(products.chunks_exact(d)) {
            gradients[(rows.row(at) - first) * d..][..d].copy_from_slice(product);
        }
    })
}

/// P − s·offsetᵀ, both halves, of the lower half of P.
pub(super) fn mirrored(products: &[f32], sum: &[f32], offset: &[f32]) -> Vec<f32> {
    let d = sum.len();
    by_tiles(d, d * d, |row, column| {
        let (low, high) = (row.min(column), row.max(column));
        products[high * d + low] - sum[high] * offset[low]
    })
}

/// M = G + Gᵀ and, as the last row, −M·offset.
pub(super) fn gradient_of_matrix(gradient: &[f32], offset: &[f32]) -> Vec<f32> {
    let d = offset.len();
    let mut found = by_tiles(d, (d + 1) * d, |row, column| {
        gradient[row * d + column] + gradient[column * d + row]
    });
    let (matrix, last) = found.split_at_mut(d * d);
    last.par_iter_mut()
        .zip(matrix.par_chunks_exact(d.max(1)))
        .for_each(|(last, row)| {
            *last = -row
                .iter()
                .zip(offset)
                .map(|(entry, offset)| f64::from(*entry) * f64::from(*offset))
                .sum::<f64>() as f32;
        });
    found
}

/// A matrix with the entries `entry(row, column)`, followed by zeros up to `length` numbers.
fn by_tiles(d: usize, length: usize, entry: impl Fn(usize, usize) -> f32 + Sync) -> Vec<f32> {
    written(length, TILE * d, |index, rows| {
        let top = index * TILE;
        let height = (rows.len() / d).min(d - top.min(d));
        for left in (0..d).step_by(TILE) {
            for (row, numbers) in rows.chunks_exact_mut(d).take(height).enumerate() {
                for (column, number) in numbers
                    .iter_mut()
                    .enumerate()
                    .take(d.min(left + TILE))
                    .skip(left)
                {
                    *number = entry(top + row, column);
                }
            }
        }
    })
}
