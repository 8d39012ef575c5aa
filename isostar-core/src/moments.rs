//! Count, mean and scatter of points, computed on the device in O(d²) memory: sufficient for a
//! covariance.

use burn::prelude::*;
use burn::tensor::DType;

/// Count, mean and scatter of a set of points.
///
/// ```text
///   n = Σᵢ wᵢ        m = Σᵢ wᵢxᵢ / n        S = Σᵢ wᵢ(xᵢ − m)(xᵢ − m)ᵀ        wᵢ ∈ {0, 1}
/// ```
///
/// The moments of disjoint sets are combined into the moments of their union by the rule of Chan,
/// Golub and LeVeque, so the layers of a model need not be concatenated:
///
/// ```text
///   S = Σₗ Sₗ + Σₗ nₗ(mₗ − m)(mₗ − m)ᵀ
/// ```
///
/// Burn's autodiff differentiates `mean` and `scatter` with respect to the points. The value and
/// the gradient each cost one product of size n·d², and no tensor of the size of the points is kept
/// for the backward pass: see the source of `of_rows`.
///
/// Half precision is cast to f32 first. In f32, deviations from the mean between 1e-17 and 1e17/√n
/// cause neither underflow nor overflow. The relative error of the gradient grows as ε·|m|/σ, as if
/// the points had been rounded once more.
///
/// # References
/// Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
#[derive(Clone, Debug)]
pub struct Moments {
    /// The number n of points, exact up to 2²⁴ in f32. Shape `[1]`.
    pub count: Tensor<1>,
    /// The mean m; zero if there are no points. Shape `[d]`.
    pub mean: Tensor<1>,
    /// The scatter S about the mean, symmetric. Shape `[d, d]`.
    pub scatter: Tensor<2>,
}

impl Moments {
    /// The moments of the rows of `points`. Shape of `points`: `[n, d]`.
    pub fn from_points(points: Tensor<2>) -> Self {
        Self::from_rows(points, None)
    }

    /// The moments of the states of one layer under a mask.
    ///
    /// # Shapes
    /// - `states`: `[sequences, tokens, d]`
    /// - `mask`: `[sequences, tokens]`, true at the states that are included; `None` includes all
    ///
    /// # Panics
    /// If the shape of the mask does not match the states.
    pub fn from_sequences(states: Tensor<3>, mask: Option<Tensor<2, Bool>>) -> Self {
        let [sequences, tokens, d] = states.dims();
        let rows = sequences * tokens;
        let weights = mask.map(|mask| {
            assert_eq!(
                mask.dims(),
                [sequences, tokens],
                "Moments::from_sequences: the mask must be [sequences, tokens] of states {:?}",
                [sequences, tokens, d]
            );
            mask.float().reshape([1, rows])
        });
        Self::from_rows(states.reshape([rows, d]), weights)
    }

    /// The moments of the rows with weight 1. Shape of `weights`: `[1, n]`, each 0 or 1.
    ///
    /// The gradient of S with respect to the points depends on the centred points. To avoid storing
    /// a copy of them for the backward pass, S is computed as Lᵀ·(X − c), where L is X itself as a
    /// constant, which the model keeps in memory anyway. The product is corrected by −l̄·rᵀ, where
    /// l̄ is the mean of L and r = Σ(x − c) is the rounding error of the centre c. The same
    /// correction turns the gradient L·G into (L − l̄)·G. Differentiating the right factor alone
    /// gives half of the gradient of a symmetric function; the transpose gives the other half.
    fn from_rows(points: Tensor<2>, weights: Option<Tensor<2>>) -> Self {
        let points = widen(points);
        let [n, d] = points.dims();
        if n == 0 {
            return Self::none(d, &points);
        }
        let constant = points.clone().without_autodiff();
        let padded = weights.is_some();
        let weights = match weights {
            Some(weights) => weights.without_autodiff().cast(constant.dtype()),
            None => Tensor::ones([1, n], (&constant.device(), constant.dtype())),
        };
        let count = weights.clone().sum_dim(1);
        let divisor = count.clone().clamp_min(1.0);

        // A second pass reduces the error to half a unit in the last place. The mean of constant
        // points is then exact.
        let near = sum_of_rows(weights.clone(), constant.clone()) / divisor.clone();
        let centre = sum_of_rows(weights.clone(), constant.clone() - near.clone()) / divisor.clone() + near;
        let tracked = points.is_tracked();
        let centred = points - centre.clone();
        // The mask is applied once for both uses, so that the backward pass holds one gradient of
        // this size per layer instead of two.
        let centred = if padded { centred * weights.clone().transpose() } else { centred };
        let residual = weights.matmul(centred.clone());
        let mean = residual.clone() / divisor + centre.clone();

        let (left, left_mean) =
            if tracked { (constant, mean.clone().without_autodiff()) } else { (centred.clone(), mean.clone() - centre) };
        let product = left.transpose().matmul(centred) - left_mean.transpose().matmul(residual);
        let twice = product.clone() + product.transpose();
        let scatter = twice.clone() - twice.without_autodiff() * 0.5;

        Self { count: count.squeeze_dim(0), mean: mean.squeeze_dim(0), scatter }
    }

