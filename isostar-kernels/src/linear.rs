//! The product of a linear layer, with its bias.
//!
//! # Upstream
//! No issue is filed. burn-flex 0.22.1 writes zeros into the output of a product, copies them because
//! its bytes are not aligned, multiplies, and adds the bias in a pass of its own, all but the product
//! on one thread. The sum of the bias' gradient is on one thread, too.

use burn::prelude::*;

use crate::precision::product;

/// Applies a linear layer to each row.
///
/// ```text
///   Y = X W + 1 bᵀ        dX = dY Wᵀ        dW = Xᵀ dY        db = dYᵀ 1
/// ```
///
/// The product is in the current [`Precision`](crate::Precision). Replaces a product and a sum. On flex, in f32, the product is added to rows that hold the bias.
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
    assert_eq!(
        k, inner,
        "linear: rows of width {k} and a weight of {inner} rows"
    );
    if let Some(bias) = &bias {
        assert_eq!(bias.dims(), [m], "linear: a bias as wide as the output");
    }
    #[cfg(feature = "flex")]
    if crate::precision::is_single()
        && !crate::composed::is_composed()
        && crate::flex::holds(&rows)
        && crate::flex::holds(&weight)
        && bias.as_ref().is_none_or(crate::flex::holds)
    {
        let [rows, weight] = [rows, weight].map(Tensor::into_dispatch);
        return Tensor::from_dispatch(match bias {
            Some(bias) => flex::apply([rows, weight, bias.into_dispatch()]),
            None => flex::apply([rows, weight]),
        });
    }
    let product = product(rows, weight);
    match bias {
        Some(bias) => product + bias.unsqueeze(),
        None => product,
    }
}

#[cfg(feature = "flex")]
mod flex {
    use burn::backend::DispatchTensor;
    use burn::backend::flex::FlexTensor;
    use gemm::Parallelism;
    use rayon::prelude::*;

    use crate::product::{Matrix, MatrixMut, product};
    use crate::tape::{Operation, in_order, numbers, tensor};

    /// Rows that a thread fills or sums at once.
    const ROWS: usize = 64;

    /// Multiplications of a product that one thread computes; as in burn-flex.
    const ONE_THREAD: usize = 192 * 192 * 192;

    /// Parts of a product for each thread. A thread that is done takes a part that is left, so that a
    /// busy core does not hold the others up.
    const PARTS: usize = 4;

    /// Takes rows, weight and, if there is one, bias.
    pub(super) fn apply<const N: usize>(inputs: [DispatchTensor; N]) -> DispatchTensor {
        crate::tape::apply(Linear, inputs)
    }

    #[derive(Clone, Debug)]
    struct Linear;

    impl<const N: usize> Operation<N> for Linear {
        /// Rows and weight, where the backward pass needs them.
        type Saved = [Option<FlexTensor>; 2];

        fn forward(
            &self,
            inputs: [FlexTensor; N],
            tracked: [bool; N],
        ) -> (FlexTensor, Self::Saved) {
            let inputs = inputs.map(in_order);
            let ([n, k], [_, m]) = (size(&inputs[0]), size(&inputs[1]));
            let factors = [
                Matrix::new(numbers(&inputs[0]), [n, k], k),
                Matrix::new(numbers(&inputs[1]), [k, m], m),
            ];
            let output = match inputs.get(2).map(numbers) {
                Some(bias) => added(repeated(bias, n), factors, [n, m], k),
                None => written(factors, [n, m], k),
            };
            let saved = [
                tracked[1].then(|| inputs[0].clone()),
                tracked[0].then(|| inputs[1].clone()),
            ];
            (tensor(output, [n, m]), saved)
        }

        fn backward(
            self,
            [rows, weight]: Self::Saved,
            gradient: FlexTensor,
            tracked: [bool; N],
        ) -> [Option<FlexTensor>; N] {
            let gradient = in_order(gradient);
            let [n, m] = size(&gradient);
            let dy = Matrix::new(numbers(&gradient), [n, m], m);
            let mut found = [const { None }; N];
            found[0] = weight.filter(|_| tracked[0]).map(|weight| {
                let [k, _] = size(&weight);
                let weight = Matrix::new(numbers(&weight), [k, m], m);
                tensor(written([dy, weight.transposed()], [n, k], m), [n, k])
            });
            found[1] = rows.filter(|_| tracked[1]).map(|rows| {
                let [_, k] = size(&rows);
                let rows = Matrix::new(numbers(&rows), [n, k], k);
                tensor(written([rows.transposed(), dy], [k, m], n), [k, m])
            });
            if tracked.get(2) == Some(&true) {
                found[2] = Some(tensor(column_sums(numbers(&gradient), m), [m]));
            }
            found
        }
    }

