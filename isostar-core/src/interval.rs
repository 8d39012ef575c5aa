//! Confidence intervals of the unbiased IsoScore: a jackknife over groups of points.

use std::ops::Range;

use burn::prelude::*;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::moments::widen;
use crate::unbiased::centre;
use crate::{Moments, RunningMoments};

/// The maximum number of groups: more would narrow the interval by less than 5%.
const MOST_GROUPS: usize = 20;
/// The minimum number of points per group: with fewer, the group means take up too many degrees of
/// freedom.
const FEWEST_POINTS: usize = 5;
/// The minimum number of groups: with three, the quadratic term cannot be separated from the linear
/// one.
const FEWEST_GROUPS: usize = 4;

/// A confidence interval of IsoScore from the covariances of groups of points.
///
/// Let Σ_g be the sample covariance of group g, with g = 1 … G, and t_g = tr Σ_g its trace. For two
/// independent groups, ⟨Σ_g, Σ_h⟩ and t_g·t_h are unbiased estimates of tr Σ² and (tr Σ)². The
/// score, (1/φ − 1)/(d − 1) with φ = tr Σ²/(tr Σ)², is therefore estimated without pairing any
/// point with itself:
///
/// ```text
///   φ̂ = F̄/T̄                            F̄, T̄ = means over g ≠ h of ⟨Σ_g, Σ_h⟩ and t_g·t_h
///   D_gh = (⟨Σ_g, Σ_h⟩ − φ̂·t_g·t_h)/T̄   contribution of the pair to φ̂
///   V = 4(G − 1)²/(G(G − 2)²)·s² − excess        s² = variance of the row means of D
///   φ̂ ± t_{G−1}·√V,  converted to scores and clamped to [0, 1]
/// ```
///
/// The first term of V is the variance of the jackknife that leaves out one group at a time. Let σ²
/// be the variance of the quadratic part of D, which is the residual after row effects. The
/// jackknife counts it as 4σ²/(G(G − 2)) instead of 2σ²/(G(G − 1)). Near isotropy the quadratic
/// part is the whole variance. The excess is subtracted, following Efron and Stein.
///
/// Points are not resampled individually: a point drawn twice forms a pair with itself,
/// contributing ‖x‖⁴ instead of (xᵀy)², which restores the bias that the estimate avoids. Groups
/// should be contiguous, as [`groups`](Self::groups) makes them. Tokens of the same sentence are
/// not independent; in contiguous groups they stay together, and the interval accounts for their
/// dependence. If a file is sorted by topic, the interval is wide.
///
/// Memory is G·d²/2 values of f32: 24 MB at d = 768 with 20 groups. Each group is read once.
///
/// ```
/// use burn::prelude::*;
/// use burn::tensor::Distribution;
/// use isostar_core::{IsoscoreJackknife, Moments, RunningMoments};
///
/// let device = Device::flex();
/// device.seed(1);
/// let points = Tensor::<2>::random([2000, 8], Distribution::Normal(0.0, 1.0), &device);
/// let mut jackknife = IsoscoreJackknife::new(8);
/// for rows in IsoscoreJackknife::groups(2000) {
///     let mut group = RunningMoments::new(8);
///     group.update(&Moments::from_points(points.clone().slice([rows])))?; // or block by block
///     jackknife.push(&group);
/// }
/// let [low, high] = jackknife.interval(0.9).unwrap();
/// assert!(0.9 < low && low < high && high <= 1.0);
/// # Ok::<(), burn::tensor::TensorReadError>(())
/// ```
///
/// # References
/// Efron & Stein, "The jackknife estimate of variance" (1981); Arvesen, "Jackknifing U-statistics" (1969); Künsch, "The jackknife and the
/// bootstrap for general stationary observations" (1989), for contiguous groups.
#[derive(Clone, Debug)]
pub struct IsoscoreJackknife {
    width: usize,
    /// t_g of every group.
    traces: Vec<f64>,
    /// The lower triangle of Σ_g/t_g of every group. Entries off the diagonal are multiplied by √2,
    /// so that ⟨·, ·⟩ is a sum of products.
    covariances: Vec<Vec<f32>>,
    /// ⟨Σ_g, Σ_h⟩/(t_g·t_h) of every h < g.
    products: Vec<Vec<f64>>,
}

impl IsoscoreJackknife {
    /// Creates a jackknife without groups, for points of width `d`.
    pub fn new(d: usize) -> Self {
        Self {
            width: d,
            traces: vec![],
            covariances: vec![],
            products: vec![],
        }
    }

    /// Splits `n` rows into contiguous groups of nearly equal size: at most 20 groups, each of at
    /// least five points.
    pub fn groups(n: usize) -> impl Iterator<Item = Range<usize>> {
        let groups = (n / FEWEST_POINTS).min(MOST_GROUPS);
        (0..groups).map(move |group| group * n / groups..(group + 1) * n / groups)
    }

    /// Adds a group that is independent of the others. A group of fewer than two points has no
    /// covariance and is ignored.
    ///
    /// # Panics
    /// If the group has another width.
    pub fn push(&mut self, group: &RunningMoments) {
        let d = self.width;
        assert_eq!(
            group.width(),
            d,
            "IsoscoreJackknife::push: a group of width {} for a jackknife of width {d}",
            group.width()
        );
        if group.count() < 2 {
            return;
        }
        let scatter = group.scatter();
        let trace: f64 = scatter.iter().step_by(d + 1).sum();
        let unit = if trace > 0.0 { trace } else { 1.0 };
        let mut covariance = Vec::with_capacity(d * (d + 1) / 2);
        for (row, sums) in scatter.chunks_exact(d).enumerate() {
            covariance.extend(
                sums[..row]
                    .iter()
                    .map(|sum| (std::f64::consts::SQRT_2 * sum / unit) as f32),
            );
            covariance.push((sums[row] / unit) as f32);
        }
        self.products.push(
            self.covariances
                .iter()
                .map(|other| inner_product(&covariance, other))
                .collect(),
        );
        self.covariances.push(covariance);
        self.traces.push(trace / (group.count() - 1) as f64);
    }

