//! The pass over points behind most measures: scatter on the device, sums over rows on the host.

use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::measure::{PointSums, Summary};
use isostar_core::{IsoscoreJackknife, RunningMoments, ScaledCovariance, UnbiasedSums};

use crate::frame::Frame;
use crate::limits::PART_ROWS;
use crate::pass::{Block, pass};
use crate::row_sums::RowSums;
use crate::rows::Reading;
use crate::{EmbeddingsError, Points};

/// The maximum deviation in units of the frame: a sum of 2²¹ such squares stays far below the
/// largest f32.
const LARGEST_DEVIATION: f64 = (1_u64 << 40) as f64;

/// The statistics from which measures of covariance and direction are computed.
#[derive(Clone, Debug)]
pub(super) struct Statistics {
    /// The origin and unit of the deviations.
    pub frame: Frame,
    /// The moments of the deviations in units of the frame.
    pub moments: RunningMoments,
    /// The jackknife over groups of points, if requested.
    pub jackknife: Option<IsoscoreJackknife>,
    sums: RowSums,
}

impl Statistics {
    /// Reads all points in a frame estimated from a sample.
    ///
    /// If the frame turns out to be unsuitable, the points are read a second time in a better one.
    /// `progress` receives the number of rows completed in the first pass.
    ///
    /// # Errors
    /// Returns an error if a point contains a value that is not finite, all points are equal, or
    /// the device fails.
    pub fn of(
        points: &Points,
        reading: Reading,
        groups: bool,
        device: &Device,
        progress: &dyn Fn(usize),
    ) -> Result<Self, EmbeddingsError> {
        let spread = Self::in_frame(
            points,
            Frame::from_sample(points, reading)?,
            reading,
            groups,
            device,
            progress,
        )?;
        let reach = spread.sums.reach();
        if reach == 0.0 {
            return Err(EmbeddingsError::NoVariance {
                place: points.source().clone(),
            });
        }
        if spread.fits() {
            return Ok(spread);
        }
        Self::in_frame(
            points,
            Frame::new(spread.mean(), reach),
            reading,
            groups,
            device,
            &|_| (),
        )
    }

    fn in_frame(
        points: &Points,
        frame: Frame,
        reading: Reading,
        groups: bool,
        device: &Device,
        progress: &dyn Fn(usize),
    ) -> Result<Self, EmbeddingsError> {
        let width = points.width();
        let mut moments = RunningMoments::new(width);
        let mut all = RowSums::new(width);
        let mut jackknife = groups.then(|| IsoscoreJackknife::new(width));
        // Without a jackknife, one d × d matrix is enough.
        let mut group = groups.then(|| RunningMoments::new(width));
        let mut ends: Vec<usize> = IsoscoreJackknife::groups(points.count())
            .map(|group| group.end)
            .collect();
        if !groups || ends.is_empty() {
            ends = vec![points.count()];
        }
        let mut done = 0;
        let new = || RowSums::new(width);
        let add = |sums: &mut RowSums, points: &[f64], deviations: &mut [f32]| {
            sums.add(points, &frame, deviations)
        };
        pass(
            points,
            cut(points.blocks().flatten(), points.block_rows(), &ends),
            reading,
            new,
            add,
            |Block { deviations, parts }| {
                let mut sums = RowSums::new(width);
                // Parts are added in file order, so that equal files have equal scores.
                for mut part in parts {
                    part.finish();
                    sums.absorb(&part);
                }
                all.absorb(&sums);
                let mean: Vec<f64> = sums
                    .offset
                    .iter()
                    .map(|offset| offset / frame.unit)
                    .collect();
                let rows = deviations.len() / width;
                let block = TensorData::new(deviations, [rows, width]);
                let block = Tensor::from_data(block, (device, DType::F32));
                group
                    .as_mut()
                    .unwrap_or(&mut moments)
                    .update_near_origin(block, &mean)?;
                done += rows;
                if let (true, Some(jackknife), Some(group)) =
                    (ends.contains(&done), &mut jackknife, &mut group)
                {
                    moments.merge(group);
                    jackknife.push(group);
                    *group = RunningMoments::new(width);
                }
                progress(rows);
                Ok(())
            },
        )?;
        Ok(Self {
            frame,
            moments,
            jackknife,
            sums: all,
        })
    }

