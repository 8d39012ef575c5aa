//! An estimator of IsoScore that corrects the bias of the plug-in score at small sample sizes.

use burn::prelude::*;
use isostar_kernels::{exact_product, sum_of_rows};

use crate::moments::widen;

/// The smallest ratio of F̂ to the sum of its absolute terms that is accepted, 2⁻¹⁶. If the terms
/// cancel, f32 rounding leaves a residue of 6e-6 of them for 500 points. A smaller F̂ would mean a
/// score above 3 in ten thousand dimensions, and a larger one in fewer dimensions.
pub(crate) const LEAST_SHARE: f64 = 1.0 / 65_536.0;

/// The sums over centred points xᵢ − m that the unbiased estimator requires.
///
/// They can be computed from the Gram matrix of the points or from their scatter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnbiasedSums {
    /// The number n of points.
    pub count: f64,
    /// Σᵢ ‖xᵢ − m‖² = tr S.
    pub squared_norms: f64,
    /// Σᵢ ‖xᵢ − m‖⁴.
    pub fourth_powers: f64,
    /// ‖S‖_F², equal to the squared Frobenius norm of the Gram matrix.
    pub scatter_squared: f64,
}

impl UnbiasedSums {
    /// The sums of points in units of their largest deviation; 0 where nothing varies or a number is not finite.
    ///
    /// # Shapes
    /// - `points`: `[n, d]`; the smaller of the `[n, n]` and `[d, d]` products is formed
    pub fn from_points(points: Tensor<2>) -> Self {
        let [n, d] = points.dims();
        let nothing = Self {
            count: n as f64,
            squared_norms: 0.0,
            fourth_powers: 0.0,
            scatter_squared: 0.0,
        };
        if n * d == 0 {
            return nothing;
        }
        let centred = centre(centre(widen(points.without_autodiff())));
        // So that fourth powers stay within f32.
        let largest: f64 = centred.clone().abs().max().into_scalar();
        let varied = largest > 0.0;
        if !varied {
            return nothing;
        }
        let centred = centred / largest;
        let norms: Tensor<2> = centred.clone().square().sum_dim(1);
        let transposed = centred.clone().transpose();
        let products = if n < d {
            exact_product(centred, transposed)
        } else {
            exact_product(transposed, centred)
        };
        let total = |column: Tensor<2>| -> f64 { column.sum_dim(0).into_scalar() };
        Self {
            squared_norms: total(norms.clone()),
            fourth_powers: total(norms.square()),
            scatter_squared: total(products.square().sum_dim(1)),
            ..nothing
        }
    }

    /// The estimate (t̂²/F̂ − 1)/(d − 1), where F̂ is the U-statistic of tr Σ² over distinct rows.
    ///
    /// ```text
    ///   F̂ = A/(n)₂ − 2B/(n)₃ + C/(n)₄        (n)ₖ = n(n − 1)…(n − k + 1)
    ///   A = P − Q,   B = 2Q − P,   C = T² + 2P − 6Q
    ///   T = Σ‖xᵢ − m‖²,   Q = Σ‖xᵢ − m‖⁴,   P = ‖S‖_F²
    /// ```
    ///
    /// The estimator does not depend on the origin, so it is written for centred rows, where Σⱼ≠ᵢ
    /// xᵢᵀxⱼ = −‖xᵢ‖².
    ///
    /// The result is `None` if there are fewer than four points, fewer than two dimensions or no
    /// variance, or if F̂ is at most 2⁻¹⁶ of the sum of its absolute terms. The last case can occur
    /// with few points, and always occurs if one point is far larger than all others.
    ///
    /// # References
    /// Chen, Zhang & Zhong, "Tests for high-dimensional covariance matrices" (JASA 2010).
    pub fn isoscore(&self, d: usize) -> Option<f64> {
        let n = self.count;
        let varied = self.squared_norms > 0.0;
        if n < 4.0 || d < 2 || !varied {
            return None;
        }
        // The score does not depend on scale. Division by T prevents overflow.
        let p = self.scatter_squared / self.squared_norms / self.squared_norms;
        let q = self.fourth_powers / self.squared_norms / self.squared_norms;
        let pairs = n * (n - 1.0);
        let triples = pairs * (n - 2.0);
        let quadruples = triples * (n - 3.0);
        let frobenius = (p - q) / pairs - 2.0 * (2.0 * q - p) / triples
            + (1.0 + 2.0 * p - 6.0 * q) / quadruples;
        let terms = (p + q) / pairs
            + 2.0 * (2.0 * q + p) / triples
            + (1.0 + 2.0 * p + 6.0 * q) / quadruples;
        let trace = 1.0 / (n - 1.0);
        (frobenius > LEAST_SHARE * terms)
            .then(|| (trace * trace / frobenius - 1.0) / (d as f64 - 1.0))
    }
}

/// A nearly unbiased estimate of IsoScore: the participation ratio with the U-statistic of tr Σ² as
/// denominator.
///
/// For 64 points of a 768-dimensional Gaussian with a true score of 0.867, the plug-in
/// [`isoscore`](crate::isoscore) is 0.07 and this estimate is 0.889 ± 0.040. The rows are assumed
/// to be independent; tokens of the same sentence are not. If n is small, the estimate may lie
/// outside [0, 1]; it is not clamped. It is not differentiable, because it reads four numbers back
/// from the device.
///
/// `None` if no estimate exists; see [`UnbiasedSums::isoscore`].
///
/// # Shapes
/// - `points`: `[n, d]`; the smaller of the `[n, n]` and `[d, d]` products is formed
///
/// # References
/// Chen, Zhang & Zhong, "Tests for high-dimensional covariance matrices" (JASA 2010).
pub fn isoscore_unbiased(points: Tensor<2>) -> Option<f64> {
    let [n, d] = points.dims();
    if n < 4 || d < 2 {
        return None;
    }
    UnbiasedSums::from_points(points).isoscore(d)
}

/// Subtracts the mean. If the mean is far from zero, a second call removes the rounding error of
/// the first.
pub(crate) fn centre(points: Tensor<2>) -> Tensor<2> {
    let [n, _] = points.dims();
    let weights = Tensor::ones([1, n], (&points.device(), points.dtype()));
    let mean = sum_of_rows(weights, points.clone()) / n as f64;
    points - mean
}
