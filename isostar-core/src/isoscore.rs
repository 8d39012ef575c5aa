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
/// This is the participation ratio t²/F rescaled to [0, 1]. It equals the result of the seven steps
/// of the paper's Algorithm 1, against which the tests compare it. It needs no eigenvalues and is
/// smooth wherever Σ ≠ 0. The score does not depend on scale, so Σ is divided by its trace before
/// its entries are squared. t² − F is computed as Σᵢⱼ(ΣᵢᵢΣⱼⱼ − Σᵢⱼ²): the diagonal terms cancel
/// exactly, which preserves the precision of scores near 0.
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
    assert_eq!(
        d,
        columns,
        "isoscore_of_covariance: a covariance must be square, got {:?}",
        [d, columns]
    );
    assert!(
        d >= 2,
        "isoscore_of_covariance: a score needs at least two dimensions, got {d}"
    );

    let covariance = widen(covariance);
    let diagonal = (covariance.clone() * identity_like(&covariance)).sum_dim(1);
    // The score is the same in every unit, so the unit is a constant: the gradient of a quotient by a
    // tracked number squares that number, which leaves the range of f32.
    let trace = diagonal.clone().sum_dim(0).without_autodiff();
    let nothing = trace.clone().equal_scalar(0.0);
    let trace = trace.mask_fill(nothing, 1.0);
    let sigma = covariance / trace.clone();
    let share = diagonal / trace;

    let squares = sigma.clone() * sigma;
    let excess = share.clone() * share.transpose() - squares.clone();
    // Rows are summed first, then columns, because a single long f32 sum loses precision. F is at
    // least 1/d unless Σ = 0, where the excess is 0 too.
    let frobenius = squares.sum_dim(1).sum_dim(0).clamp_min(0.5 / d as f64);
    let score = excess.sum_dim(1).sum_dim(0) / (frobenius * (d - 1) as f64);
    score.squeeze_dim(0)
}

/// IsoScore of points: [`isoscore_of_covariance`] of their sample covariance.
///
/// The score is biased low unless n ≫ d, since with n points the expectation of the plug-in F is
/// about F + t²/n; see [`isoscore_unbiased`](crate::isoscore_unbiased). A single point, or points
/// that are all equal, have no variance: the score is 0, with zero gradient.
///
/// # Shapes
/// - `points`: `[n, d]`, `d ≥ 2`
/// - output: `[1]`, in `[0, 1]`
///
/// # Panics
/// If `d < 2`.
pub fn isoscore(points: Tensor<2>) -> Tensor<1> {
    isoscore_of_covariance(Moments::from_points(points).covariance())
}

/// IsoScore* of points: the IsoScore of their covariance after shrinkage.
///
/// ```text
///   IsoScore*(X, T, ζ) = ι((1 − ζ)·Σ_X + ζ·T)
/// ```
///
/// # Shapes
/// - `points`: `[n, d]`, `d ≥ 2`
/// - `reference`: `[d, d]`; required if the target of the shrinkage is the reference
/// - output: `[1]`, in `[0, 1]`
///
/// # Panics
/// If `d < 2`, if a required reference is missing, or if the shape of the target is not `[d, d]`.
///
/// # References
/// Rudman & Eickhoff, "Stable Anisotropic Regularization" (ICLR 2024), Algorithm 1.
pub fn isoscore_star(
    points: Tensor<2>,
    shrinkage: &Shrinkage,
    reference: Option<&Tensor<2>>,
) -> Tensor<1> {
    isoscore_of_covariance(shrinkage.apply(Moments::from_points(points).covariance(), reference))
}
