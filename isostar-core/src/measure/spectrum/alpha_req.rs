//! αReQ, the exponent of the decay of the eigenvalues of a covariance.

use super::Spectrum;

/// Relative size below which an eigenvalue counts as zero, 2⁻²³: products in f32 cannot tell
/// smaller ones from zero.
const ROUNDING: f64 = f32::EPSILON as f64;

/// The exponent of the power law that best fits the eigenvalues.
///
/// ```text
///   ln λᵢ ≈ c − α·ln i        α, c by least squares over i = 1 … k
/// ```
///
/// k is the number of eigenvalues above 2⁻²³·λ₁. Smaller ones are rounding errors of zero: states
/// after a layer normalization lie in a hyperplane, so one of their eigenvalues is zero. α is at
/// least 0. It is 0 if the k eigenvalues are equal, and large if a few directions dominate. It does
/// not depend on the points' origin, scale or rotation. `None` with fewer than two eigenvalues
/// above zero.
///
/// The authors choose a range of i to fit, and find the best representations at α near 1. This fit
/// takes all k eigenvalues, so α follows from the points alone. With few points, the last
/// eigenvalues fall faster than a power law, and α is larger than in a fit of the first
/// eigenvalues.
///
/// # References
/// Agrawal, Mondal, Ghosh & Richards, "α-ReQ: Assessing Representation Quality in Self-Supervised
/// Learning by measuring eigenspectrum decay" (NeurIPS 2022).
pub fn alpha_req(spectrum: &Spectrum) -> Option<f64> {
    let shares = spectrum.shares()?;
    let above = shares
        .iter()
        .take_while(|&&share| share > ROUNDING * shares[0]);
    let logarithms: Vec<[f64; 2]> = above
        .enumerate()
        .map(|(at, share)| [(at as f64 + 1.0).ln(), share.ln()])
        .collect();
    if logarithms.len() < 2 {
        return None;
    }
    let mean = |axis: usize| {
        logarithms.iter().map(|point| point[axis]).sum::<f64>() / logarithms.len() as f64
    };
    let (x, y) = (mean(0), mean(1));
    let along: f64 = logarithms
        .iter()
        .map(|point| (point[0] - x) * (y - point[1]))
        .sum();
    let squares: f64 = logarithms.iter().map(|point| (point[0] - x).powi(2)).sum();
    // The eigenvalues descend, so only rounding can make the exponent negative.
    Some((along / squares).max(0.0))
}