    /// The moments of an empty set. Not every backend can multiply matrices without rows.
    fn none(d: usize, like: &Tensor<2>) -> Self {
        let options = (&like.device().without_autodiff(), like.dtype());
        Self { count: Tensor::zeros([1], options), mean: Tensor::zeros([d], options), scatter: Tensor::zeros([d, d], options) }
    }

    /// The moments of the union of two disjoint sets.
    ///
    /// # Panics
    /// If the sets differ in width.
    pub fn merge(self, other: Self) -> Self {
        Self::union(vec![self, other])
    }

    /// The moments of the union of disjoint sets. Empty sets do not affect the result.
    ///
    /// # Panics
    /// If `parts` is empty, or the parts differ in width.
    pub fn union(parts: Vec<Self>) -> Self {
        assert!(!parts.is_empty(), "Moments::union: there must be at least one part");
        if parts.len() == 1 {
            return parts.into_iter().next().expect("one part");
        }
        let width = parts[0].width();
        for part in &parts {
            assert_eq!(part.width(), width, "Moments::union: parts of width {width} and {} cannot be merged", part.width());
        }
        let counts = Tensor::cat(parts.iter().map(|part| part.count.clone()).collect(), 0);
        let means: Tensor<2> = Tensor::stack(parts.iter().map(|part| part.mean.clone()).collect(), 0);
        let within = parts.into_iter().map(|part| part.scatter).reduce(|sum, scatter| sum + scatter).expect("parts");

        let count = counts.clone().sum();
        let counts: Tensor<2> = counts.unsqueeze_dim(1);
        let divisor = count.clone().clamp_min(1.0).unsqueeze_dim(1);
        // Two passes again, so that equal means contribute no scatter from rounding.
        let centre = (means.clone().without_autodiff() * counts.clone()).sum_dim(0) / divisor.clone();
        let offsets = means - centre.clone();
        let residual = (offsets.clone() * counts.clone()).sum_dim(0) / divisor;
        let spread = (offsets - residual.clone()) * counts.sqrt();
        let scatter = within + spread.clone().transpose().matmul(spread);
        Self { count, mean: (centre + residual).squeeze_dim(0), scatter }
    }

    /// The width d of the points.
    pub fn width(&self) -> usize {
        self.mean.dims()[0]
    }

    /// The unbiased sample covariance Σ = S/(n − 1); zero if there are fewer than two points. Shape
    /// `[d, d]`.
    pub fn covariance(&self) -> Tensor<2> {
        let divisor = (self.count.clone() - 1.0).clamp_min(1.0);
        self.scatter.clone() / divisor.unsqueeze_dim(1)
    }
}

/// Σᵢ wᵢxᵢ of weights `[1, n]` and constant rows `[n, d]`. Shape `[1, d]`.
///
/// The sum is computed in blocks: a single f32 sum over tens of thousands of rows loses three
/// digits.
pub(crate) fn sum_of_rows(weights: Tensor<2>, rows: Tensor<2>) -> Tensor<2> {
    const BLOCK: usize = 64;
    let [n, d] = rows.dims();
    let blocks = n / BLOCK;
    if blocks < 2 {
        return weights.matmul(rows);
    }
    let whole = blocks * BLOCK;
    if whole < n {
        let rest = sum_of_rows(weights.clone().narrow(1, whole, n - whole), rows.clone().narrow(0, whole, n - whole));
        return sum_of_rows(weights.narrow(1, 0, whole), rows.narrow(0, 0, whole)) + rest;
    }
    let weights: Tensor<3> = weights.reshape([blocks, 1, BLOCK]);
    let sums: Tensor<3> = weights.matmul(rows.reshape([blocks, BLOCK, d]));
    sums.sum_dim(0).squeeze_dim(0)
}

/// Casts half precision to f32: half precision has too little precision and range for a covariance.
pub(crate) fn widen<const D: usize>(points: Tensor<D>) -> Tensor<D> {
    match points.dtype() {
        DType::F32 | DType::F64 => points,
        _ => points.cast(DType::F32),
    }
}
