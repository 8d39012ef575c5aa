//! The partition score of Mu and Viswanath, computed over blocks of points.

use burn::prelude::*;
use burn::tensor::{DType, TensorReadError};
use faer::{MatRef, Side};
use isostar_kernels::exact_product;

use super::eigenvalues::in_units_of_largest;
use super::second_moment::second_moment;
use crate::moments::widen;
use crate::{Moments, RunningMoments};

/// Rows per block; the exponentials of one block are summed in f32.
const BLOCK_ROWS: usize = 1024;

/// How evenly points fill the directions of their second moment.
///
/// ```text
///   I(X) = min Z(c)/max Z(c)        Z(c) = Σᵢ exp(c·xᵢ),  c ∈ {±u : u an eigenvector of XᵀX}
/// ```
///
/// The sign of an eigenvector is arbitrary and Z(u) ≠ Z(−u), so both signs count. The score lies in
/// `[0, 1]`: 1 if all directions are alike, near 0 if one dominates. It depends on the points'
/// origin and scale: for points of norm 1,000, Z contains terms of e¹⁰⁰⁰, and the score may
/// underflow to 0 while its logarithm stays finite. If the second moment is equal in several
/// directions, as for exactly isotropic points, the eigenvectors are not unique, and the score is
/// that of the ones found.
///
/// The directions come from the moments of the points, in f64 on the host; the sums come from a
/// second pass over the points, in blocks, on a device. Each sum is stored as its largest exponent
/// and a factor relative to it, and merges with the sums of other blocks. Memory is O(d²) and one
/// block.
///
/// ```
/// use burn::prelude::*;
/// use isostar_core::measure::Partition;
/// use isostar_core::{Moments, RunningMoments};
///
/// let device = Device::flex();
/// let blocks = [[[0.0, 1.0], [2.0, 1.0]], [[1.0, 0.0], [1.0, 2.0]]].map(|block| Tensor::<2>::from_floats(block, &device));
/// let mut moments = RunningMoments::new(2);
/// for block in &blocks {
///     moments.update(&Moments::from_points(block.clone()))?;
/// }
/// let mut partition = Partition::new(&moments, &device);
/// for block in blocks {
///     partition.update(block)?;
/// }
/// assert!((partition.log_score().unwrap() + 2.83).abs() < 0.01);
/// # Ok::<(), burn::tensor::TensorReadError>(())
/// ```
///
/// # References
/// Mu & Viswanath, "All-but-the-Top: Simple and Effective Postprocessing for Word Representations"
/// (ICLR 2018), equation (1).
#[derive(Clone, Debug)]
pub struct Partition {
    /// Unit of length s of the blocks.
    unit: f64,
    /// Vector near the mean of the blocks, subtracted from each row before the projection:
    /// projections of points with a mean far from zero would lose precision.
    centre: Tensor<2>,
    /// Directions, one per row. Shape `[d, d]`.
    directions: Tensor<2>,
    /// Projection c·u of the total offset c = origin + s·centre, for each direction u.
    offsets: Vec<f64>,
    /// Z(u) and Z(−u) of each direction, relative to exp(±c·u).
    sums: Vec<[ExponentialSum; 2]>,
}

impl Partition {
    /// An empty partition along the directions of `moments`, which must be those of all points to
    /// come.
    ///
    /// Blocks must be on `device`.
    pub fn new(moments: &RunningMoments, device: &Device) -> Self {
        Self::from_deviations(moments, &vec![0.0; moments.width()], 1.0, device)
    }

