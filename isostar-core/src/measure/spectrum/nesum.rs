//! NESum, the sum of normalized eigenvalues of a covariance.

use super::Spectrum;

/// The sum of the eigenvalues divided by the largest.
///
/// ```text
///   NESum(Σ) = Σᵢ λᵢ/λ₁ = tr Σ/‖Σ‖₂
/// ```
///
/// NESum is d for whitened points and 1 for points on a line; k equal eigenvalues give k. It lies
/// in `[1, min(d, n − 1)]`, is at least the [`stable_rank`](super::stable_rank), and does not
/// depend on the points' origin, scale or rotation. `None` if the points have no variance.
///
/// # References
/// He & Ozay, "Exploring the Gap between Collapsed & Whitened Features in Self-Supervised Learning"
/// (ICML 2022).
pub fn nesum(spectrum: &Spectrum) -> Option<f64> {
    Some(1.0 / spectrum.shares()?[0])
}
