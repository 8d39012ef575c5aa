//! Layer normalization, alone and after a residual sum with dropout.
//!
//! # Upstream
//! No issue is filed: burn-autodiff 0.22.1 has no gradient of its own for layer normalization, and
//! records nine operations.

use burn::nn::Dropout;
use burn::prelude::*;

use crate::dropout::dropout;

/// Scale, shift and epsilon of a layer normalization.
#[derive(Clone, Debug)]
pub struct Normalization {
    /// Scale γ. Shape `[d]`.
    pub gamma: Tensor<1>,
    /// Shift β. Shape `[d]`.
    pub beta: Tensor<1>,
    /// ε, added to the variance.
    pub epsilon: f64,
}

/// Normalizes each row to mean 0 and variance 1, then scales and shifts it.
///
/// ```text
///   x̂ = (x − mean x) / √(var x + ε)        y = γ ∘ x̂ + β
///
///   g = γ ∘ dy        dx = (g − mean g − x̂ · mean(g ∘ x̂)) / √(var x + ε)
///   dγ = Σ dy ∘ x̂        dβ = Σ dy        over all rows
/// ```
///
/// The variance is the biased one. Replaces `burn::tensor::module::layer_norm`, which it calls if the
/// tensors are not on flex or not in f32. On flex, a pass over the rows in each direction, on all
/// threads; the sums over rows are taken in an order that does not depend on the count of threads.
///
/// # Shapes
/// - `input`, output: `[…, d]`
///
/// # References
/// Ba, Kiros & Hinton, "Layer Normalization" (2016).
pub fn layer_norm<const D: usize>(input: Tensor<D>, norm: Normalization) -> Tensor<D> {
    let Normalization {
        gamma,
        beta,
        epsilon,
    } = norm;
    #[cfg(feature = "flex")]
    if crate::flex::holds(&input) && crate::flex::holds(&gamma) && crate::flex::holds(&beta) {
        let inputs = [
            input.into_dispatch(),
            gamma.into_dispatch(),
            beta.into_dispatch(),
        ];
        return Tensor::from_dispatch(flex::layer_norm(inputs, epsilon as f32));
    }
    burn::tensor::module::layer_norm(input, gamma, Some(beta), epsilon)
}

/// Adds a branch, after dropout, to its residual, and normalizes the sum.
///
/// ```text
///   y = layer_norm(residual + dropout(branch))
/// ```
///
/// Its gradients are those of [`layer_norm`]; the branch's is multiplied by the mask of dropout.
/// Replaces [`dropout`], the sum and [`layer_norm`]. On flex, in f32, it is one pass over the rows in
/// each direction.
///
/// # Shapes
/// - `residual`, `branch`, output: `[…, d]`
pub fn residual_norm<const D: usize>(
    residual: Tensor<D>,
    branch: Tensor<D>,
    settings: &Dropout,
    norm: Normalization,
) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if [&residual, &branch].into_iter().all(crate::flex::holds)
        && [&norm.gamma, &norm.beta]
            .into_iter()
            .all(crate::flex::holds)
    {
        assert_eq!(
            residual.dims(),
            branch.dims(),
            "a branch has the shape of its residual"
        );
        let Normalization {
            gamma,
            beta,
            epsilon,
        } = norm;
        let row = branch.dims()[1..].iter().product();
        let stream = crate::stream::Stream::draw(settings, &branch.device(), row);
        let inputs = [
            residual.into_dispatch(),
            branch.into_dispatch(),
            gamma.into_dispatch(),
            beta.into_dispatch(),
        ];
        return Tensor::from_dispatch(flex::residual_norm(inputs, epsilon as f32, stream));
    }
    layer_norm(residual + dropout(settings, branch), norm)
}

#[cfg(feature = "flex")]
mod flex {
    use burn::backend::DispatchTensor;
    use burn::backend::flex::FlexTensor;
    use rayon::prelude::*;

    use crate::flex::{CHUNK, sums_of};
    use crate::stream::{GROUP, Stream};
    use crate::tape::{Operation, apply, changed, in_order, numbers, tensor, written_beside};
    use crate::wide::wide;

    /// Takes rows, scale and shift.
    pub(super) fn layer_norm(inputs: [DispatchTensor; 3], epsilon: f32) -> DispatchTensor {
        apply(Norm { epsilon }, inputs)
    }

