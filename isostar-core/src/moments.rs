//! Count, mean and scatter of points, computed on the device in O(d²) memory: sufficient for a
//! covariance.

use burn::prelude::*;
use burn::tensor::DType;
use isostar_kernels::{exact_product, moments};

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
/// the gradient each cost at most one product of size n·d², and no tensor of the size of the points
/// is kept for the backward pass: see [`isostar_kernels::moments`].
///
/// Half precision is cast to f32 first. In f32, deviations from the mean between 1e-17 and 1e17/√n
/// cause neither underflow nor overflow. Except on flex, the relative error of the gradient grows as
/// ε·|m|/σ, as if the points had been rounded once more.
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
        Self::from_sets(vec![points], None)
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
        Self::from_layers(vec![states], mask)
    }

    /// The moments of the states of all these layers under one mask.
    ///
    /// # Shapes
    /// - `layers`: `[sequences, tokens, d]` each
    /// - `mask`: `[sequences, tokens]`, true at the states that are included; `None` includes all
    ///
    /// # Panics
    /// If there is no layer, if the layers differ in width, or if the shape of the mask does not
    /// match the states.
    pub fn from_layers(layers: Vec<Tensor<3>>, mask: Option<Tensor<2, Bool>>) -> Self {
        let dims = layers
            .first()
            .expect("Moments::from_layers: there must be at least one layer")
            .dims();
        if layers.iter().any(|layer| layer.dims() != dims) {
            return Self::union(
                layers
                    .into_iter()
                    .map(|layer| Self::from_sequences(layer, mask.clone()))
                    .collect(),
            );
        }
        let [sequences, tokens, d] = dims;
        let rows = sequences * tokens;
        let mask = mask.map(|mask| {
            assert_eq!(
                mask.dims(),
                [sequences, tokens],
                "Moments::from_layers: the mask must be [sequences, tokens] of states {dims:?}"
            );
            mask.reshape([rows])
        });
        Self::from_sets(
            layers
                .into_iter()
                .map(|layer| layer.reshape([rows, d]))
                .collect(),
            mask,
        )
    }

    fn from_sets(sets: Vec<Tensor<2>>, mask: Option<Tensor<1, Bool>>) -> Self {
        let (count, mean, scatter) = moments(sets.into_iter().map(widen).collect(), mask);
        Self {
            count,
            mean,
            scatter,
        }
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
        assert!(
            !parts.is_empty(),
            "Moments::union: there must be at least one part"
        );
        if parts.len() == 1 {
            return parts.into_iter().next().expect("one part");
        }
        let width = parts[0].width();
        for part in &parts {
            assert_eq!(
                part.width(),
                width,
                "Moments::union: parts of width {width} and {} cannot be merged",
                part.width()
            );
        }
        let counts = Tensor::cat(parts.iter().map(|part| part.count.clone()).collect(), 0);
        let means: Tensor<2> =
            Tensor::stack(parts.iter().map(|part| part.mean.clone()).collect(), 0);
        let within = parts
            .into_iter()
            .map(|part| part.scatter)
            .reduce(|sum, scatter| sum + scatter)
            .expect("parts");

        let count = counts.clone().sum();
        let counts: Tensor<2> = counts.unsqueeze_dim(1);
        let divisor = count.clone().clamp_min(1.0).unsqueeze_dim(1);
        // Two passes again, so that equal means contribute no scatter from rounding.
        let centre =
            (means.clone().without_autodiff() * counts.clone()).sum_dim(0) / divisor.clone();
        let offsets = means - centre.clone();
        let residual = (offsets.clone() * counts.clone()).sum_dim(0) / divisor;
        let spread = (offsets - residual.clone()) * counts.sqrt();
        let scatter = within + exact_product(spread.clone().transpose(), spread);
        Self {
            count,
            mean: (centre + residual).squeeze_dim(0),
            scatter,
        }
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

/// Casts half precision to f32: half precision has too little precision and range for a covariance.
pub(crate) fn widen<const D: usize>(points: Tensor<D>) -> Tensor<D> {
    match points.dtype() {
        DType::F32 | DType::F64 => points,
        _ => points.cast(DType::F32),
    }
}