    /// Whether the frame preserves the precision of all deviations.
    ///
    /// No deviation may be too large, and in no dimension may the distance from origin to mean
    /// dominate.
    fn fits(&self) -> bool {
        let count = self.moments.count() as f64;
        let variances = self
            .moments
            .scatter()
            .iter()
            .step_by(self.moments.width() + 1)
            .map(|sum| sum / count);
        let near = |(mean, variance): (&f64, f64)| {
            mean * mean <= variance || mean * mean < f64::from(f32::MIN_POSITIVE)
        };
        self.sums.reach() <= LARGEST_DEVIATION * self.frame.unit
            && self.moments.mean().iter().zip(variances).all(near)
    }

    /// Returns the mean of the points. Length d.
    pub fn mean(&self) -> Vec<f64> {
        self.frame
            .origin
            .iter()
            .zip(&self.sums.offset)
            .map(|(origin, offset)| origin + offset)
            .collect()
    }

    /// Returns the sample covariance S/(n − 1).
    pub fn covariance(&self) -> ScaledCovariance {
        ScaledCovariance::from_moments(&self.moments, self.frame.unit)
            .expect("points that differ are two at least")
    }

    /// Converts the statistics into the summary from which measures are computed.
    pub fn into_summary(self) -> Summary {
        let mean = self.mean();
        let scatter = self.moments.scatter();
        // The sums are in units of the frame; the estimate does not depend on the unit.
        let unbiased = UnbiasedSums {
            count: self.moments.count() as f64,
            squared_norms: scatter.iter().step_by(self.moments.width() + 1).sum(),
            fourth_powers: self.sums.fourth_powers(self.moments.mean(), scatter),
            scatter_squared: scatter.iter().map(|sum| sum * sum).sum(),
        };
        Summary::new(PointSums {
            mean,
            unbiased,
            cosines_of_distinct_pairs: self.sums.cosines_of_distinct_pairs(),
            origin: self.frame.origin,
            unit: self.frame.unit,
            moments: self.moments,
        })
    }
}

/// Splits rows into blocks of at most `most` rows, and at each of the row counts in `ends`, which
/// is ascending.
///
/// Between two ends, blocks have nearly equal lengths and, except for the last, consist of whole
/// parts. Blocks of equal length reuse memory, and there is no short block to wait for.
fn cut(
    mut rows: impl Iterator<Item = usize> + Send,
    most: usize,
    ends: &[usize],
) -> impl Iterator<Item = Vec<usize>> + Send {
    let starts = [0].into_iter().chain(ends.iter().copied());
    let blocks = starts.zip(ends).flat_map(move |(start, end)| {
        let count = (end - start).div_ceil(most);
        let length = (end - start).div_ceil(count).next_multiple_of(PART_ROWS);
        (start..*end)
            .step_by(length)
            .map(move |start| length.min(end - start))
    });
    blocks.map(move |length| rows.by_ref().take(length).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_end_where_groups_do_and_are_nearly_equal() {
        let ends = [70_000, 70_007, 140_000];
        let rows = || (0..).step_by(3).take(140_000);
        let blocks: Vec<Vec<usize>> = cut(rows(), 86 * PART_ROWS, &ends).collect();
        let lengths: Vec<usize> = blocks.iter().map(Vec::len).collect();
        let group = |last| [79 * PART_ROWS; 6].into_iter().chain([last]);
        assert!(
            group(9_328)
                .chain([7])
                .chain(group(9_321))
                .eq(lengths.iter().copied()),
            "{lengths:?}"
        );
        assert!(blocks.into_iter().flatten().eq(rows()));
    }
}