    /// An empty partition for moments and blocks of the deviations (x − origin)/unit of points x.
    ///
    /// # Panics
    /// If the width of the origin differs from that of the moments.
    pub fn from_deviations(
        moments: &RunningMoments,
        origin: &[f64],
        unit: f64,
        device: &Device,
    ) -> Self {
        let d = moments.width();
        assert_eq!(
            origin.len(),
            d,
            "Partition::from_deviations: an origin of width {} for moments of width {d}",
            origin.len()
        );
        let directions = directions(moments, origin, unit);
        let centre: Vec<f32> = moments.mean().iter().map(|mean| *mean as f32).collect();
        let taken_off: Vec<f64> = origin
            .iter()
            .zip(&centre)
            .map(|(origin, centre)| origin + unit * f64::from(*centre))
            .collect();
        let offsets = directions
            .chunks_exact(d.max(1))
            .map(|direction| dot(direction, &taken_off))
            .collect();
        let options = (device, DType::F32);
        let directions = TensorData::new(directions, [d, d]).convert_dtype(DType::F32);
        Self {
            unit,
            centre: Tensor::from_data(TensorData::new(centre, [1, d]), options),
            directions: Tensor::from_data(directions, options),
            offsets,
            sums: vec![[ExponentialSum::NOTHING; 2]; d],
        }
    }

    /// Adds the rows of a block, `[n, d]`.
    ///
    /// # Errors
    /// If the device cannot be read.
    ///
    /// # Panics
    /// If the block has a different width.
    pub fn update(&mut self, block: Tensor<2>) -> Result<(), TensorReadError> {
        let [n, width] = block.dims();
        let d = self.offsets.len();
        assert_eq!(
            width,
            d,
            "Partition::update: a block of shape {:?} for directions of width {d}",
            [n, width]
        );
        if n == 0 || d == 0 {
            return Ok(());
        }
        for rows in widen(block.without_autodiff()).split(BLOCK_ROWS, 0) {
            self.absorb(rows)?;
        }
        Ok(())
    }

    fn absorb(&mut self, rows: Tensor<2>) -> Result<(), TensorReadError> {
        let d = self.offsets.len();
        let dtype = rows.dtype();
        let deviations = rows - self.centre.clone().cast(dtype);
        // One direction per row: on the CPU, sums and extremes along rows are five times as fast.
        let projected = exact_product(self.directions.clone().cast(dtype), deviations.transpose());
        let (highest, lowest) = (projected.clone().max_dim(1), projected.clone().min_dim(1));
        // The exponents are at most 0 and in units of s: if s is beyond f32, so is every exponent
        // but 0.
        let unit = self.unit.min(f64::from(f32::MAX));
        let above = ((projected.clone() - highest.clone()) * unit)
            .exp()
            .sum_dim(1);
        let below = ((lowest.clone() - projected) * unit).exp().sum_dim(1);
        let read: Vec<f64> = Tensor::cat(vec![highest, above, lowest, below], 0).try_to_vec_as()?;
        let [highest, above, lowest, below] = [0, 1, 2, 3].map(|column| &read[column * d..][..d]);
        for (at, [positive, negative]) in self.sums.iter_mut().enumerate() {
            positive.absorb(ExponentialSum {
                largest: self.unit * highest[at],
                proportion: above[at],
            });
            negative.absorb(ExponentialSum {
                largest: -self.unit * lowest[at],
                proportion: below[at],
            });
        }
        Ok(())
    }

    /// Adds the points of another partition that was cloned from the same empty one.
    ///
    /// # Panics
    /// If the directions differ.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(
            other.offsets, self.offsets,
            "Partition::merge: both must have the same directions"
        );
        for (ours, theirs) in self.sums.iter_mut().zip(&other.sums) {
            ours.iter_mut()
                .zip(theirs)
                .for_each(|(ours, theirs)| ours.absorb(*theirs));
        }
    }

    /// The partition of all of `points`, `[n, d]`.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn from_points(points: Tensor<2>) -> Result<Self, TensorReadError> {
        let points = widen(points.without_autodiff());
        let [_, d] = points.dims();
        let unit = unit_of(&points)?;
        let device = points.device();
        let blocks = in_blocks(points / unit);
        let mut moments = RunningMoments::new(d);
        for block in &blocks {
            moments.update(&Moments::from_points(block.clone()))?;
        }
        let mut partition = Self::from_deviations(&moments, &vec![0.0; d], unit, &device);
        for block in blocks {
            partition.update(block)?;
        }
        Ok(partition)
    }

    /// ln Z(u) and ln Z(−u) of each direction u, in ascending order of second moment; −∞ without
    /// points.
    pub fn log_sums(&self) -> impl Iterator<Item = [f64; 2]> {
        self.sums
            .iter()
            .zip(&self.offsets)
            .map(|([positive, negative], offset)| {
                [positive.log() + offset, negative.log() - offset]
            })
    }

    /// Logarithm of the score, ln I, at most 0; `None` without points or if a number is not finite.
    pub fn log_score(&self) -> Option<f64> {
        let mut lowest = f64::INFINITY;
        let mut highest = f64::NEG_INFINITY;
        for log in self.log_sums().flatten() {
            if !log.is_finite() {
                return None;
            }
            lowest = lowest.min(log);
            highest = highest.max(log);
        }
        (lowest <= highest).then_some(lowest - highest)
    }

    /// Score I, in `[0, 1]`; 0 if ln I is below -745, `None` if ln I does not exist.
    pub fn score(&self) -> Option<f64> {
        self.log_score().map(f64::exp)
    }
}

