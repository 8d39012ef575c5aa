//! The number of principal components that explain a share of the variance, and VarEx.

use serde::Serialize;

use super::Spectrum;

/// Share of the variance commonly used with [`explained_variance`].
pub const EXPLAINED_SHARE: f64 = 0.9;

/// Fraction of the principal components that [`varex`] uses in its authors' code.
pub const VAREX_FRACTION: f64 = 0.3;

/// Tolerance for the sum of shares, so that nine of ten equal eigenvalues reach 0.9 of the
/// variance.
const ROUNDING: f64 = 1e-12;

/// The first principal components and the share of the variance that they explain.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ExplainedVariance {
    /// Number k of components.
    pub components: usize,
    /// Share of the variance that they explain, p₁ + … + pₖ.
    pub share: f64,
}

/// The smallest number of principal components that explain at least a given share of the variance,
/// and the share that they explain.
///
/// ```text
///   k = min { k : p₁ + … + pₖ ≥ at_least }        pₖ = λₖ/Σλ, descending
/// ```
///
/// `components` lies in `[1, min(d, n − 1)]`. If `at_least` is above 1, `components` counts every
/// component with variance; if `at_least` is 0 or less, it is 1. The result does not depend on the
/// points' origin, scale or rotation. `None` if the points have no variance.
pub fn explained_variance(spectrum: &Spectrum, at_least: f64) -> Option<ExplainedVariance> {
    let mut share = 0.0;
    let mut components = 0;
    for next in spectrum
        .shares()?
        .into_iter()
        .take_while(|&share| share > 0.0)
    {
        share += next;
        components += 1;
        if share >= at_least - ROUNDING {
            break;
        }
    }
    Some(ExplainedVariance {
        components,
        share: share.min(1.0),
    })
}

/// The share of the variance that the first principal components would explain if all directions
/// varied equally, divided by the share that they do explain.
///
/// ```text
///   VarEx(p) = (k/d)/(p₁ + … + pₖ)        k = ⌊p·d⌋, at least 1 and at most d
/// ```
///
/// VarEx lies in `[k/d, 1]`: 1 if all directions vary equally, k/d if the first k explain all of
/// the variance. It does not depend on the points' origin, scale or rotation. `None` if the points
/// have no variance.
///
/// The authors' code counts components from 0 and so uses the share of k + 1 of them; this function
/// implements the intended formula.
///
/// # References
/// Rudman et al., "IsoScore: Measuring the Uniformity of Embedding Space Utilization" (Findings of
/// ACL 2022).
pub fn varex(spectrum: &Spectrum, fraction: f64) -> Option<f64> {
    let shares = spectrum.shares()?;
    let d = shares.len();
    let components = ((fraction * d as f64) as usize).clamp(1, d);
    let carried: f64 = shares[..components].iter().sum();
    Some((components as f64 / d as f64 / carried).min(1.0))
}
