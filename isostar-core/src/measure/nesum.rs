//! NESum, the sum of normalized eigenvalues of a covariance.

use super::Spectrum;

/// The sum of the eigenvalues over the largest.
///
/// ```text
///   NESum(Σ) = Σᵢ λᵢ/λ₁ = tr Σ/‖Σ‖₂
/// ```
///
/// It is d where the points are whitened and 1 where they have collapsed to a line. k equal eigenvalues have a sum of k. It lies in
/// `[1, min(d, n − 1)]`, at or above the [`stable_rank`](super::stable_rank), and does not depend on the points' origin, scale or rotation.
/// `None` where nothing varies.
///
/// # References
/// He & Ozay, "Exploring the Gap between Collapsed & Whitened Features in Self-Supervised Learning" (ICML 2022).
pub fn nesum(spectrum: &Spectrum) -> Option<f64> {
    Some(1.0 / spectrum.shares()?[0])
}
