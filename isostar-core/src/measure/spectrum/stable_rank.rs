//! The stable rank of a covariance.

use super::Spectrum;

/// The squared Frobenius norm divided by the squared spectral norm.
///
/// ```text
///   srank(Σ) = ‖Σ‖_F²/‖Σ‖₂² = Σλ²/λ₁²
/// ```
///
/// k equal eigenvalues have a stable rank of k. It lies in `[1, min(d, n − 1)]`, is at most the
/// rank, and changes little with small eigenvalues. It does not depend on the points' origin, scale
/// or rotation. `None` if the points have no variance.
///
/// This is the stable rank of the covariance. The stable rank of the centred points, whose squared
/// singular values are these eigenvalues, is [`nesum`](super::nesum).
///
/// # References
/// Rudelson & Vershynin, "Sampling from large matrices: an approach through geometric functional
/// analysis" (Journal of the ACM 2007).
pub fn stable_rank(spectrum: &Spectrum) -> Option<f64> {
    let shares = spectrum.shares()?;
    Some(shares.iter().map(|share| (share / shares[0]).powi(2)).sum())
}
