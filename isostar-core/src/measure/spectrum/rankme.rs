//! RankMe, the effective rank of uncentred points.

use super::Spectrum;
use super::effective_rank::exponential_of_entropy;

/// The exponential of the entropy of the singular values of the uncentred points X.
///
/// ```text
///   RankMe(X) = exp(−Σₖ pₖ·ln pₖ)        pₖ = σₖ/Σσ,  0·ln 0 = 0
/// ```
///
/// The σₖ are the square roots of the eigenvalues of XᵀX, whose spectrum is `second_moment`. k
/// equal singular values give k. RankMe lies in `[1, min(n, d)]`. It does not depend on the points'
/// scale or rotation, but on their origin: a mean far from zero makes one direction dominate.
/// `None` if all points are zero.
///
/// The authors add ε = 1e-7 to each pₖ so that the logarithm exists at 0. This function adds no ε,
/// because 0·ln 0 = 0; ln RankMe differs by less than 2e-6·d. The square root magnifies rounding
/// errors of eigenvalues that should be 0: with products in f32, each may appear as a singular
/// value of up to 7e-4·σ₁. Singular values beyond the first n are exactly 0.
///
/// # References
/// Garrido, Balestriero, Najman & LeCun, "RankMe: Assessing the Downstream Performance of
/// Pretrained Self-Supervised Representations by Their Rank" (ICML 2023).
pub fn rankme(second_moment: &Spectrum) -> Option<f64> {
    let singular: Vec<f64> = second_moment.shares()?.into_iter().map(f64::sqrt).collect();
    let total: f64 = singular.iter().sum();
    Some(exponential_of_entropy(
        singular.into_iter().map(|value| value / total),
    ))
}
