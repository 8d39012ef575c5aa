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
/// This is the effective rank of the covariance, whose singular values are its eigenvalues. RankMe takes that of the points themselves,
/// without centring them, whose singular values are square roots of eigenvalues: its number is larger where the mean is
/// small.
///
/// # References
/// Roy & Vetterli, "The Effective Rank: A Measure of Effective Dimensionality" (EUSIPCO 2007); Garrido et al., "RankMe" (ICML 2023).
pub fn effective_rank(spectrum: &Spectrum) -> Option<f64> {
    let shares = spectrum.shares()?;
    let entropy: f64 = shares.iter().filter(|&&share| share > 0.0).map(|share| -share * share.ln()).sum();
    Some(entropy.exp())
}