/// A power of two near the largest magnitude, 1 if all are zero. In units of it squares stay within
/// f32, and dividing by it does not round.
pub(super) fn unit_of(points: &Tensor<2>) -> Result<f64, TensorReadError> {
    let largest: f64 = if points.shape().num_elements() == 0 {
        0.0
    } else {
        points.clone().abs().max().try_into_scalar()?
    };
    Ok(if largest > 0.0 {
        largest.log2().floor().exp2()
    } else {
        1.0
    })
}

/// The points split into blocks of rows; empty if there are no rows.
pub(super) fn in_blocks(points: Tensor<2>) -> Vec<Tensor<2>> {
    let [n, _] = points.dims();
    if n == 0 {
        vec![]
    } else {
        points.split(BLOCK_ROWS, 0)
    }
}

/// The [`Partition`] score of points: min Z/max Z over both signs of the eigenvectors of XᵀX.
///
/// Equal points x score exp(−2‖x‖), which is 1 if all are zero. `None` without points or if a
/// number is not finite.
///
/// # Shapes
/// - `points`: `[n, d]`
pub fn partition(points: Tensor<2>) -> Option<f64> {
    Partition::from_points(points)
        .expect("the device can be read")
        .score()
}

/// The eigenvectors of the second moment of x, one per row, in ascending order of their
/// eigenvalues; the coordinate axes if it is 0 or not finite.
fn directions(moments: &RunningMoments, origin: &[f64], unit: f64) -> Vec<f64> {
    let d = moments.width();
    let (_, second) = second_moment(moments, origin, unit);
    let (_, scaled) = in_units_of_largest(&second);
    if !scaled.iter().all(|entry| entry.is_finite()) {
        return (0..d * d)
            .map(|at| if at / d == at % d { 1.0 } else { 0.0 })
            .collect();
    }
    let matrix = MatRef::from_row_major_slice(&scaled, d, d);
    let eigen = matrix
        .self_adjoint_eigen(Side::Lower)
        .expect("the eigenvectors of a finite symmetric matrix converge");
    let vectors = eigen.U();
    (0..d * d).map(|at| vectors[(at % d, at / d)]).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The sum Σᵢ exp(eᵢ), stored as exp(largest)·proportion.
#[derive(Clone, Copy, Debug)]
struct ExponentialSum {
    largest: f64,
    proportion: f64,
}

impl ExponentialSum {
    const NOTHING: Self = Self {
        largest: f64::NEG_INFINITY,
        proportion: 0.0,
    };

    fn absorb(&mut self, other: Self) {
        if self.largest == f64::NEG_INFINITY {
            *self = other;
            return;
        }
        let (larger, smaller) = if other.largest > self.largest {
            (other, *self)
        } else {
            (*self, other)
        };
        let proportion =
            larger.proportion + smaller.proportion * (smaller.largest - larger.largest).exp();
        *self = Self {
            largest: larger.largest,
            proportion,
        };
    }

    fn log(self) -> f64 {
        self.largest + self.proportion.ln()
    }
}
