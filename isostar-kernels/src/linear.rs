//! The product of a linear layer, with its bias.
//!
//! # Upstream
//! No issue is filed. burn-flex 0.22.1 writes zeros into the output of a product, copies them because
//! its bytes are not aligned, multiplies, and adds the bias in a pass of its own, all but the product
//! on one thread. The sum of the bias' gradient is on one thread, too.

use burn::prelude::*;

/// Applies a linear layer to each row.
///
/// ```text
///   Y = X W + 1 bᵀ        dX = dY Wᵀ        dW = Xᵀ dY        db = dYᵀ 1
/// ```
///
/// Replaces a product and a sum. On flex, in f32, the product is added to rows that hold the bias, in
/// parts that all threads share.
///
/// # Shapes
/// - `rows`: `[n, k]`
/// - `weight`: `[k, m]`
/// - `bias`: `[m]`
/// - output: `[n, m]`
///
/// # Panics
/// If a shape differs from those above.
pub fn linear(rows: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let ([_, k], [inner, m]) = (rows.dims(), weight.dims());
    assert_eq!(k, inner, "linear: rows of width {k} and a weight of {inner} rows");
    if let Some(bias) = &bias {
        assert_eq!(bias.dims(), [m], "linear: a bias as wide as the output");
    }
    #[cfg(feature = "flex")]
    if !crate::composed::is_composed()
        && crate::flex::holds(&rows)
        && crate::flex::holds(&weight)
        && bias.as_ref().is_none_or(crate::flex::holds)
    {
        return match bias {
            Some(bias) => crate::tape::apply(flex::Linear, [rows.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()]),
            None => crate::tape::apply(flex::Linear, [rows.into_dispatch(), weight.into_dispatch()]),
        };
    }
    let product = rows.matmul(weight);
    match bias {
        Some(bias) => product + bias.unsqueeze(),
        None => product,
    }
}

#[cfg(feature = "flex")]
mod flex {
    use std::mem::MaybeUninit;

    use burn::backend::flex::FlexTensor;
    use gemm::Parallelism;
    use rayon::prelude::*;

    use crate::product::{Matrix, MatrixMut, product};
    use crate::tape::{Operation, in_order, numbers, tensor};

    /// Largest number of rows of a part of a product. Each part packs the other factor again.
    const PART: usize = 256;

    /// Multiplications of a product that one thread computes; as in burn-flex.
    const ONE_THREAD: usize = 192 * 192 * 192;

    #[derive(Clone, Debug)]
    pub(super) struct Linear;

    impl<const N: usize> Operation<N> for Linear {
        /// Rows and weight, where the backward pass needs them.
        type Saved = [Option<FlexTensor>; 2];

        fn forward(&self, inputs: [FlexTensor; N], tracked: [bool; N]) -> (FlexTensor, Self::Saved) {
            let inputs = inputs.map(in_order);
            let ([n, k], [_, m]) = (size(&inputs[0]), size(&inputs[1]));
            let [x, w] = [0, 1].map(|at| numbers(&inputs[at]));
            let bias = inputs.get(2).map(numbers);
            let output = in_parts([n, m], k, |first, rows, part, threads| {
                if let Some(bias) = bias {
                    part.chunks_exact_mut(m).for_each(|row| _ = row.write_copy_of_slice(bias));
                }
                let factors = [Matrix::new(&x[first * k..], [rows, k], k), Matrix::new(w, [k, m], m)];
                product(MatrixMut::unwritten(part, [rows, m], m), bias.is_some(), factors, 1.0, threads);
            });
            let saved = [tracked[1].then(|| inputs[0].clone()), tracked[0].then(|| inputs[1].clone())];
            (tensor(output, [n, m]), saved)
        }

        fn backward(self, [rows, weight]: Self::Saved, gradient: FlexTensor, tracked: [bool; N]) -> [Option<FlexTensor>; N] {
            let gradient = in_order(gradient);
            let [n, m] = size(&gradient);
            let dy = numbers(&gradient);
            let mut found = [const { None }; N];
            found[0] = weight.filter(|_| tracked[0]).map(|weight| {
                let [k, _] = size(&weight);
                let dx = in_parts([n, k], m, |first, rows, part, threads| {
                    let transposed = Matrix::new(numbers(&weight), [k, m], m).transposed();
                    let factors = [Matrix::new(&dy[first * m..], [rows, m], m), transposed];
                    product(MatrixMut::unwritten(part, [rows, k], k), false, factors, 1.0, threads);
                });
                tensor(dx, [n, k])
            });
            found[1] = rows.filter(|_| tracked[1]).map(|x| {
                let [_, k] = size(&x);
                let dw = in_parts([k, m], n, |first, rows, part, threads| {
                    let columns = Matrix::new(&numbers(&x)[first.min(n * k)..], [n, rows], k).transposed();
                    let factors = [columns, Matrix::new(dy, [n, m], m)];
                    product(MatrixMut::unwritten(part, [rows, m], m), false, factors, 1.0, threads);
                });
                tensor(dw, [k, m])
            });
            if tracked.get(2) == Some(&true) {
                found[2] = Some(tensor(column_sums(dy, m), [m]));
            }
            found
        }
    }

