//! The effective rank of a covariance.

use super::Spectrum;

/// The exponential of the entropy of the spectrum.
///
/// ```text
///   erank(Σ) = exp(−Σₖ pₖ·ln pₖ)        pₖ = λₖ/Σλ,  0·ln 0 = 0
/// ```
///
/// k equal eigenvalues have effective rank k. The effective rank lies in `[1, min(d, n − 1)]`, is
/// at least the [`participation_ratio`](super::participation_ratio), and does not depend on the
/// points' origin, scale or rotation. `None` if the points have no variance.
///
/// This is the effective rank of the covariance, whose singular values are its eigenvalues.
/// [RankMe](super::rankme) is the effective rank of the uncentred points, whose singular values are
/// square roots of eigenvalues; it is larger if the mean is small.
///
/// # References
/// Roy & Vetterli, "The Effective Rank: A Measure of Effective Dimensionality" (EUSIPCO 2007).
pub fn effective_rank(spectrum: &Spectrum) -> Option<f64> {
    Some(exponential_of_entropy(spectrum.shares()?.into_iter()))
}

/// exp(−Σ p·ln p) of shares that sum to 1, with 0·ln 0 = 0.
pub(super) fn exponential_of_entropy(shares: impl Iterator<Item = f64>) -> f64 {
    let entropy: f64 = shares
        .filter(|&share| share > 0.0)
        .map(|share| -share * share.ln())
        .sum();
    entropy.exp()
}
