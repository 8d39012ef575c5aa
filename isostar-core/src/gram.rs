//! XᵀX of many rows.

use burn::prelude::*;
use burn::tensor::TensorReadError;
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::host::{is_host, on_host};

/// The most rows of a part, whose products are added in the points' precision; those of all parts are added in f64.
const PART_ROWS: usize = 4096;

/// The fewest rows of a part that a thread is given: of fewer, there would be more to add up than to multiply.
const LEAST_ROWS: usize = 512;

/// How many rows and columns of a matrix are mirrored at once, in the first cache of a core.
const TILE: usize = 32;

/// XᵀX of `rows` in f32 or f64, shape `[n, d]` with n ≥ 1. Row by row, symmetric, length d².
///
/// # Errors
/// If the device cannot be read.
pub(crate) fn gram(rows: Tensor<2>) -> Result<Vec<f64>, TensorReadError> {
    let d = rows.dims()[1];
    if is_host(&rows.device()) {
        let rows = rows.try_into_data()?;
        return Ok(on_host(&rows, |rows| sum(&products_on_host(rows, d), d), |rows| sum(&products_on_host(rows, d), d)));
    }
    let products = products_on_device(rows).try_into_data()?;
    Ok(on_host(&products, |products| sum(&matrices(products, d), d), |products| sum(&matrices(products, d), d)))
}

/// The products of every part. Shape `[parts, d, d]`.
fn products_on_device(rows: Tensor<2>) -> Tensor<3> {
    let n = rows.dims()[0];
    let parts = rows.split(n.div_ceil(n.div_ceil(PART_ROWS)), 0);
    Tensor::stack(parts.into_iter().map(|part| part.clone().transpose().matmul(part)).collect(), 0)
}

fn matrices<T>(numbers: &[T], d: usize) -> Vec<&[T]> {
    numbers.chunks_exact(d * d).collect()
}

/// The products of every part, but for what lies above the diagonal: a general product of matrices computes both halves.
///
/// Each part is multiplied by one thread, as several that share a product wait for each other, unless there are fewer parts than threads:
/// the products of more of them would be more numbers than the rows.
fn products_on_host<T: ComplexField + Copy>(rows: &[T], d: usize) -> Vec<Vec<T>> {
    let n = rows.len() / d;
    let threads = rayon::current_num_threads();
    let fewest = n.div_ceil(PART_ROWS);
    let count = fewest.next_multiple_of(threads).min(n / LEAST_ROWS.max(d)).max(fewest);
    let par = Par::rayon((threads / count).max(1));
    let product = |part: &[T]| {
        let mut products = vec![T::zero_impl(); d * d];
        let below = MatMut::from_row_major_slice_mut(&mut products, d, d);
        let part = MatRef::from_row_major_slice(part, part.len() / d, d);
        let (lower, all) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
        matmul(below, lower, Accum::Replace, part.transpose(), all, part, all, T::one_impl(), par);
        products
    };
    rows.par_chunks(n.div_ceil(count) * d).map(product).collect()
}

/// The sum of symmetric matrices, of which what lies on and below the diagonals is read. All row by row.
fn sum<T: Copy + Into<f64> + Sync>(matrices: &[impl AsRef<[T]> + Sync], d: usize) -> Vec<f64> {
    let mut sum = vec![0.0; d * d];
    sum.par_chunks_exact_mut(d).enumerate().for_each(|(row, sums)| {
        for matrix in matrices {
            for (sum, entry) in sums[..=row].iter_mut().zip(&matrix.as_ref()[row * d..]) {
                *sum += (*entry).into();
            }
        }
    });
    mirror(&mut sum, d);
    sum
}

/// Writes what is below the diagonal above it.
fn mirror(matrix: &mut [f64], d: usize) {
    for (top, left) in (0..d).step_by(TILE).flat_map(|top| (0..=top).step_by(TILE).map(move |left| (top, left))) {
        for row in top..d.min(top + TILE) {
            for column in left..row.min(left + TILE) {
                matrix[column * d + row] = matrix[row * d + column];
            }
        }
    }
}
