//! How few principal components carry the variance.

use serde::Serialize;

use super::Spectrum;

/// The share of the variance that [`explained_variance`] is usually asked for.
pub const EXPLAINED_SHARE: f64 = 0.9;

/// The fraction of the principal components that [`varex`] looks at in its authors' code.
pub const VAREX_FRACTION: f64 = 0.3;

/// Sums of eigenvalues that differ by less are equal: nine of ten equal eigenvalues carry 0.9 of the variance.
const ROUNDING: f64 = 1e-12;

/// The first principal components and what they carry.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ExplainedVariance {
    /// The number k of components.
    pub components: usize,
    /// The share of the variance that they carry, p₁ + … + pₖ.
    pub share: f64,
}

/// The least number of principal components that carry at least a given share of the variance, and the share that they carry.
///
/// ```text
///   k = min { k : p₁ + … + pₖ ≥ at_least }        pₖ = λₖ/Σλ, descending
/// ```
///
/// `components` lies in `[1, min(d, n − 1)]`. More than all of the variance asks for every component that varies, less than none for the
/// first. It does not depend on the points' origin, scale or rotation. `None` where nothing varies.
pub fn explained_variance(spectrum: &Spectrum, at_least: f64) -> Option<ExplainedVariance> {
    let mut share = 0.0;
    let mut components = 0;
    for next in spectrum.shares()?.into_iter().take_while(|&share| share > 0.0) {
        share += next;
        components += 1;
        if share >= at_least - ROUNDING {
            break;
        }
    }
    Some(ExplainedVariance { components, share: share.min(1.0) })
}

/// The share of the variance that the first principal components would carry if all carried the same, over the share that they carry.
///
/// ```text
///   VarEx(p) = (k/d)/(p₁ + … + pₖ)        k = ⌊p·d⌋, at least 1 and at most d
/// ```
///
/// It lies in `[k/d, 1]`: 1 where all directions vary alike, k/d where the first k carry everything. It does not depend on the points'
/// origin, scale or rotation. `None` where nothing varies.
///
/// The authors' code counts components from 0 and so reads the share of k + 1 of them; this is the formula that it means.
///
/// # References
/// Rudman et al., "IsoScore: Measuring the Uniformity of Embedding Space Utilization" (Findings of ACL 2022).
pub fn varex(spectrum: &Spectrum, fraction: f64) -> Option<f64> {
    let shares = spectrum.shares()?;
    let d = shares.len();
    let components = ((fraction * d as f64) as usize).clamp(1, d);
    let carried: f64 = shares[..components].iter().sum();
    Some((components as f64 / d as f64 / carried).min(1.0))
}
