//! Count, mean and scatter of points.
//!
//! # Upstream
//! No issue is filed with Burn for a product of which only one half is computed, nor for a product
//! that is added to a tensor.

#[cfg(feature = "flex")]
mod operation;
#[cfg(feature = "flex")]
mod sums;

use burn::prelude::*;

use crate::exact::exact_product;

/// A way to multiply matrices.
type Multiply<const D: usize> = fn(Tensor<D>, Tensor<D>) -> Tensor<D>;

/// Count, mean and scatter of the union of `sets` of points.
///
/// ```text
///   n = Σᵢ wᵢ        m = Σᵢ wᵢxᵢ / n        S = Σᵢ wᵢ(xᵢ − m)(xᵢ − m)ᵀ        wᵢ ∈ {0, 1}
///
///   ∂L/∂xᵢ = wᵢ·((G + Gᵀ)(xᵢ − m) + g/n)        G = ∂L/∂S,  g = ∂L/∂m
/// ```
///
/// `mask` says which rows count, the same ones in every set; `None` counts all. Masked rows must be
/// finite. No tensor of the size of the points is kept for the backward pass.
///
/// Replaces the sums Σwx and Σw(x − m), the centred points and their product with themselves. On
/// flex in f32, a set takes one pass: its rows are centred block by block in a core's cache, masked
/// rows are left out, one half of the product is computed, and the gradient is one product that
/// writes to its place. The result does not depend on the number of threads. The centre c is the
/// mean of a sample of rows, and the deviation of m from it is subtracted in the end, so that the
/// accuracy does not depend on the distance of the points from the origin:
///
/// ```text
///   P = Σᵢ wᵢ(xᵢ − c)(xᵢ − c)ᵀ        s = Σᵢ wᵢ(xᵢ − c)        m = c + s/n        S = P − s·sᵀ/n
/// ```
///
/// Elsewhere, the relative error of the gradient grows as ε·|m|/σ.
///
/// # Shapes
/// - `sets`: `[rows, d]` each, at least one, in f32 or f64
/// - `mask`: `[rows]`
/// - output: `[1]`, `[d]` (zero if n = 0) and `[d, d]`; the count has no gradient
///
/// # Panics
/// If there is no set, or the shapes differ.
pub fn moments(
    sets: Vec<Tensor<2>>,
    mask: Option<Tensor<1, Bool>>,
) -> (Tensor<1>, Tensor<1>, Tensor<2>) {
    let [rows, d] = sets
        .first()
        .expect("moments: there must be at least one set")
        .dims();
    assert!(
        sets.iter().all(|set| set.dims() == [rows, d]),
        "moments: the sets must have one shape"
    );
    assert!(
        mask.as_ref().is_none_or(|mask| mask.dims() == [rows]),
        "moments: the mask must have {rows} rows"
    );
    if rows == 0 {
        // Not every backend can multiply matrices without rows.
        let options = (&sets[0].device().without_autodiff(), sets[0].dtype());
        return (
            Tensor::zeros([1], options),
            Tensor::zeros([d], options),
            Tensor::zeros([d, d], options),
        );
    }
    #[cfg(feature = "flex")]
    if sets.iter().all(crate::flex::holds) && !crate::exact::rounds_factors(&sets[0].device()) {
        return operation::fused(sets, mask);
    }
    composition(sets, mask)
}