    /// Takes residual, branch, scale and shift.
    pub(super) fn residual_norm(
        inputs: [DispatchTensor; 4],
        epsilon: f32,
        stream: Option<Stream>,
    ) -> DispatchTensor {
        apply(
            ResidualNorm {
                norm: Norm { epsilon },
                stream,
            },
            inputs,
        )
    }

    #[derive(Clone, Debug)]
    struct Norm {
        epsilon: f32,
    }

    #[derive(Clone, Debug)]
    struct ResidualNorm {
        norm: Norm,
        stream: Option<Stream>,
    }

    /// What the backward pass needs.
    #[derive(Clone, Debug)]
    struct Saved {
        /// The rows before the normalization.
        rows: FlexTensor,
        gamma: FlexTensor,
        /// Mean and inverse deviation of each row, chunk by chunk.
        statistics: Vec<Vec<f32>>,
    }

    impl Operation<3> for Norm {
        type Saved = Saved;

        fn forward(
            &self,
            [rows, gamma, beta]: [FlexTensor; 3],
            _: [bool; 3],
        ) -> (FlexTensor, Saved) {
            self.normalized(in_order(rows), gamma, beta)
        }

        fn backward(
            self,
            saved: Saved,
            gradient: FlexTensor,
            tracked: [bool; 3],
        ) -> [Option<FlexTensor>; 3] {
            let [rows, gamma, beta] = saved.gradients(gradient);
            [
                tracked[0].then_some(rows),
                tracked[1].then_some(gamma),
                tracked[2].then_some(beta),
            ]
        }
    }

    impl Operation<4> for ResidualNorm {
        type Saved = Saved;

        fn forward(
            &self,
            [residual, branch, gamma, beta]: [FlexTensor; 4],
            _: [bool; 4],
        ) -> (FlexTensor, Saved) {
            let residual = in_order(residual);
            let addends = numbers(&residual);
            let sums = changed(branch, CHUNK, |chunk, sums| {
                add(
                    sums,
                    &addends[chunk * CHUNK..],
                    self.stream.as_ref(),
                    chunk * CHUNK,
                );
            });
            self.norm.normalized(sums, gamma, beta)
        }

        fn backward(
            self,
            saved: Saved,
            gradient: FlexTensor,
            tracked: [bool; 4],
        ) -> [Option<FlexTensor>; 4] {
            let [rows, gamma, beta] = saved.gradients(gradient);
            let branch = tracked[1].then(|| match self.stream {
                Some(stream) => changed(rows.clone(), CHUNK, |chunk, numbers| {
                    mask(numbers, &stream, chunk * CHUNK)
                }),
                None => rows.clone(),
            });
            [
                tracked[0].then_some(rows),
                branch,
                tracked[2].then_some(gamma),
                tracked[3].then_some(beta),
            ]
        }
    }

    impl Norm {
        fn normalized(
            &self,
            rows: FlexTensor,
            gamma: FlexTensor,
            beta: FlexTensor,
        ) -> (FlexTensor, Saved) {
            let (gamma, beta) = (in_order(gamma), in_order(beta));
            let (from, d, shape) = (
                numbers(&rows),
                numbers(&gamma).len(),
                rows.layout().shape().clone(),
            );
            assert_eq!(
                (shape[shape.num_dims() - 1], d),
                (d, numbers(&beta).len()),
                "scale and shift have the width of a row"
            );
            let chunk = rows_at_once(d) * d;
            let (values, statistics) = written_beside(
                from.len(),
                chunk,
                from.par_chunks(chunk),
                |_, values, rows| {
                    let mut statistics = vec![0.0; 2 * rows.len() / d];
                    normalize(
                        values,
                        rows,
                        [numbers(&gamma), numbers(&beta)],
                        self.epsilon,
                        &mut statistics,
                    );
                    statistics
                },
            );
            (
                tensor(values, shape),
                Saved {
                    rows,
                    gamma,
                    statistics,
                },
            )
        }
    }