    fn size(tensor: &FlexTensor) -> [usize; 2] {
        tensor.layout().shape().dims()
    }

    /// Returns the numbers of a product of shape `[rows, columns]` and sums of `inner` terms, which
    /// `work` writes: it takes the first row of a part, the count of its rows, its numbers and the
    /// threads that it may use.
    ///
    /// Parts depend on the sizes alone, not on the count of threads; their count is a multiple of
    /// four, or two, so that a few threads have equal work.
    fn in_parts(
        [rows, columns]: [usize; 2],
        inner: usize,
        work: impl Fn(usize, usize, &mut [MaybeUninit<f32>], Parallelism) + Sync,
    ) -> Vec<f32> {
        let count = rows * columns;
        let mut values = Vec::with_capacity(count);
        let numbers = &mut values.spare_capacity_mut()[..count];
        let parts = match rows {
            ..=128 => 1,
            ..=PART => 2,
            _ => rows.div_ceil(PART).next_multiple_of(4),
        };
        if count > 0 && count * inner <= ONE_THREAD {
            work(0, rows, numbers, Parallelism::None);
        } else if count > 0 && parts < rayon::current_num_threads() {
            work(0, rows, numbers, Parallelism::Rayon(0));
        } else if count > 0 {
            let part = rows.div_ceil(parts);
            numbers.par_chunks_mut(part * columns).enumerate().with_max_len(1).for_each(|(index, numbers)| {
                work(index * part, numbers.len() / columns, numbers, Parallelism::None);
            });
        }
        // SAFETY: the parts cover the numbers, and a product writes every number of its output.
        unsafe { values.set_len(count) };
        values
    }

    /// The sum of the rows of a matrix with `columns` columns: of [`PART`] rows each, then of those
    /// sums.
    fn column_sums(matrix: &[f32], columns: usize) -> Vec<f32> {
        let mut sum = vec![0.0; columns];
        let add = |sum: &mut [f32], row: &[f32]| sum.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
        let parts = matrix.par_chunks((PART * columns).max(1)).map(|part| {
            let mut sum = vec![0.0; columns];
            part.chunks_exact(columns).for_each(|row| add(&mut sum, row));
            sum
        });
        parts.collect::<Vec<_>>().iter().for_each(|part| add(&mut sum, part));
        sum
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::oracle::assert_fused;

    fn layer(n: usize, k: usize, m: usize) -> impl Fn(Vec<Tensor<1>>) -> Tensor<1> {
        move |inputs| {
            let [rows, weight, bias]: [Tensor<1>; 3] = inputs.try_into().unwrap();
            linear(rows.reshape([n, k]), weight.reshape([k, m]), Some(bias)).reshape([n * m])
        }
    }

    #[test]
    fn values_and_gradients_are_those_of_the_product_and_the_sum() {
        // One thread's product, one part of several threads, two parts, and parts of unequal size.
        for [n, k, m] in [[1, 1, 1], [3, 5, 7], [100, 300, 300], [200, 260, 150], [611, 130, 99]] {
            assert_fused(&[&[n, k], &[k, m], &[m]], layer(n, k, m));
        }
    }

    #[test]
    fn a_layer_without_bias_is_the_product() {
        for [n, k, m] in [[2, 3, 1], [300, 140, 170]] {
            assert_fused(&[&[n, k], &[k, m]], |inputs| {
                let [rows, weight]: [Tensor<1>; 2] = inputs.try_into().unwrap();
                linear(rows.reshape([n, k]), weight.reshape([k, m]), None).reshape([n * m])
            });
        }
    }

    #[test]
    fn strided_factors_are_put_in_order() {
        assert_fused(&[&[4, 3], &[5, 4], &[5]], |inputs| {
            let [rows, weight, bias]: [Tensor<1>; 3] = inputs.try_into().unwrap();
            linear(rows.reshape([4, 3]).transpose(), weight.reshape([5, 4]).transpose(), Some(bias)).reshape([15])
        });
    }

    #[test]
    fn no_rows_give_no_rows() {
        let device = Device::flex();
        let found = linear(Tensor::zeros([0, 3], &device), Tensor::zeros([3, 2], &device), Some(Tensor::zeros([2], &device)));
        assert_eq!(found.dims(), [0, 2]);
    }

    #[test]
    #[should_panic(expected = "a bias as wide as the output")]
    fn a_bias_of_another_width_panics() {
        let device = Device::flex();
        linear(Tensor::zeros([1, 3], &device), Tensor::zeros([3, 2], &device), Some(Tensor::zeros([3], &device)));
    }
}
