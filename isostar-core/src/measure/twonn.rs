//! The intrinsic dimension from the distances to two nearest neighbours.

use crate::{ConfigError, NearestNeighbours};

/// Default share of the largest ratios that the fits leave out, as in the paper.
const DISCARDED: f64 = 0.1;

/// Estimates of the intrinsic dimension from the ratios μᵢ = r₂/r₁ of the n points without a
/// duplicate.
///
/// On a d-dimensional manifold sampled with locally constant density, ln μ is exponentially
/// distributed with rate d: F(μ) = 1 − μ^(−d). Both estimates use the k = ⌊n(1 − f)⌋ smallest
/// ratios μ₍₁₎ ≤ … ≤ μ₍ₖ₎, where f is the share left out, and are positive. For a sample of n
/// points they are about d·(1 ± 1/√n).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoNn {
    /// Slope of the line through the origin that fits the empirical distribution.
    ///
    /// ```text
    ///   d = Σᵢ xᵢyᵢ / Σᵢ xᵢ²        xᵢ = ln μ₍ᵢ₎,   yᵢ = −ln(1 − i/n),   i = 1 … min(k, n − 1)
    /// ```
    pub linear: f64,
    /// Bias-corrected maximum-likelihood estimate, given that the ratios left out are at least
    /// μ₍ₖ₎.
    ///
    /// ```text
    ///   d = (k − 1) / (Σᵢ ln μ₍ᵢ₎ + (n − k)·ln μ₍ₖ₎)
    /// ```
    pub maximum_likelihood: f64,
    /// Number n of points without a duplicate.
    pub points: usize,
}

/// The TwoNN estimates without the largest tenth of the ratios.
///
/// `None` if fewer than two ratios are left, if there is only one neighbour per point, or if all
/// ratios are 1. Points that coincide with another are left out ([`NearestNeighbours::apart`]).
///
/// # References
/// Facco, d'Errico, Rodriguez & Laio, "Estimating the intrinsic dimension of datasets by a minimal
/// neighborhood information" (Scientific Reports 2017); Denti, Doimo, Laio & Mira, "The generalized
/// ratios intrinsic dimension estimator" (Scientific Reports 2022).
pub fn twonn(neighbours: &NearestNeighbours) -> Option<TwoNn> {
    of_ratios(neighbours, DISCARDED)
}

/// The TwoNN estimates without the largest ratios, where `discarded` is the share f left out.
///
/// `None` in the same cases as [`twonn`].
///
/// # Errors
/// If `discarded` is not in [0, 1).
pub fn twonn_discarding(
    neighbours: &NearestNeighbours,
    discarded: f64,
) -> Result<Option<TwoNn>, ConfigError> {
    if !(0.0..1.0).contains(&discarded) {
        return Err(ConfigError::Discarded { value: discarded });
    }
    Ok(of_ratios(neighbours, discarded))
}

fn of_ratios(neighbours: &NearestNeighbours, discarded: f64) -> Option<TwoNn> {
    if neighbours.k < 2 {
        return None;
    }
    let mut logarithms: Vec<f64> = neighbours
        .apart()
        .map(|distances| (distances[1] / distances[0]).ln())
        .collect();
    logarithms.sort_by(f64::total_cmp);
    let n = logarithms.len();
    let kept = &logarithms[..(n as f64 * (1.0 - discarded)) as usize];
    let (largest, k) = (*kept.last()?, kept.len() as f64);

    let line = (1..n)
        .zip(kept)
        .map(|(rank, &x)| [x * -(1.0 - rank as f64 / n as f64).ln(), x * x]);
    let [along, squares] = line.fold([0.0, 0.0], |sums, terms| {
        [sums[0] + terms[0], sums[1] + terms[1]]
    });
    let censored = kept.iter().sum::<f64>() + (n as f64 - k) * largest;
    let estimate = TwoNn {
        linear: along / squares,
        maximum_likelihood: (k - 1.0) / censored,
        points: n,
    };
    (kept.len() >= 2 && estimate.linear.is_finite() && estimate.maximum_likelihood.is_finite())
        .then_some(estimate)
}
