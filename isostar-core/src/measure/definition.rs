//! What a measure is and what it promises.

use std::ops::RangeInclusive;

use burn::prelude::*;

use super::{Partition, Summary};

/// One number that says something of the geometry of points, and what it promises.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its name in text.
    pub title: &'static str,
    /// A name short enough for the head of a column.
    pub column: &'static str,
    /// How many decimals to print; with 4, a value below 0.001 is printed with four significant digits.
    pub digits: usize,
    /// The values that n points of d dimensions may have, but for rounding; infinite where nothing bounds them.
    pub range: fn(n: usize, d: usize) -> RangeInclusive<f64>,
    /// What it is computed from, which determines its cost.
    pub needs: Needs,
    /// What of the points it does not depend on.
    pub ignores: Ignores,
    /// Where it was published.
    pub reference: &'static str,
    /// Its value in f64 on the host; `None` where there is none, or the summary lacks what it needs.
    pub value: fn(&Summary) -> Option<f64>,
    /// The same as tensor code from points `[n, d]` to shape `[1]`, where Burn's autodiff differentiates it.
    pub differentiable: Option<fn(Tensor<2>) -> Tensor<1>>,
}

/// What a measure is computed from, and how time grows with the number n of points and their width d. Memory beyond the points is O(d²) and
/// a block of rows for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Sums of directions: O(n·d).
    Directions,
    /// Mean and covariance: O(n·d²).
    Moments,
    /// The eigenvalues of the covariance: O(n·d² + d³).
    Spectrum,
    /// The singular values of the points, which are not centred: O(n·d² + d³).
    SingularValues,
    /// Another pass over the points: O(n·d² + d³).
    Partition,
    /// The distances of all pairs: O(n²·d).
    Neighbours,
    /// A covariance to shrink towards, beside the points.
    Reference,
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
    /// The measure of points `[n, d]`: the [`value`](Self::value) of their [`Summary`], with what the measure needs added to it. A measure
    /// that needs a reference has no value.
    ///
    /// # Panics
    /// If the device cannot be read.
    pub fn of(&self, points: Tensor<2>) -> Option<f64> {
        let summary = Summary::from_points(points.clone()).expect("the device can be read");
        let summary = match self.needs {
            Needs::Partition => summary.with_partition(&Partition::from_points(points).expect("the device can be read")),
            Needs::Neighbours => summary.with_neighbours_of(points, &|_| ()),
            _ => summary,
        };
        (self.value)(&summary)
    }
}
