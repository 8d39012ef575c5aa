//! Products of matrices that are parts of larger ones, on flex.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use gemm::Parallelism;

/// A matrix whose numbers are in a slice.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    numbers: &'a [f32],
    size: [usize; 2],
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// The matrix whose rows begin at every `stride`-th number.
    pub(crate) fn new(numbers: &'a [f32], size: [usize; 2], stride: usize) -> Self {
        assert!(
            extent(size, stride) <= numbers.len(),
            "the matrix is larger than its numbers"
        );
        Self {
            numbers,
            size,
            strides: [stride, 1],
        }
    }

    pub(crate) fn transposed(self) -> Self {
        let ([rows, columns], [down, right]) = (self.size, self.strides);
        Self {
            size: [columns, rows],
            strides: [right, down],
            ..self
        }
    }
}

/// A matrix to be written, row by row.
pub(crate) struct MatrixMut<'a> {
    start: *mut f32,
    size: [usize; 2],
    stride: usize,
    numbers: PhantomData<&'a mut [f32]>,
}

impl<'a> MatrixMut<'a> {
    /// As [`Matrix::new`].
    pub(crate) fn new(numbers: &'a mut [f32], size: [usize; 2], stride: usize) -> Self {
        assert!(
            extent(size, stride) <= numbers.len(),
            "the matrix is larger than its numbers"
        );
        Self {
            start: numbers.as_mut_ptr(),
            size,
            stride,
            numbers: PhantomData,
        }
    }

    /// As [`Matrix::new`], of numbers that are yet to be written; adding to them needs them written.
    pub(crate) fn unwritten(
        numbers: &'a mut [MaybeUninit<f32>],
        size: [usize; 2],
        stride: usize,
    ) -> Self {
        assert!(
            extent(size, stride) <= numbers.len(),
            "the matrix is larger than its numbers"
        );
        Self {
            start: numbers.as_mut_ptr().cast(),
            size,
            stride,
            numbers: PhantomData,
        }
    }
}

/// Numbers of which several threads write different parts.
pub(crate) struct Shared<'a> {
    start: *mut f32,
    count: usize,
    numbers: PhantomData<&'a mut [f32]>,
}

// SAFETY: the numbers are only reached through `part`, whose callers keep the parts apart.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(crate) fn new(numbers: &'a mut [f32]) -> Self {
        Self {
            start: numbers.as_mut_ptr(),
            count: numbers.len(),
            numbers: PhantomData,
        }
    }

    /// The matrix whose rows begin at every `stride`-th number from `at` on.
    ///
    /// # Safety
    /// No number of the matrix may be in another part that is alive.
    pub(crate) unsafe fn part(&self, at: usize, size: [usize; 2], stride: usize) -> MatrixMut<'_> {
        assert!(
            at + extent(size, stride) <= self.count,
            "the matrix is larger than its numbers"
        );
        // SAFETY: the matrix begins within the numbers.
        MatrixMut {
            start: unsafe { self.start.add(at) },
            size,
            stride,
            numbers: PhantomData,
        }
    }
}

/// The count of numbers from the first to the last of a matrix.
fn extent([rows, columns]: [usize; 2], stride: usize) -> usize {
    assert!(columns <= stride || rows <= 1, "rows overlap");
    if rows == 0 || columns == 0 {
        0
    } else {
        (rows - 1) * stride + columns
    }
}

/// Writes `scale` times the product of two matrices, or adds it to what is there.
///
/// `threads` is `Parallelism::None` for a product within one thread's work. Every number is a sum in
/// an order that depends only on the sizes, not on the count of threads.
pub(crate) fn product(
    into: MatrixMut,
    added: bool,
    [one, other]: [Matrix; 2],
    scale: f32,
    threads: Parallelism,
) {
    let [rows, columns] = into.size;
    let inner = one.size[1];
    assert_eq!(
        ([rows, inner], [inner, columns]),
        (one.size, other.size),
        "the sizes of a product"
    );
    let strides = |matrix: Matrix| matrix.strides.map(|stride| stride as isize);
    let ([one_down, one_right], [other_down, other_right]) = (strides(one), strides(other));
    // SAFETY: the constructors checked that the three matrices lie within their numbers.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            into.start,
            1,
            into.stride as isize,
            added,
            one.numbers.as_ptr(),
            one_right,
            one_down,
            other.numbers.as_ptr(),
            other_right,
            other_down,
            1.0,
            scale,
            false,
            false,
            false,
            threads,
        );
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
        let left = Matrix::new(&a, [2, 3], 4).transposed();
        let right = Matrix::new(&b[4..], [2, 2], 4);
        product(
            MatrixMut::new(&mut c[1..], [3, 2], 4),
            true,
            [left, right],
            1.0,
            Parallelism::None,
        );
        for row in 0..3 {
            for column in 0..2 {
                let expected: f32 = (0..2).map(|k| a[k * 4 + row] * b[4 + k * 4 + column]).sum();
                assert_eq!(c[row * 4 + 1 + column], 1.0 + expected);
            }
            assert_eq!([c[row * 4], c[row * 4 + 3]], [1.0, 1.0]);
        }
    }

    #[test]
    #[should_panic(expected = "the matrix is larger than its numbers")]
    fn a_factor_that_is_too_short_panics() {
        Matrix::new(&[0.0; 5], [2, 3], 3);
    }
}
