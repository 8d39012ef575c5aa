//! The decay of the eigenvalues of a covariance.

use super::Spectrum;

/// Eigenvalues of at most this share of the largest, 2⁻²³, are zero: products of points in f32 do not tell them from it.
const ROUNDING: f64 = f32::EPSILON as f64;

/// The exponent of the power law that fits the eigenvalues best.
///
/// ```text
///   ln λᵢ ≈ c − α·ln i        α, c by least squares over i = 1 … k
/// ```
///
/// k is the number of eigenvalues above 2⁻²³·λ₁: smaller ones are what rounding left of 0. States that a layer normalization gave lie in a
/// hyperplane, so that each layer has one. α is at least 0; k equal eigenvalues and no others have α = 0, and a large α means that few directions dominate. It does not depend
/// on the points' origin, scale or rotation. `None` with fewer than two eigenvalues above zero.
///
/// The authors fit a range of i that they choose, and observe the best representations at α near 1. All eigenvalues are taken here, so that
/// the number follows from the points alone; the end of the spectrum, which falls faster than a power law where points are few, makes α
/// larger than a fit of the first eigenvalues.
///
/// # References
/// Agrawal, Mondal, Ghosh & Richards, "α-ReQ: Assessing Representation Quality in Self-Supervised Learning by measuring eigenspectrum decay"
/// (NeurIPS 2022).
pub fn alpha_req(spectrum: &Spectrum) -> Option<f64> {
    let shares = spectrum.shares()?;
    let above = shares.iter().take_while(|&&share| share > ROUNDING * shares[0]);
    let logarithms: Vec<[f64; 2]> = above.enumerate().map(|(at, share)| [(at as f64 + 1.0).ln(), share.ln()]).collect();
    if logarithms.len() < 2 {
        return None;
    }
    let mean = |axis: usize| logarithms.iter().map(|point| point[axis]).sum::<f64>() / logarithms.len() as f64;
    let (x, y) = (mean(0), mean(1));
    let along: f64 = logarithms.iter().map(|point| (point[0] - x) * (y - point[1])).sum();
    let squares: f64 = logarithms.iter().map(|point| (point[0] - x).powi(2)).sum();
    // Eigenvalues descend, so that only rounding takes the slope below 0.
    Some((along / squares).max(0.0))
}
