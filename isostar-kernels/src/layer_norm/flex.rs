//! The normalization on flex, alone and of a residual sum, with its backward pass.

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

    fn forward(&self, [rows, gamma, beta]: [FlexTensor; 3], _: [bool; 3]) -> (FlexTensor, Saved) {
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
