//! Products of parts of matrices, by the crate that burn-flex uses for its own.

use gemm::{Parallelism, gemm};

/// A matrix, or a part of one: entry (i, j) is number `i·strides[0] + j·strides[1]`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) shape: [usize; 2],
    pub(crate) strides: [usize; 2],
}

impl Matrix<'_> {
    fn holds_its_entries(&self) -> bool {
        let [rows, columns] = self.shape;
        rows == 0 || columns == 0 || (rows - 1) * self.strides[0] + (columns - 1) * self.strides[1] < self.numbers.len()
    }
}

/// Adds A·B to C, whose rows start `stride` numbers apart, on the calling thread.
///
/// # Panics
/// If the shapes do not match, or if a matrix lacks entries.
pub(crate) fn multiply(c: &mut [f32], stride: usize, a: Matrix, b: Matrix) {
    let ([m, k], [rows, n]) = (a.shape, b.shape);
    assert_eq!(k, rows, "multiply: a product of {m}×{k} and {rows}×{n}");
    assert!(a.holds_its_entries() && b.holds_its_entries(), "multiply: a factor lacks entries");
    assert!(m == 0 || n == 0 || (n <= stride && (m - 1) * stride + n <= c.len()), "multiply: the sum lacks entries");
    let [stride, a_rows, a_columns, b_rows, b_columns] =
        [stride, a.strides[0], a.strides[1], b.strides[0], b.strides[1]].map(|stride| stride as isize);
    let (c, a, b) = (c.as_mut_ptr(), a.numbers.as_ptr(), b.numbers.as_ptr());
    // SAFETY: the assertions above hold every index of the three matrices within its slice, and C is
    // borrowed mutably, so it overlaps neither factor; its rows do not overlap.
    unsafe {
        gemm(m, n, k, c, 1, stride, true, a, a_columns, a_rows, b, b_columns, b_rows, 1.0, 1.0, false, false, false, Parallelism::None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_of_parts_is_added() {
        // C is the middle two columns of three rows; A is transposed, B starts in the second row.
        let a: Vec<f32> = (0..8).map(|at| at as f32).collect();
        let b: Vec<f32> = (0..12).map(|at| (at * at) as f32).collect();
        let mut c = [1.0; 12];
        let left = Matrix { numbers: &a, shape: [3, 2], strides: [1, 4] };
        let right = Matrix { numbers: &b[4..], shape: [2, 2], strides: [4, 1] };
        multiply(&mut c[1..], 4, left, right);
        for row in 0..3 {
            for column in 0..2 {
                let expected: f32 = (0..2).map(|k| a[k * 4 + row] * b[4 + k * 4 + column]).sum();
                assert_eq!(c[row * 4 + 1 + column], 1.0 + expected);
            }
            assert_eq!([c[row * 4], c[row * 4 + 3]], [1.0, 1.0]);
        }
    }

    #[test]
    #[should_panic(expected = "a factor lacks entries")]
    fn a_factor_that_is_too_short_panics() {
        let numbers = [0.0; 5];
        let square = Matrix { numbers: &numbers, shape: [2, 3], strides: [3, 1] };
        multiply(&mut [0.0; 9], 3, Matrix { shape: [3, 2], strides: [1, 3], ..square }, square);
    }
}
