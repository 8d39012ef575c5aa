//! Moments on flex: one operation per set adds its products to those of the sets before.

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use burn::prelude::*;

use super::sums::{Rows, add_products, gradient_of_matrix, gradient_of_points, mirrored};
use crate::tape::{Operation, apply, in_order, numbers, tensor};

/// See [`moments`](super::moments).
///
/// P and s are one tensor, `[d + 1, d]`: P, of which the lower half is computed, with s as its last
/// row. Every set adds to it in place, so the tape keeps nothing of it.
pub(super) fn fused(
    sets: Vec<Tensor<2>>,
    mask: Option<Tensor<1, Bool>>,
) -> (Tensor<1>, Tensor<1>, Tensor<2>) {
    let plain = sets[0].device().without_autodiff();
    let [rows, d] = sets[0].dims();
    let kept: Option<Arc<[usize]>> = mask.map(|mask| {
        let mask = mask.into_data();
        mask.iter::<bool>()
            .enumerate()
            .filter_map(|(row, keep)| keep.then_some(row))
            .collect()
    });
    let rows = Rows { all: rows, kept };
    let centre: Arc<[f32]> = centre(&sets, &rows, d).into();
    let count = (rows.count() * sets.len()) as f64;

    let empty = Tensor::<2>::zeros([d + 1, d], &plain);
    let add = |sums: Tensor<2>, set: Tensor<2>| {
        let operation = AddProducts {
            rows: rows.clone(),
            centre: centre.clone(),
        };
        Tensor::from_dispatch(apply(
            operation,
            [sums.into_dispatch(), set.into_dispatch()],
        ))
    };
    let sums: Tensor<2> = sets.into_iter().fold(empty, add);
    let mean = apply(Mean { centre, count }, [sums.clone().into_dispatch()]);
    let scatter = apply(Scatter { count }, [sums.into_dispatch()]);
    (
        Tensor::from_floats([count], &plain),
        Tensor::from_dispatch(mean),
        Tensor::from_dispatch(scatter),
    )
}

/// Returns the mean of a sample of rows, in f64; zero if no row counts.
///
/// An outlier in a sample of k rows per set moves c by a k-th of its size. With k = 2√n, what this
/// adds to P is at most a quarter of what the outlier itself adds to S, so P has no more rounding
/// error than S. Points that are all equal are their own centre, exactly.
fn centre(sets: &[Tensor<2>], rows: &Rows, d: usize) -> Vec<f32> {
    let count = rows.count();
    if count == 0 {
        return vec![0.0; d];
    }
    let size = (2.0 * (count as f64).sqrt()).ceil() as usize;
    let size = size.min(count);
    let indices: Vec<i64> = (0..size)
        .map(|at| rows.row(at * count / size) as i64)
        .collect();
    let indices =
        Tensor::<1, Int>::from_data(indices.as_slice(), &sets[0].device().without_autodiff());
    let mut sums = vec![0.0_f64; d];
    for set in sets {
        let sample = set
            .clone()
            .without_autodiff()
            .select(0, indices.clone())
            .into_data();
        for row in sample
            .as_slice::<f32>()
            .expect("the sets hold f32")
            .chunks_exact(d)
        {
            sums.iter_mut()
                .zip(row)
                .for_each(|(sum, number)| *sum += f64::from(*number));
        }
    }
    sums.into_iter()
        .map(|sum| (sum / (size * sets.len()) as f64) as f32)
        .collect()
}

/// Adds the products of a set to those of the sets before.
#[derive(Clone, Debug)]
struct AddProducts {
    rows: Rows,
    centre: Arc<[f32]>,
}

impl Operation<2> for AddProducts {
    /// The points, which share their storage with the model's activations.
    type Saved = Option<FlexTensor>;

    fn forward(
        &self,
        [mut sums, points]: [FlexTensor; 2],
        [_, tracked]: [bool; 2],
    ) -> (FlexTensor, Self::Saved) {
        let saved = tracked.then(|| points.clone());
        add_products(
            numbers(&in_order(points)),
            &self.rows,
            &self.centre,
            sums.storage_mut(),
        );
        (sums, saved)
    }

    fn backward(
        self,
        saved: Self::Saved,
        gradient: FlexTensor,
        [sums, _]: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let gradient = in_order(gradient);
        let points = saved.map(|points| {
            let shape = points.layout().shape().clone();
            let found = gradient_of_points(
                numbers(&in_order(points)),
                &self.rows,
                &self.centre,
                numbers(&gradient),
            );
            tensor(found, shape)
        });
        [sums.then_some(gradient), points]
    }
}

/// S = P − s·sᵀ/n.
#[derive(Clone, Debug)]
struct Scatter {
    count: f64,
}

impl Operation<1> for Scatter {
    /// m − c = s/n.
    type Saved = Vec<f32>;

    fn forward(&self, [sums]: [FlexTensor; 1], _: [bool; 1]) -> (FlexTensor, Self::Saved) {
        let sums = numbers(&sums);
        let d = sums.len().isqrt();
        let (products, last) = sums.split_at(d * d);
        let offset = offset(last, self.count);
        (tensor(mirrored(products, last, &offset), [d, d]), offset)
    }

    /// P takes G + Gᵀ, which stands for both halves, and s takes −(G + Gᵀ)·s/n. The set adds
    /// (G + Gᵀ)(x − c) of each row to that.
    fn backward(
        self,
        offset: Self::Saved,
        gradient: FlexTensor,
        _: [bool; 1],
    ) -> [Option<FlexTensor>; 1] {
        let d = offset.len();
        [Some(tensor(
            gradient_of_matrix(numbers(&in_order(gradient)), &offset),
            [d + 1, d],
        ))]
    }
}

/// m = c + s/n.
#[derive(Clone, Debug)]
struct Mean {
    centre: Arc<[f32]>,
    count: f64,
}

impl Operation<1> for Mean {
    type Saved = ();

    fn forward(&self, [sums]: [FlexTensor; 1], _: [bool; 1]) -> (FlexTensor, ()) {
        let d = self.centre.len();
        let offset = offset(&numbers(&sums)[d * d..], self.count);
        (
            tensor(
                self.centre
                    .iter()
                    .zip(offset)
                    .map(|(centre, offset)| centre + offset)
                    .collect(),
                [d],
            ),
            (),
        )
    }

    fn backward(self, (): (), gradient: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let d = self.centre.len();
        let mut sums = vec![0.0; (d + 1) * d];
        sums[d * d..].copy_from_slice(&offset(numbers(&in_order(gradient)), self.count));
        [Some(tensor(sums, [d + 1, d]))]
    }
}

/// Returns s/n.
fn offset(sum: &[f32], count: f64) -> Vec<f32> {
    sum.iter()
        .map(|sum| (f64::from(*sum) / count.max(1.0)) as f32)
        .collect()
}