    impl Saved {
        /// The gradients of the rows, the scale and the shift.
        fn gradients(self, gradient: FlexTensor) -> [FlexTensor; 3] {
            let (gradient, gamma) = (in_order(gradient), numbers(&self.gamma));
            let (from, d) = (numbers(&self.rows), gamma.len());
            let chunk = rows_at_once(d) * d;
            let beside = from
                .par_chunks(chunk)
                .zip(numbers(&gradient).par_chunks(chunk))
                .zip(&self.statistics);
            let (values, parts) = written_beside(
                from.len(),
                chunk,
                beside,
                |_, values, ((rows, gradients), statistics)| {
                    let mut sums = vec![0.0; 2 * d];
                    differentiate(values, gradients, rows, gamma, statistics, &mut sums);
                    sums
                },
            );
            let mut sums = vec![0.0; 2 * d];
            for part in parts {
                for (sum, part) in sums.iter_mut().zip(part) {
                    *sum += part;
                }
            }
            let beta = sums.split_off(d);
            [
                tensor(values, self.rows.layout().shape().clone()),
                tensor(sums, [d]),
                tensor(beta, [d]),
            ]
        }
    }

    /// Rows that a thread processes at once.
    fn rows_at_once(d: usize) -> usize {
        (CHUNK / d.max(1)).max(1)
    }

