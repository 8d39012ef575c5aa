//! The stable rank of a covariance.

use super::Spectrum;

/// The squared Frobenius norm over the squared spectral norm.
///
/// ```text
///   srank(Σ) = ‖Σ‖_F²/‖Σ‖₂² = Σλ²/λ₁²
/// ```
///
/// k equal eigenvalues have a stable rank of k. It lies in `[1, min(d, n − 1)]`, at or below the rank, and small eigenvalues change it
/// little. It does not depend on the points' origin, scale or rotation. `None` where nothing varies.
///
/// This is the stable rank of the covariance. That of the centred points, whose squared singular values are the eigenvalues, is
/// [`nesum`](super::nesum).
///
/// # References
/// Rudelson & Vershynin, "Sampling from large matrices: an approach through geometric functional analysis" (Journal of the ACM 2007).
pub fn stable_rank(spectrum: &Spectrum) -> Option<f64> {
    let shares = spectrum.shares()?;
    Some(shares.iter().map(|share| (share / shares[0]).powi(2)).sum())
}
