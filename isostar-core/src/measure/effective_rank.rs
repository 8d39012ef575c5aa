//! The effective rank of a covariance.

use super::Spectrum;

/// The exponential of the entropy of the spectrum.
///
/// ```text
///   erank(Σ) = exp(−Σₖ pₖ·ln pₖ)        pₖ = λₖ/Σλ,  0·ln 0 = 0
/// ```
///
/// k equal eigenvalues have effective rank k. It lies in `[1, min(d, n − 1)]`, at or above the
/// [`participation_ratio`](super::participation_ratio), and does not depend on the points' origin, scale or rotation. `None` where nothing
/// varies.
///
/// This is the effective rank of the covariance, whose singular values are its eigenvalues. [RankMe](super::rankme) takes that of the
/// points themselves, without centring them, whose singular values are square roots of eigenvalues: its number is larger where the mean is
/// small.
///
/// # References
/// Roy & Vetterli, "The Effective Rank: A Measure of Effective Dimensionality" (EUSIPCO 2007).
pub fn effective_rank(spectrum: &Spectrum) -> Option<f64> {
    Some(exponential_of_entropy(spectrum.shares()?.into_iter()))
}

/// exp(−Σ p·ln p) of shares that add up to 1, where 0·ln 0 = 0.
pub(super) fn exponential_of_entropy(shares: impl Iterator<Item = f64>) -> f64 {
    let entropy: f64 = shares.filter(|&share| share > 0.0).map(|share| -share * share.ln()).sum();
    entropy.exp()
}