    /// The interval that contains the score of the points' distribution with probability
    /// `confidence`, within [0, 1].
    ///
    /// At a confidence of 0 or less, both ends are the estimate; at 1 or more, the interval is
    /// [0, 1]. The result is `None` if there are fewer than four groups or two dimensions, if fewer
    /// than two groups have any variance, or if `confidence` or the estimate is not a number.
    pub fn interval(&self, confidence: f64) -> Option<[f64; 2]> {
        let groups = self.traces.len();
        let largest = self
            .traces
            .iter()
            .fold(0.0, |largest: f64, trace| largest.max(*trace));
        let varied = largest > 0.0;
        if groups < FEWEST_GROUPS || self.width < 2 || !varied || confidence.is_nan() {
            return None;
        }
        // The score does not depend on scale. Division by the largest trace prevents overflow.
        let traces: Vec<f64> = self.traces.iter().map(|trace| trace / largest).collect();
        let cosine = |g: usize, h: usize| self.products[g.max(h)][g.min(h)];
        let [mut frobenius, mut squared_trace] = [0.0; 2];
        for (g, h) in (0..groups).flat_map(|g| (0..g).map(move |h| (g, h))) {
            frobenius += traces[g] * traces[h] * cosine(g, h);
            squared_trace += traces[g] * traces[h];
        }
        let pairs = (groups * (groups - 1)) as f64 / 2.0;
        let phi = frobenius / squared_trace;
        if phi.is_nan() {
            return None;
        }
        let variance = variance_of_mean(groups, |g, h| {
            traces[g] * traces[h] * (cosine(g, h) - phi) * pairs / squared_trace
        });
        let student =
            StudentsT::new(0.0, 1.0, (groups - 1) as f64).expect("there are degrees of freedom");
        let quantile = student.inverse_cdf(0.5 + 0.5 * confidence.clamp(0.0, 1.0));
        let reach = if quantile.is_infinite() {
            quantile
        } else {
            quantile * variance.sqrt()
        };
        let d = self.width as f64;
        let score = |phi: f64| (1.0 / phi.clamp(1.0 / d, 1.0) - 1.0) / (d - 1.0);
        Some([score(phi + reach), score(phi - reach)])
    }
}

/// A confidence interval of the IsoScore of the distribution from which the points were drawn; see
/// [`IsoscoreJackknife`].
///
/// `None` if there are fewer than twenty points or two dimensions, or if the points have no
/// variance.
///
/// # Shapes
/// - `points`: `[n, d]`; contiguous rows form the groups
pub fn isoscore_interval(points: Tensor<2>, confidence: f64) -> Option<[f64; 2]> {
    let [n, d] = points.dims();
    if n < FEWEST_GROUPS * FEWEST_POINTS || d < 2 {
        return None;
    }
    let centred = centre(widen(points.without_autodiff()));
    // Division by the largest deviation keeps products within the range of f32.
    let largest: f64 = centred.clone().abs().max().into_scalar();
    let varied = largest > 0.0;
    if !varied {
        return None;
    }
    let centred = centred / largest;
    let mut jackknife = IsoscoreJackknife::new(d);
    for rows in IsoscoreJackknife::groups(n) {
        let mut group = RunningMoments::new(d);
        group
            .update(&Moments::from_points(centred.clone().slice([rows])))
            .expect("the device can be read");
        jackknife.push(&group);
    }
    jackknife.interval(confidence)
}

/// The variance of the mean of D_gh = D_hg over pairs g ≠ h. Rows and columns correspond to
/// independent draws.
fn variance_of_mean(groups: usize, d: impl Fn(usize, usize) -> f64) -> f64 {
    let g = groups as f64;
    let others = |row: usize| (0..groups).filter(move |&column| column != row);
    let rows: Vec<f64> = (0..groups)
        .map(|row| others(row).map(|column| d(row, column)).sum::<f64>() / (g - 1.0))
        .collect();
    let mean = rows.iter().sum::<f64>() / g;
    let effects: Vec<f64> = rows
        .iter()
        .map(|row| (g - 1.0) / (g - 2.0) * (row - mean))
        .collect();
    let residual =
        |row: usize, column: usize| d(row, column) - mean - effects[row] - effects[column];
    let squares: f64 = (0..groups)
        .flat_map(|row| (0..row).map(move |column| (row, column)))
        .map(|(row, column)| residual(row, column).powi(2))
        .sum();
    let quadratic = squares / (g * (g - 3.0) / 2.0);

    let spread = rows.iter().map(|row| (row - mean).powi(2)).sum::<f64>() / (g - 1.0);
    let jackknife = 4.0 * (g - 1.0).powi(2) / (g * (g - 2.0).powi(2)) * spread;
    let counted = 4.0 * quadratic / (g * (g - 2.0));
    let right = 2.0 * quadratic / (g * (g - 1.0));
    (jackknife - counted).max(0.0) + right
}

/// Σₖ aₖbₖ in f64, in eight partial sums that the compiler can vectorize.
fn inner_product(a: &[f32], b: &[f32]) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(*a) * f64::from(*b);
        }
    }
    let rest: f64 = a_rest
        .iter()
        .zip(b_rest)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum();
    sums.iter().sum::<f64>() + rest
}
