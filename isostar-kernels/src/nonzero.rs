//! The nonzero rows of a matrix.
//!
//! # Upstream
//! No issue is filed for this case. <https://github.com/tracel-ai/burn/issues/4366> is open on
//! wrong results of fused kernels.

use burn::prelude::*;

/// Returns 1 for each nonzero row and 0 for each zero row, from the squares of their norms.
///
/// ```text
///   yᵢ = 1 if sᵢ > 0, else 0
/// ```
///
/// The result is piecewise constant, so no gradient flows through it.
///
/// Replaces `squares.equal_scalar(0).bool_not().float().transpose()`: fused on wgpu, a mask
/// converted to numbers and transposed lost its last elements. This function reshapes the signs of
/// the squares instead, on every backend.
///
/// # Shapes
/// - `squares`: `[n, 1]`, nonnegative
/// - output: `[1, n]`
pub fn nonzero_rows(squares: Tensor<2>) -> Tensor<2> {
    let [n, _] = squares.dims();
    squares.without_autodiff().sign().reshape([1, n])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_length_count_once_and_zero_rows_not_at_all() {
        let squares =
            Tensor::<2>::from_floats([[0.0], [1e-30], [2.5], [0.0], [1e30]], &Device::flex());
        let found: Vec<f32> = nonzero_rows(squares).into_data().try_into_vec().unwrap();
        assert_eq!(found, [0.0, 1.0, 1.0, 0.0, 1.0]);
    }
}
