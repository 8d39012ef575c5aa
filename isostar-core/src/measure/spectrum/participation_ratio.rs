//! The participation ratio of a covariance.

use super::Spectrum;

/// The effective number of directions that contribute to the variance.
///
/// ```text
///   PR(Σ) = t²/F = (Σλ)²/Σλ²        t = tr Σ,  F = ‖Σ‖_F²
/// ```
///
/// k equal eigenvalues have a participation ratio of k. It lies in `[1, min(d, n − 1)]` and does
/// not depend on the points' origin, scale or rotation. [IsoScore](crate::isoscore) is
/// (PR − 1)/(d − 1). `None` if the points have no variance.
///
/// # References
/// Gao et al., "A theory of multineuronal dimensionality, dynamics and measurement" (2017).
pub fn participation_ratio(spectrum: &Spectrum) -> Option<f64> {
    let shares = spectrum.shares()?;
    Some(1.0 / shares.iter().map(|share| share * share).sum::<f64>())
}
