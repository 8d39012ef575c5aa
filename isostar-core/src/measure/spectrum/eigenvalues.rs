//! The eigenvalues of a covariance or a second moment, on the host in f64.

use burn::prelude::*;
use faer::{MatRef, Side};
use isostar_kernels::exact_product;

use super::second_moment::second_moment;
use crate::moments::widen;
use crate::unbiased::centre;
use crate::{Moments, RunningMoments};

/// Rows per product; the products of blocks are summed in f64.
const BLOCK_ROWS: usize = 8192;

/// Relative size below which entries count as 0, 2⁻¹⁰⁰. Eigenvalues are exact to 2⁻⁵² of the
/// largest, and the eigenvalue iteration may not end if squares of entries underflow.
const NEGLIGIBLE: f64 = 1.0 / (1_u128 << 100) as f64;

/// The eigenvalues λ₁ ≥ … ≥ λ_d ≥ 0 of a sample covariance.
///
/// Points of size 1e-200 have variances of 1e-400, which f64 cannot represent. A unit of length s
/// is therefore stored separately, λ = s²·v, and every measure of a spectrum has its value, as none
/// depends on scale. Eigenvalues that rounding made negative are set to 0. n points have at most
/// n − 1 directions of variance: if n is known, as it is for points and for moments, the remaining
/// eigenvalues are exactly 0.
///
/// If the points have no variance, all eigenvalues are 0; if a number is not finite, all are NaN.
/// Measures of a spectrum are `None` in both cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// Unit of length s.
    unit: f64,
    /// Eigenvalues in units of s², descending. Length d.
    values: Vec<f64>,
}

impl Spectrum {
    /// The spectrum of a covariance given row by row; only the lower triangle is read. Costs O(d³).
    ///
    /// # Panics
    /// If the length of `covariance` is not `width`².
    pub fn from_covariance(covariance: &[f64], width: usize) -> Self {
        let expected = width * width;
        assert_eq!(
            covariance.len(),
            expected,
            "Spectrum::from_covariance: width {width} needs {expected} numbers, got {}",
            covariance.len()
        );
        if !covariance.iter().all(|entry| entry.is_finite()) {
            return Self::all(f64::NAN, width);
        }
        let (largest, scaled) = in_units_of_largest(covariance);
        if largest == 0.0 {
            return Self::all(0.0, width);
        }
        let matrix = MatRef::from_row_major_slice(&scaled, width, width);
        let ascending = matrix
            .self_adjoint_eigenvalues(Side::Lower)
            .expect("the eigenvalues of a finite symmetric matrix converge");
        Self {
            unit: largest.sqrt(),
            values: ascending
                .into_iter()
                .rev()
                .map(|value| value.max(0.0))
                .collect(),
        }
    }

    /// The spectrum of the sample covariance of a stream of points.
    pub fn from_moments(moments: &RunningMoments) -> Self {
        let degrees = moments.count().saturating_sub(1);
        if degrees == 0 {
            return Self::all(0.0, moments.width());
        }
        let covariance: Vec<f64> = moments
            .scatter()
            .iter()
            .map(|sum| sum / degrees as f64)
            .collect();
        let rank = usize::try_from(degrees).unwrap_or(usize::MAX);
        Self::from_covariance(&covariance, moments.width()).of_rank(rank)
    }

    /// The spectrum of the second moment XᵀX of uncentred points x = origin + unit·y, from the
    /// `moments` of the deviations y. Its square roots are the singular values of X.
    ///
    /// # Panics
    /// If the width of the origin differs from that of the moments.
    pub fn from_second_moment(moments: &RunningMoments, origin: &[f64], unit: f64) -> Self {
        let d = moments.width();
        assert_eq!(
            origin.len(),
            d,
            "Spectrum::from_second_moment: an origin of width {} for moments of width {d}",
            origin.len()
        );
        let (length, second) = second_moment(moments, origin, unit);
        let rank = usize::try_from(moments.count()).unwrap_or(usize::MAX);
        Self::from_covariance(&second, d)
            .of_rank(rank)
            .scaled(length)
    }

    /// The spectrum of the sample covariance of points.
    ///
    /// Products are computed on the points' device, along the smaller of n and d; in f32,
    /// eigenvalues carry an error of a few 1e-7·λ₁.
    ///
    /// # Shapes
    /// - `points`: `[n, d]`
    pub fn from_points(points: Tensor<2>) -> Self {
        let [n, d] = points.dims();
        if n < 2 || d == 0 {
            return Self::all(0.0, d);
        }
        let centred = centre(centre(widen(points.without_autodiff())));
        let unit: f64 = centred.clone().abs().max().into_scalar();
        if unit == 0.0 || !unit.is_finite() {
            return Self::all(if unit == 0.0 { 0.0 } else { f64::NAN }, d);
        }
        let centred = centred / unit;
        let spectrum = if n < d {
            let product = exact_product(centred.clone(), centred.transpose());
            let products: Vec<f64> = product.try_to_vec_as().expect("the device can be read");
            let covariance: Vec<f64> = products
                .iter()
                .map(|product| product / (n - 1) as f64)
                .collect();
            let mut spectrum = Self::from_covariance(&covariance, n).of_rank(n - 1);
            // The n×n product has the nonzero eigenvalues of the d×d one.
            spectrum.values.resize(d, 0.0);
            spectrum
        } else {
            let mut moments = RunningMoments::new(d);
            for block in centred.split(BLOCK_ROWS, 0) {
                moments
                    .update(&Moments::from_points(block))
                    .expect("the device can be read");
            }
            Self::from_moments(&moments)
        };
        spectrum.scaled(unit)
    }

    /// The spectrum of the same points, each multiplied by `factor`.
    pub fn scaled(mut self, factor: f64) -> Self {
        self.unit *= factor.abs();
        self
    }

    /// The width d of the points.
    pub fn width(&self) -> usize {
        self.values.len()
    }

    /// The eigenvalues, descending: the variances along the principal components. Length d; values
    /// outside the range of f64 are ∞ or 0.
    pub fn eigenvalues(&self) -> Vec<f64> {
        self.values
            .iter()
            .map(|value| value * self.unit * self.unit)
            .collect()
    }

    /// The share of each principal component in the variance, pₖ = λₖ/Σλ, descending; `None` if the
    /// points have no variance. Length d.
    pub fn shares(&self) -> Option<Vec<f64>> {
        let total: f64 = self.values.iter().sum();
        (total > 0.0).then(|| self.values.iter().map(|value| value / total).collect())
    }

    /// A spectrum whose eigenvalues are all `value`.
    fn all(value: f64, width: usize) -> Self {
        Self {
            unit: 1.0,
            values: vec![value; width],
        }
    }

    /// Sets all eigenvalues after the first `rank` to 0.
    fn of_rank(mut self, rank: usize) -> Self {
        self.values
            .iter_mut()
            .skip(rank)
            .for_each(|value| *value *= 0.0);
        self
    }
}

/// The largest magnitude of a symmetric matrix, and the entries divided by it, ready to be
/// decomposed. They are NaN if it is 0.
pub(super) fn in_units_of_largest(entries: &[f64]) -> (f64, Vec<f64>) {
    let largest = entries
        .iter()
        .fold(0.0_f64, |largest, entry| largest.max(entry.abs()));
    let scaled = entries.iter().map(|entry| entry / largest);
    (
        largest,
        scaled
            .map(|entry| if entry.abs() < NEGLIGIBLE { 0.0 } else { entry })
            .collect(),
    )
}