    fn size(tensor: &FlexTensor) -> [usize; 2] {
        tensor.layout().shape().dims()
    }

    /// The product of two factors; `inner` is the number of terms of each sum.
    fn written(factors: [Matrix; 2], [rows, columns]: [usize; 2], inner: usize) -> Vec<f32> {
        let count = rows * columns;
        let mut values = Vec::with_capacity(count);
        let output = MatrixMut::unwritten(
            &mut values.spare_capacity_mut()[..count],
            [rows, columns],
            columns,
        );
        product(output, false, factors, 1.0, threads(count * inner));
        // SAFETY: the product wrote every number.
        unsafe { values.set_len(count) };
        values
    }

    /// The sum of `values` and the product of two factors.
    fn added(
        mut values: Vec<f32>,
        factors: [Matrix; 2],
        [rows, columns]: [usize; 2],
        inner: usize,
    ) -> Vec<f32> {
        let multiplications = values.len() * inner;
        product(
            MatrixMut::new(&mut values, [rows, columns], columns),
            true,
            factors,
            1.0,
            threads(multiplications),
        );
        values
    }

    /// Products of these sizes sum in the same order with any number of parts.
    fn threads(multiplications: usize) -> Parallelism {
        if multiplications <= ONE_THREAD {
            Parallelism::None
        } else {
            Parallelism::Rayon(PARTS * rayon::current_num_threads())
        }
    }

    /// `row`, `count` times.
    fn repeated(row: &[f32], count: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(count * row.len());
        let rows = values.spare_capacity_mut()[..count * row.len()]
            .par_chunks_mut((ROWS * row.len()).max(1));
        rows.for_each(|rows| {
            rows.chunks_exact_mut(row.len())
                .for_each(|numbers| _ = numbers.write_copy_of_slice(row))
        });
        // SAFETY: every row was written.
        unsafe { values.set_len(count * row.len()) };
        values
    }

    /// The sum of the rows of a matrix with `columns` columns: of [`ROWS`] rows each, then of those
    /// sums.
    fn column_sums(matrix: &[f32], columns: usize) -> Vec<f32> {
        let mut sum = vec![0.0; columns];
        let add = |sum: &mut [f32], row: &[f32]| {
            sum.iter_mut()
                .zip(row)
                .for_each(|(sum, number)| *sum += number)
        };
        let parts = matrix.par_chunks((ROWS * columns).max(1)).map(|part| {
            let mut sum = vec![0.0; columns];
            part.chunks_exact(columns)
                .for_each(|row| add(&mut sum, row));
            sum
        });
        parts
            .collect::<Vec<_>>()
            .iter()
            .for_each(|part| add(&mut sum, part));
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
        // Products of one thread and of several; sums of one block of the factors and of several.
        for [n, k, m] in [
            [1, 1, 1],
            [3, 5, 7],
            [100, 300, 300],
            [70, 1_030, 150],
            [611, 130, 99],
        ] {
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
            linear(
                rows.reshape([4, 3]).transpose(),
                weight.reshape([5, 4]).transpose(),
                Some(bias),
            )
            .reshape([15])
        });
    }

    #[test]
    fn no_rows_give_no_rows() {
        let device = Device::flex();
        let found = linear(
            Tensor::zeros([0, 3], &device),
            Tensor::zeros([3, 2], &device),
            Some(Tensor::zeros([2], &device)),
        );
        assert_eq!(found.dims(), [0, 2]);
    }

    #[test]
    #[should_panic(expected = "a bias as wide as the output")]
    fn a_bias_of_another_width_panics() {
        let device = Device::flex();
        linear(
            Tensor::zeros([1, 3], &device),
            Tensor::zeros([3, 2], &device),
            Some(Tensor::zeros([3], &device)),
        );
    }
}
