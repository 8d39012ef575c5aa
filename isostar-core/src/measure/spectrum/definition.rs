//! The definition of a measure: its name, value, range, cost and invariances.

use std::ops::RangeInclusive;

use burn::prelude::*;

use super::{Partition, Summary};

/// One number that describes the geometry of points, with its range, cost and invariances.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Name in JSON.
    pub name: &'static str,
    /// Name in text.
    pub title: &'static str,
    /// Short name for column headings.
    pub column: &'static str,
    /// Number of decimals to print; with 4, a value below 0.001 is printed with four significant
    /// digits.
    pub digits: usize,
    /// Range of values for n points of d dimensions, up to rounding; infinite where there is no
    /// bound.
    pub range: fn(n: usize, d: usize) -> RangeInclusive<f64>,
    /// What the measure is computed from, which determines its cost.
    pub needs: Needs,
    /// Transformations of the points under which the measure is invariant.
    pub ignores: Ignores,
    /// Publication that defines the measure.
    pub reference: &'static str,
    /// Computes the value in f64 on the host; `None` if it is undefined or the summary lacks what
    /// it needs.
    pub value: fn(&Summary) -> Option<f64>,
    /// The same measure as tensor code, from points `[n, d]` to shape `[1]`, differentiable by
    /// Burn's autodiff.
    pub differentiable: Option<fn(Tensor<2>) -> Tensor<1>>,
}

/// What a measure is computed from, and how its time grows with the number n of points and their
/// width d. All of them need O(d²) memory and a block of rows beyond the points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Sums of directions: O(n·d).
    Directions,
    /// Mean and covariance: O(n·d²).
    Moments,
    /// The eigenvalues of the covariance: O(n·d² + d³).
    Spectrum,
    /// The singular values of the uncentred points: O(n·d² + d³).
    SingularValues,
    /// A second pass over the points: O(n·d² + d³).
    Partition,
    /// The distances between all pairs: O(n²·d).
    Neighbours,
    /// A reference covariance to shrink towards, in addition to the points.
    Reference,
}

/// Transformations of the points that leave a measure unchanged, up to rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignores {
    /// Adding the same vector to every point.
    pub translation: bool,
    /// Multiplying every point by the same positive number.
    pub scale: bool,
    /// Rotating all points by the same rotation.
    pub rotation: bool,
}

impl Measure {
    /// Computes the measure of points `[n, d]`: the [`value`](Self::value) of their [`Summary`],
    /// extended by what the measure needs. A measure that needs a reference has no value.
    ///
    /// # Panics
    /// If the device cannot be read.
    pub fn of(&self, points: Tensor<2>) -> Option<f64> {
        let summary = Summary::from_points(points.clone()).expect("the device can be read");
        let summary = match self.needs {
            Needs::Partition => summary
                .with_partition(&Partition::from_points(points).expect("the device can be read")),
            Needs::Neighbours => summary.with_neighbours_of(points, &|_| ()),
            _ => summary,
        };
        (self.value)(&summary)
    }
}
