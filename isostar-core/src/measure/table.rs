//! Every measure with what it promises.

use std::ops::RangeInclusive;

use burn::prelude::*;

use super::{
    EXPLAINED_SHARE, OutlierThreshold, Spectrum, VAREX_FRACTION, cosreg, effective_rank, explained_variance, mean_cosine,
    outlier_dimensions, participation_ratio, partition, varex,
};
use crate::{Moments, RunningMoments, isoscore, isoscore_unbiased};

/// One number that says something of the geometry of points, and what it promises.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its name, as in the output of `isostar measure`.
    pub name: &'static str,
    /// The measure itself.
    pub function: Function,
    /// The values that n points of d dimensions may have, but for rounding; infinite where nothing bounds them.
    pub range: fn(n: usize, d: usize) -> RangeInclusive<f64>,
    /// What it costs.
    pub cost: Cost,
    /// What of the points it does not depend on.
    pub ignores: Ignores,
}

/// A function of points `[n, d]`.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    /// Tensor code, to a tensor of shape `[1]`, which Burn's autodiff differentiates.
    Differentiable(fn(Tensor<2>) -> Tensor<1>),
    /// To a number on the host, not differentiable; `None` where there is no value.
    Host(fn(Tensor<2>) -> Option<f64>),
}

/// How time grows with the number n of points and their width d; memory beyond the points is O(d²) and a block of rows for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// O(n·d).
    Linear,
    /// O(n·d²): a covariance.
    Moments,
    /// O(n·d² + d³): the eigenvalues of a covariance, on the host in f64.
    Spectrum,
    /// O(n²·d): the distances of all pairs.
    Pairs,
}

/// What may happen to points without changing a measure, but for rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignores {
    /// Adding the same vector to each.
    pub translation: bool,
    /// Multiplying each by the same positive number.
    pub scale: bool,
    /// Turning all by the same rotation.
    pub rotation: bool,
}

impl Measure {
    /// The measure of points `[n, d]` as a number. Differentiable measures have one for all points, see their documentation.
    ///
    /// # Panics
    /// If the measure needs more dimensions than there are, as [`isoscore`] does where d < 2.
    pub fn of(&self, points: Tensor<2>) -> Option<f64> {
        match self.function {
            Function::Differentiable(function) => Some(function(points).into_scalar()),
            Function::Host(function) => function(points),
        }
    }

    /// Whether Burn's autodiff differentiates it.
    pub fn is_differentiable(&self) -> bool {
        matches!(self.function, Function::Differentiable(_))
    }
}

/// Lengths and angles only.
const RIGID_AND_SCALE: Ignores = Ignores { translation: true, scale: true, rotation: true };

/// Every measure that is one number. The tests of what all measures owe are driven by this table, so a new one joins by one entry.
///
/// ```
/// use burn::prelude::*;
/// use isostar_core::measure::{Cost, MEASURES};
///
/// let points = Tensor::<2>::from_floats([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], &Device::flex());
/// for measure in MEASURES.iter().filter(|measure| measure.cost != Cost::Pairs) {
///     println!("{:<20} {:?}", measure.name, measure.of(points.clone()));
/// }
/// ```
pub const MEASURES: &[Measure] = &[
    Measure {
        name: "isoscore",
        function: Function::Differentiable(isoscore),
        range: |_, _| 0.0..=1.0,
        cost: Cost::Moments,
        ignores: RIGID_AND_SCALE,
    },
    Measure {
        name: "isoscore_unbiased",
        function: Function::Host(isoscore_unbiased),
        // Few points may take it past either end of [0, 1].
        range: |_, d| -1.0 / (d as f64 - 1.0)..=f64::INFINITY,
        cost: Cost::Moments,
        ignores: RIGID_AND_SCALE,
    },
    Measure {
        name: "mean_cosine",
        function: Function::Differentiable(mean_cosine),
        range: |n, _| -1.0 / (n as f64 - 1.0).max(1.0)..=1.0,
        cost: Cost::Linear,
        ignores: Ignores { translation: false, scale: true, rotation: true },
    },
    Measure {
        name: "cosreg",
        function: Function::Differentiable(cosreg),
        range: |n, _| -1.0 / n as f64..=1.0 - 1.0 / n as f64,
        cost: Cost::Linear,
        ignores: Ignores { translation: false, scale: true, rotation: true },
    },
    Measure {
        name: "partition",
        function: Function::Host(partition),
        range: |_, _| 0.0..=1.0,
        cost: Cost::Spectrum,
        ignores: Ignores { translation: false, scale: false, rotation: true },
    },
    Measure {
        name: "effective_rank",
        function: Function::Host(|points| effective_rank(&Spectrum::of_points(points))),
        range: directions_of_variance,
        cost: Cost::Spectrum,
        ignores: RIGID_AND_SCALE,
    },
    Measure {
        name: "participation_ratio",
        function: Function::Host(|points| participation_ratio(&Spectrum::of_points(points))),
        range: directions_of_variance,
        cost: Cost::Spectrum,
        ignores: RIGID_AND_SCALE,
    },
    Measure {
        name: "explained_variance",
        function: Function::Host(|points| {
            explained_variance(&Spectrum::of_points(points), EXPLAINED_SHARE).map(|explained| explained.components as f64)
        }),
        range: directions_of_variance,
        cost: Cost::Spectrum,
        ignores: RIGID_AND_SCALE,
    },
    Measure {
        name: "varex",
        function: Function::Host(|points| varex(&Spectrum::of_points(points), VAREX_FRACTION)),
        range: |_, d| 1.0 / d as f64..=1.0,
        cost: Cost::Spectrum,
        ignores: RIGID_AND_SCALE,
    },
    Measure {
        name: "outlier_dimensions",
        function: Function::Host(|points| {
            let [_, d] = points.dims();
            let mut moments = RunningMoments::new(d);
            moments.update(&Moments::of_points(points.without_autodiff())).expect("the device can be read");
            let std = moments.standard_deviations();
            Some(outlier_dimensions(moments.mean(), &std, OutlierThreshold::default()).len() as f64)
        }),
        range: |_, d| 0.0..=2.0 * d as f64 / 5.0,
        cost: Cost::Moments,
        ignores: Ignores { translation: false, scale: true, rotation: false },
    },
];

/// From one direction to as many as n points of d dimensions can vary in.
fn directions_of_variance(n: usize, d: usize) -> RangeInclusive<f64> {
    1.0..=n.saturating_sub(1).min(d) as f64
}
