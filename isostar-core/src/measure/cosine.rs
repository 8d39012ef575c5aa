//! Cosine similarity over all pairs of points in O(n·d), without forming the n×n matrix.

use burn::prelude::*;
use isostar_kernels::{exact_product, nonzero_rows};

use crate::moments::widen;

/// The two sums from which every average of cosines follows.
///
/// ```text
///   x̂ᵢ = xᵢ/‖xᵢ‖  (0 where xᵢ = 0)        Σᵢⱼ cos(xᵢ, xⱼ) = ‖Σᵢ x̂ᵢ‖²
/// ```
///
/// The sums of disjoint sets add up to the sums of their union, so batches and layers merge without
/// concatenation.
#[derive(Clone, Debug)]
pub struct CosineSums {
    /// Sum of the directions, Σᵢ x̂ᵢ. Shape `[1, d]`.
    pub directions: Tensor<2>,
    /// Number of nonzero points, Σᵢ ‖x̂ᵢ‖². Shape `[1, 1]`.
    pub directed: Tensor<2>,
    /// Number n of points. Shape `[1, 1]`.
    pub count: Tensor<2>,
}

impl CosineSums {
    /// The sums over the rows of `points` whose weight is 1.
    ///
    /// # Shapes
    /// - `points`: `[n, d]`
    /// - `weights`: `[1, n]`, 0 or 1 each; `None` counts all rows
    pub fn from_rows(points: Tensor<2>, weights: Option<Tensor<2>>) -> Self {
        let points = widen(points);
        let [n, _] = points.dims();
        let device = points.device().without_autodiff();
        let weights = match weights {
            Some(weights) => weights.without_autodiff().cast(points.dtype()),
            None => Tensor::ones([1, n], (&device, points.dtype())),
        };
        let squared: Tensor<2> = points.clone().square().sum_dim(1);
        let zero = squared.clone().equal_scalar(0.0);
        // A zero row has no direction. Dividing by 1 leaves it zero, and its weight of 0 makes its
        // gradient zero.
        let norms = squared.clone().mask_fill(zero, 1.0).sqrt();
        let directed = weights.clone() * nonzero_rows(squared);
        Self {
            directions: exact_product(directed.clone(), points / norms),
            directed: directed.sum_dim(1),
            count: weights.sum_dim(1),
        }
    }

    /// The sums over the unmasked states of one layer. Shapes: `[sequences, tokens, d]` and
    /// `[sequences, tokens]`.
    ///
    /// # Panics
    /// If the shape of the mask does not match the states.
    pub fn from_sequences(states: Tensor<3>, mask: Option<Tensor<2, Bool>>) -> Self {
        let [sequences, tokens, d] = states.dims();
        let rows = sequences * tokens;
        Self::from_rows(
            states.reshape([rows, d]),
            mask.map(|mask| mask.float().reshape([1, rows])),
        )
    }

    /// The sums of the union of two disjoint sets.
    pub fn merge(self, other: Self) -> Self {
        Self {
            directions: self.directions + other.directions,
            directed: self.directed + other.directed,
            count: self.count + other.count,
        }
    }

    /// Σ over i ≠ j of cos(xᵢ, xⱼ). Shape `[1, 1]`.
    fn over_distinct_pairs(&self) -> Tensor<2> {
        self.directions.clone().square().sum_dim(1) - self.directed.clone()
    }

    /// The penalty of Gao et al., Σ_{i≠j} cos(xᵢ, xⱼ)/n²; 0 without points. Shape `[1]`.
    pub fn cosreg(&self) -> Tensor<1> {
        let pairs = self.count.clone().square().clamp_min(1.0);
        (self.over_distinct_pairs() / pairs).squeeze_dim(0)
    }

    /// The mean cosine over distinct pairs, Σ_{i≠j} cos(xᵢ, xⱼ)/(n(n − 1)); 0 with fewer than two
    /// points. Shape `[1]`.
    pub fn mean_cosine(&self) -> Tensor<1> {
        let pairs = (self.count.clone() * (self.count.clone() - 1.0)).clamp_min(1.0);
        (self.over_distinct_pairs() / pairs).squeeze_dim(0)
    }
}

/// The cosine penalty of a set of points, differentiable.
///
/// ```text
///   CosReg(X) = (Σᵢⱼ cos(xᵢ, xⱼ) − n)/n² = (‖Σᵢ x̂ᵢ‖² − n)/n²
/// ```
///
/// By definition, any cosine with a zero row is 0, including its cosine with itself, and so is its
/// gradient.
///
/// # Shapes
/// - `points`: `[n, d]`
/// - output: `[1]`, in `[−1/n, 1 − 1/n]`
///
/// # References
/// Gao et al., "Representation Degeneration Problem in Training Natural Language Generation Models"
/// (ICLR 2019).
pub fn cosreg(points: Tensor<2>) -> Tensor<1> {
    CosineSums::from_rows(points, None).cosreg()
}

/// The mean cosine similarity over distinct pairs of points.
///
/// ```text
///   (‖Σᵢ x̂ᵢ‖² − n)/(n(n − 1))
/// ```
///
/// By definition, any cosine with a zero row is 0, and the mean of a single point is 0.
///
/// # Shapes
/// - `points`: `[n, d]`
/// - output: `[1]`, in `[−1/(n − 1), 1]`
///
/// # References
/// Ethayarajh, "How Contextual are Contextualized Word Representations?" (EMNLP 2019).
pub fn mean_cosine(points: Tensor<2>) -> Tensor<1> {
    CosineSums::from_rows(points, None).mean_cosine()
}
