//! IsoScore and IsoScore* in closed form.

use burn::prelude::*;

use crate::moments::{Moments, widen};
use crate::shrinkage::{Shrinkage, identity_like};

/// Isotropy of a covariance matrix: 0 for variance in one direction, 1 for equal variance in all.
///
/// ```text
///           t² − F
///   ι  =  ──────────        t = tr Σ,  F = ‖Σ‖_F²
///         (d − 1)·F
/// ```
///
/// This is the participation ratio t²/F rescaled to [0, 1], and equals the seven steps of the paper's Algorithm 1 (derived here; the steps are
/// the oracle of the tests). It needs no eigenvalues and is smooth wherever Σ ≠ 0. The score does not depend on scale, so Σ is divided by its trace
/// before anything is squared; and t² − F is summed as Σᵢⱼ(ΣᵢᵢΣⱼⱼ − Σᵢⱼ²), whose diagonal cancels term by term, so that a score near 0 keeps its digits.
///
/// By definition ι(0) = 0, with zero gradient.
///
/// # Shapes
/// - `covariance`: `[d, d]`, symmetric positive semi-definite, `d ≥ 2`
/// - output: `[1]`, in `[0, 1]`
///
/// # Panics
/// If `covariance` is not square or `d < 2`.
///
/// # References
/// Rudman & Eickhoff, "Stable Anisotropic Regularization" (ICLR 2024), Algorithm 1; Rudman et al., "IsoScore" (Findings of ACL 2022).
pub fn isoscore_of_covariance(covariance: Tensor<2>) -> Tensor<1> {
    let [d, columns] = covariance.dims();
    assert_eq!(d, columns, "isoscore_of_covariance: a covariance must be square, got {:?}", [d, columns]);
    assert!(d >= 2, "isoscore_of_covariance: a score needs at least two dimensions, got {d}");

    let covariance = widen(covariance);
    let diagonal = (covariance.clone() * identity_like(&covariance)).sum_dim(1);
    let trace = diagonal.clone().sum_dim(0);
    let nothing = trace.clone().equal_scalar(0.0);
    let trace = trace.mask_fill(nothing, 1.0);
    let sigma = covariance / trace.clone();
    let share = diagonal / trace;

    let squares = sigma.clone() * sigma;
    let excess = share.clone() * share.transpose() - squares.clone();
    // Rows first, then columns: one long f32 sum loses digits. F is at least 1/d unless Σ = 0, where the excess is 0 as well.
    let frobenius = squares.sum_dim(1).sum_dim(0).clamp_min(0.5 / d as f64);
    let score = excess.sum_dim(1).sum_dim(0) / (frobenius * (d - 1) as f64);
    score.squeeze_dim(0)
}

/// IsoScore of points: [`isoscore_of_covariance`] of their sample covariance.
///
/// With n points the score is biased low unless n ≫ d, since the expectation of F is about F + t²/n; see [`isoscore_unbiased`](crate::isoscore_unbiased).
/// A single point and constant points have no variance and score 0, with zero gradient.
///
/// # Shapes
/// - `points`: `[n, d]`, `d ≥ 2`
/// - output: `[1]`, in `[0, 1]`
///
/// # Panics
/// If `d < 2`.
pub fn isoscore(points: Tensor<2>) -> Tensor<1> {
    isoscore_of_covariance(Moments::of_points(points).covariance())
}

/// IsoScore* of points: IsoScore of their covariance, shrunk towards a steadier one.
///
/// ```text
///   IsoScore*(X, T, ζ) = ι((1 − ζ)·Σ_X + ζ·T)
/// ```
///
/// # Shapes
/// - `points`: `[n, d]`, `d ≥ 2`
/// - `reference`: `[d, d]`, needed where the shrinkage's target is the reference
/// - output: `[1]`, in `[0, 1]`
///
/// # Panics
/// If `d < 2`, if a reference is needed and missing, or if the target's shape is not `[d, d]`.
///
/// # References
/// Rudman & Eickhoff, "Stable Anisotropic Regularization" (ICLR 2024), Algorithm 1.
pub fn isoscore_star(points: Tensor<2>, shrinkage: &Shrinkage, reference: Option<&Tensor<2>>) -> Tensor<1> {
    isoscore_of_covariance(shrinkage.apply(Moments::of_points(points).covariance(), reference))
}