/// The moments by Burn's own operations.
///
/// The gradient of S with respect to the points depends on the centred points. To avoid storing
/// a copy of them for the backward pass, S is computed as Lᵀ·(X − c), where L is X itself as a
/// constant, which the model keeps in memory anyway. The product is corrected by −m·rᵀ, where
/// r = Σ(x − c) is the rounding error of the centre c. The same correction turns the gradient L·G
/// into (L − m)·G. Differentiating the right factor alone gives half of the gradient of a symmetric
/// function; the transpose gives the other half.
fn composition(
    sets: Vec<Tensor<2>>,
    mask: Option<Tensor<1, Bool>>,
) -> (Tensor<1>, Tensor<1>, Tensor<2>) {
    let constants: Vec<Tensor<2>> = sets
        .iter()
        .map(|set| set.clone().without_autodiff())
        .collect();
    let (rows, options) = (
        constants[0].dims()[0],
        (&constants[0].device(), constants[0].dtype()),
    );
    let tracked = sets.iter().any(|set| set.is_tracked());
    // The gradient of a training step does not need exact products.
    let multiply: Multiply<2> = if tracked {
        Tensor::matmul
    } else {
        exact_product
    };
    let weights = match &mask {
        Some(mask) => mask
            .clone()
            .without_autodiff()
            .float()
            .cast(options.1)
            .reshape([1, rows]),
        None => Tensor::<2>::ones([1, rows], options),
    };
    // Not the transpose of the weights: fused kernels of wgpu go wrong on a masked, transposed factor.
    let column = mask.as_ref().map(|mask| {
        mask.clone()
            .without_autodiff()
            .float()
            .cast(options.1)
            .reshape([rows, 1])
    });
    let count = weights.clone().sum_dim(1) * sets.len() as f64;
    let divisor = count.clone().clamp_min(1.0);

    // A second pass reduces the error to half a unit in the last place. The mean of constant
    // points is then exact.
    let mean_of = |sets: &mut dyn Iterator<Item = Tensor<2>>| -> Tensor<2> {
        sum(sets.map(|set| summed(weights.clone(), set, !tracked))) / divisor.clone()
    };
    let near = mean_of(&mut constants.iter().cloned());
    let centre = mean_of(&mut constants.iter().map(|set| set.clone() - near.clone())) + near;

    let (mut products, mut residuals) = (vec![], vec![]);
    for (points, constant) in sets.into_iter().zip(constants) {
        let centred = points - centre.clone();
        // The mask is applied once for both uses, so that the backward pass holds one gradient of
        // this size per set instead of two.
        let centred = match &column {
            Some(weights) => centred * weights.clone(),
            None => centred,
        };
        residuals.push(multiply(weights.clone(), centred.clone()));
        let left = if tracked { constant } else { centred.clone() };
        products.push(multiply(left.transpose(), centred));
    }
    let residual = sum(residuals.into_iter());
    let mean = residual.clone() / divisor + centre.clone();
    let left_mean = if tracked {
        mean.clone().without_autodiff()
    } else {
        mean.clone() - centre
    };
    let product = sum(products.into_iter()) - multiply(left_mean.transpose(), residual);
    let twice = product.clone() + product.transpose();
    let scatter = twice.clone() - twice.without_autodiff() * 0.5;
    (count.squeeze_dim(0), mean.squeeze_dim(0), scatter)
}

fn sum<const D: usize>(tensors: impl Iterator<Item = Tensor<D>>) -> Tensor<D> {
    tensors
        .reduce(|sum, tensor| sum + tensor)
        .expect("there is at least one set")
}

/// Σᵢ wᵢxᵢ of weights `[1, n]` and constant rows `[n, d]`. Shape `[1, d]`.
///
/// The sum is computed in blocks: a single f32 sum over tens of thousands of rows loses three
/// digits.
pub fn sum_of_rows(weights: Tensor<2>, rows: Tensor<2>) -> Tensor<2> {
    summed(weights, rows, true)
}

/// [`sum_of_rows`], in products that are exact on every device if `exact`.
fn summed(weights: Tensor<2>, rows: Tensor<2>, exact: bool) -> Tensor<2> {
    const BLOCK: usize = 64;
    let [n, d] = rows.dims();
    let blocks = n / BLOCK;
    if blocks < 2 {
        return if exact {
            exact_product(weights, rows)
        } else {
            weights.matmul(rows)
        };
    }
    let whole = blocks * BLOCK;
    if whole < n {
        let rest = summed(
            weights.clone().narrow(1, whole, n - whole),
            rows.clone().narrow(0, whole, n - whole),
            exact,
        );
        return summed(weights.narrow(1, 0, whole), rows.narrow(0, 0, whole), exact) + rest;
    }
    let weights: Tensor<3> = weights.reshape([blocks, 1, BLOCK]);
    let rows: Tensor<3> = rows.reshape([blocks, BLOCK, d]);
    let sums = if exact {
        exact_product(weights, rows)
    } else {
        weights.matmul(rows)
    };
    sums.sum_dim(0).squeeze_dim(0)
}

#[cfg(all(test, feature = "flex"))]
mod tests;