    wide! {
        /// Multiplies numbers by the factors of dropout from `start` on, and adds others.
        fn add<'a>(sums: &'a mut [f32], addends: &'a [f32], stream: Option<&'a Stream>, start: usize) {
            let mut factors = [1.0; GROUP];
            for (group, (sums, addends)) in sums.chunks_mut(GROUP).zip(addends.chunks(GROUP)).enumerate() {
                if let Some(stream) = stream {
                    stream.fill(start + group * GROUP, &mut factors);
                }
                for ((sum, addend), factor) in sums.iter_mut().zip(addends).zip(&factors) {
                    *sum = *sum * factor + addend;
                }
            }
        }
    }

    wide! {
        /// Multiplies numbers by the factors of dropout from `start` on.
        fn mask<'a>(values: &'a mut [f32], stream: &'a Stream, start: usize) {
            stream.multiply(start, values);
        }
    }

    wide! {
        /// Writes normalized rows, and the mean and the inverse deviation of each.
        fn normalize<'a>(
            values: &'a mut [f32],
            rows: &'a [f32],
            parameters: [&'a [f32]; 2],
            epsilon: f32,
            statistics: &'a mut [f32],
        ) {
            let [gamma, beta] = parameters;
            let d = gamma.len();
            let rows = values.chunks_exact_mut(d).zip(rows.chunks_exact(d));
            for ((values, row), statistics) in rows.zip(statistics.chunks_exact_mut(2)) {
                let mean = sums_of([row], |[x]| [x])[0] / d as f32;
                let variance = sums_of([row], |[x]| [(x - mean) * (x - mean)])[0] / d as f32;
                let inverse = 1.0 / (variance + epsilon).sqrt();
                for (((value, x), gamma), beta) in values.iter_mut().zip(row).zip(gamma).zip(beta) {
                    *value = (x - mean) * inverse * gamma + beta;
                }
                statistics.copy_from_slice(&[mean, inverse]);
            }
        }
    }

    wide! {
        /// Writes the gradients of rows, and adds those of scale and shift to `sums`.
        fn differentiate<'a>(
            values: &'a mut [f32],
            gradients: &'a [f32],
            rows: &'a [f32],
            gamma: &'a [f32],
            statistics: &'a [f32],
            sums: &'a mut [f32],
        ) {
            let d = gamma.len();
            let (scales, shifts) = sums.split_at_mut(d);
            let rows = values.chunks_exact_mut(d).zip(rows.chunks_exact(d)).zip(gradients.chunks_exact(d));
            for (((values, row), gradients), statistics) in rows.zip(statistics.chunks_exact(2)) {
                let (mean, inverse) = (statistics[0], statistics[1]);
                for ((((value, x), gradient), scale), shift) in
                    values.iter_mut().zip(row).zip(gradients).zip(scales.iter_mut()).zip(shifts.iter_mut())
                {
                    *value = (x - mean) * inverse;
                    *scale += gradient * *value;
                    *shift += gradient;
                }
                let sums = sums_of([values, gradients, gamma], |[x, gradient, gamma]| [gradient * gamma, gradient * gamma * x]);
                let [slope, along] = sums.map(|sum| sum / d as f32);
                for ((value, gradient), gamma) in values.iter_mut().zip(gradients).zip(gamma) {
                    *value = inverse * (gradient * gamma - slope - *value * along);
                }
            }
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::nn::DropoutConfig;
    use burn::tensor::Distribution;

    use super::*;
    use crate::oracle::assert_fused;
    use crate::stream::Stream;

    const SIZES: [[usize; 3]; 5] = [[2, 3, 8], [1, 1, 5], [3, 7, 33], [1, 200, 384], [2, 1, 1]];

    fn normalization(inputs: &[Tensor<1>]) -> Normalization {
        Normalization {
            gamma: inputs[0].clone(),
            beta: inputs[1].clone(),
            epsilon: 1e-3,
        }
    }

    #[test]
    fn values_and_gradients_are_those_of_the_composition() {
        for shape in SIZES {
            assert_fused(&[&shape, &shape[2..], &shape[2..]], |inputs| {
                layer_norm(
                    inputs[0].clone().reshape(shape),
                    normalization(&inputs[1..]),
                )
                .reshape([-1])
            });
        }
    }

    #[test]
    fn the_residual_sum_and_its_gradients_are_those_of_the_composition() {
        let none = DropoutConfig::new(0.0).init();
        for shape in SIZES {
            assert_fused(&[&shape, &shape, &shape[2..], &shape[2..]], |inputs| {
                let [residual, branch] = [0, 1].map(|at| inputs[at].clone().reshape(shape));
                residual_norm(residual, branch, &none, normalization(&inputs[2..])).reshape([-1])
            });
        }
    }

    /// With dropout, values and gradients are those of the composition with the same factors.
    #[test]
    fn dropout_acts_on_the_branch_in_both_directions() {
        let shape = [3, 40, 173];
        let stream = Stream::new(0.7, 3);
        let mut factors = vec![0.0; shape.iter().product()];
        stream.fill(0, &mut factors);
        let factors = TensorData::new(factors, shape);
        assert_fused(&[&shape, &shape, &shape[2..], &shape[2..]], |inputs| {
            let [residual, branch] = [0, 1].map(|at| inputs[at].clone().reshape(shape));
            let norm = normalization(&inputs[2..]);
            if crate::flex::holds(&inputs[0]) {
                let [gamma, beta] = [norm.gamma, norm.beta].map(Tensor::into_dispatch);
                let inputs = [
                    residual.into_dispatch(),
                    branch.into_dispatch(),
                    gamma,
                    beta,
                ];
                let normalized = flex::residual_norm(inputs, norm.epsilon as f32, Some(stream));
                return Tensor::<3>::from_dispatch(normalized).reshape([-1]);
            }
            let factors = Tensor::from_data(
                factors.clone(),
                (&branch.device().without_autodiff(), branch.dtype()),
            );
            layer_norm(residual + branch * factors, norm).reshape([-1])
        });
    }

    #[test]
    fn a_branch_that_is_held_elsewhere_keeps_its_numbers() {
        let device = Device::flex();
        let [residual, branch] =
            [(); 2].map(|()| Tensor::<2>::random([3, 4], Distribution::Default, &device));
        let before = branch.clone().into_data();
        let norm = Normalization {
            gamma: Tensor::ones([4], &device),
            beta: Tensor::zeros([4], &device),
            epsilon: 1e-5,
        };
        residual_norm(
            residual,
            branch.clone(),
            &DropoutConfig::new(0.0).init(),
            norm,
        );
        assert_eq!(branch.into_data(), before);
    }

    #[test]
    fn rows_without_variance_are_the_shift_and_strided_rows_are_put_in_order() {
        let device = Device::flex();
        let norm = || Normalization {
            gamma: Tensor::from_floats([1.0, 2.0, 3.0, 4.0], &device),
            beta: Tensor::from_floats([5.0, 6.0, 7.0, 8.0], &device),
            epsilon: 1e-12,
        };
        let constant = layer_norm(Tensor::<2>::full([2, 4], 0.7, &device), norm());
        let expected = Tensor::<2>::from_floats([[5.0, 6.0, 7.0, 8.0]; 2], &device);
        assert!((constant - expected).abs().max().into_scalar::<f32>() < 0.3);
        let strided = Tensor::<2>::random([4, 6], Distribution::Default, &device).transpose();
        let ordered = Tensor::<2>::from_data(strided.clone().into_data(), &device);
        assert_eq!(
            layer_norm(strided, norm()).into_data(),
            layer_norm(ordered, norm()).into_data()
        );
    }
}
