//! The product XᵀX of many rows.
//!
//! # Upstream
//! No issue is filed with Burn for a product of which only one half is computed. faer has one
//! (<https://github.com/sarah-quinones/faer-rs/issues/29>).

use burn::prelude::*;
use burn::tensor::TensorReadError;
use rayon::prelude::*;

use crate::exact::exact_product;
use crate::host::on_host;

/// Maximum number of rows per part. Products within a part are summed in the points' precision,
/// those of all parts in f64.
const PART_ROWS: usize = 4096;

/// Rows and columns mirrored at once; they fit the L1 cache of a core.
const TILE: usize = 32;

/// Computes XᵀX on the host, of rows in f32 or f64.
///
/// ```text
///   G = Σᵢ xᵢxᵢᵀ
/// ```
///
/// Not differentiable. The result is row by row, symmetric, of length d². Above a few thousand
/// rows, it is an f64 sum over parts.
///
/// Replaces `rows.transpose().matmul(rows)`, which computes both halves of a symmetric matrix. On
/// flex with the feature `faer`, only the lower half is computed, on all threads; elsewhere, it
/// computes the [`exact_product`] of each part with its transpose.
///
/// # Shapes
/// - `rows`: `[n, d]` with n ≥ 1
///
/// # Errors
/// If the device cannot be read.
pub fn gram(rows: Tensor<2>) -> Result<Vec<f64>, TensorReadError> {
    let d = rows.dims()[1];
    #[cfg(all(feature = "flex", feature = "faer"))]
    if crate::host::is_flex(&rows.device()) && !crate::exact::rounds_factors(&rows.device()) {
        use triangular::products;
        let rows = rows.try_into_data()?;
        return Ok(on_host(
            &rows,
            |rows| sum(&products(rows, d), d),
            |rows| sum(&products(rows, d), d),
        ));
    }
    let products = products_on_device(rows).try_into_data()?;
    Ok(on_host(
        &products,
        |products| sum(&matrices(products, d), d),
        |products| sum(&matrices(products, d), d),
    ))
}

/// The product of each part. Shape `[parts, d, d]`.
fn products_on_device(rows: Tensor<2>) -> Tensor<3> {
    let n = rows.dims()[0];
    let parts = rows.split(n.div_ceil(n.div_ceil(PART_ROWS)), 0);
    Tensor::stack(
        parts
            .into_iter()
            .map(|part| exact_product(part.clone().transpose(), part))
            .collect(),
        0,
    )
}

fn matrices<T>(numbers: &[T], d: usize) -> Vec<&[T]> {
    numbers.chunks_exact(d * d).collect()
}

/// Products of which only one half is computed.
#[cfg(all(feature = "flex", feature = "faer"))]
mod triangular {
    use faer::linalg::matmul::triangular::{BlockStructure, matmul};
    use faer::traits::ComplexField;
    use faer::{Accum, MatMut, MatRef, Par};
    use rayon::prelude::*;

    use super::PART_ROWS;

    /// Minimum number of rows per part: with fewer, adding the parts up would cost more than the
    /// products.
    const LEAST_ROWS: usize = 512;

    /// The product of each part, zero above the diagonal.
    ///
    /// Each part is multiplied by one thread, because threads that share a product wait for each
    /// other. Several threads share a part only if there are fewer parts than threads: more parts
    /// would give products with more numbers than the rows.
    pub(super) fn products<T: ComplexField + Copy>(rows: &[T], d: usize) -> Vec<Vec<T>> {
        let n = rows.len() / d;
        let threads = rayon::current_num_threads();
        let fewest = n.div_ceil(PART_ROWS);
        let count = fewest
            .next_multiple_of(threads)
            .min(n / LEAST_ROWS.max(d))
            .max(fewest);
        let par = Par::rayon((threads / count).max(1));
        let product = |part: &[T]| {
            let mut products = vec![T::zero_impl(); d * d];
            let below = MatMut::from_row_major_slice_mut(&mut products, d, d);
            let part = MatRef::from_row_major_slice(part, part.len() / d, d);
            let (lower, all) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
            matmul(
                below,
                lower,
                Accum::Replace,
                part.transpose(),
                all,
                part,
                all,
                T::one_impl(),
                par,
            );
            products
        };
        rows.par_chunks(n.div_ceil(count) * d)
            .map(product)
            .collect()
    }
}

/// The sum of symmetric matrices, reading their lower triangles. All matrices are row by row.
fn sum<T: Copy + Into<f64> + Sync>(matrices: &[impl AsRef<[T]> + Sync], d: usize) -> Vec<f64> {
    let mut sum = vec![0.0; d * d];
    sum.par_chunks_exact_mut(d)
        .enumerate()
        .for_each(|(row, sums)| {
            for matrix in matrices {
                for (sum, entry) in sums[..=row].iter_mut().zip(&matrix.as_ref()[row * d..]) {
                    *sum += (*entry).into();
                }
            }
        });
    mirror(&mut sum, d);
    sum
}

/// Copies the lower triangle to the upper one.
fn mirror(matrix: &mut [f64], d: usize) {
    for (top, left) in (0..d)
        .step_by(TILE)
        .flat_map(|top| (0..=top).step_by(TILE).map(move |left| (top, left)))
    {
        for row in top..d.min(top + TILE) {
            for column in left..row.min(left + TILE) {
                matrix[column * d + row] = matrix[row * d + column];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_product_of_all_rows() {
        // Integers, whose sums f32 represents exactly; enough rows for three parts.
        let (n, d) = (2 * PART_ROWS + 77, 40);
        let entry = |row: usize, column: usize| ((row * 7 + column * 5) % 11) as f32 - 5.0;
        let values: Vec<f32> = (0..n * d).map(|at| entry(at / d, at % d)).collect();
        let product = |at: usize| {
            (0..n)
                .map(|row| f64::from(entry(row, at / d) * entry(row, at % d)))
                .sum()
        };
        let expected: Vec<f64> = (0..d * d).map(product).collect();
        #[allow(
            deprecated,
            reason = "flex computes one half of the product, ndarray both"
        )]
        let devices = [Device::flex(), Device::ndarray()];
        for device in devices {
            let rows = Tensor::<2>::from_data(TensorData::new(values.clone(), [n, d]), &device);
            assert_eq!(gram(rows).unwrap(), expected);
        }
    }
}
