//! A covariance on the host, scaled to avoid overflow and underflow, and its IsoScore.

use crate::RunningMoments;

/// A covariance Σ = s²·V with a separate scale.
///
/// Points of size 1e-200 have variances of 1e-400, which f64 cannot represent; the scale s is
/// therefore stored separately from the values V.
#[derive(Clone, Debug)]
pub struct ScaledCovariance {
    /// Width d.
    pub width: usize,
    /// Scale s, positive.
    pub scale: f64,
    /// Values V, row by row, length d².
    pub values: Vec<f64>,
}

impl ScaledCovariance {
    /// The sample covariance S/(n − 1) of points whose `moments` are in units of `scale`; `None`
    /// with fewer than two points.
    pub fn from_moments(moments: &RunningMoments, scale: f64) -> Option<Self> {
        let divisor = moments.divisor()?;
        let values = moments.scatter().iter().map(|sum| sum / divisor).collect();
        Some(Self {
            width: moments.width(),
            scale,
            values,
        })
    }

    /// The covariance with these entries, scaled by the largest; `None` if all are 0.
    pub fn from_entries(width: usize, mut entries: Vec<f64>) -> Option<Self> {
        let largest = entries
            .iter()
            .fold(0.0_f64, |largest, entry| largest.max(entry.abs()));
        if largest == 0.0 {
            return None;
        }
        for entry in &mut entries {
            *entry /= largest;
        }
        Some(Self {
            width,
            scale: largest.sqrt(),
            values: entries,
        })
    }

    /// Returns (1 − ζ)·Σ + ζ·T, where ζ = `weight` and T = `target` has the same width.
    pub fn shrunk_towards(&self, target: &Self, weight: f64) -> Self {
        let (own, other) = (
            (1.0 - weight).sqrt() * self.scale,
            weight.sqrt() * target.scale,
        );
        let scale = own.max(other);
        let (own, other) = ((own / scale).powi(2), (other / scale).powi(2));
        let values = self
            .values
            .iter()
            .zip(&target.values)
            .map(|(value, target)| own * value + other * target)
            .collect();
        Self {
            width: self.width,
            scale,
            values,
        }
    }

    /// IsoScore in f64, (t²/F − 1)/(d − 1); `None` if the points have no variance or d < 2.
    ///
    /// t² − F is summed as Σᵢⱼ(ΣᵢᵢΣⱼⱼ − Σᵢⱼ²), whose diagonal cancels term by term, so a score near
    /// 0 keeps its precision. The result is clamped to [0, 1], because rounding of the entries may
    /// take it outside.
    pub fn isoscore(&self) -> Option<f64> {
        let trace: f64 = self.values.iter().step_by(self.width + 1).sum();
        if self.width < 2 || trace <= 0.0 || trace.is_nan() {
            return None;
        }
        let shares: Vec<f64> = self
            .values
            .iter()
            .step_by(self.width + 1)
            .map(|variance| variance / trace)
            .collect();
        let (mut excess, mut frobenius) = (0.0, 0.0);
        for (row, share) in self.values.chunks_exact(self.width).zip(&shares) {
            for (value, other_share) in row.iter().zip(&shares) {
                let square = (value / trace) * (value / trace);
                excess += share * other_share - square;
                frobenius += square;
            }
        }
        Some((excess / (frobenius * (self.width as f64 - 1.0))).clamp(0.0, 1.0))
    }
}

impl RunningMoments {
    /// IsoScore of all points in f64, [`ScaledCovariance::isoscore`] of their covariance; `None` with
    /// fewer than two points, without variance, or if d < 2.
    pub fn isoscore(&self) -> Option<f64> {
        ScaledCovariance::from_moments(self, 1.0)?.isoscore()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagonal(variances: &[f64]) -> ScaledCovariance {
        let width = variances.len();
        let mut entries = vec![0.0; width * width];
        for (entry, variance) in entries.iter_mut().step_by(width + 1).zip(variances) {
            *entry = *variance;
        }
        ScaledCovariance::from_entries(width, entries).unwrap()
    }

    /// Tolerance for f64 sums of nine numbers.
    const ROUNDING: f64 = 1e-14;

    #[test]
    fn k_equal_variances_score_k_minus_1_over_d_minus_1() {
        for size in [1e-300, 1.0, 1e300] {
            for (variances, expected) in [
                ([size, 0.0, 0.0], 0.0),
                ([size, size, 0.0], 0.5),
                ([size, size, size], 1.0),
            ] {
                let score = diagonal(&variances).isoscore().unwrap();
                assert!(
                    (score - expected).abs() <= ROUNDING,
                    "{variances:?}: {score}"
                );
            }
        }
    }

    #[test]
    fn shrinkage_weighs_variances_of_any_size() {
        let line = diagonal(&[3.0, 0.0, 0.0]);
        let shrunk = line.shrunk_towards(&diagonal(&[0.0, 1.0, 0.0]), 0.75);
        assert!(
            (shrunk.isoscore().unwrap() - 0.5).abs() <= ROUNDING,
            "0.25·3 and 0.75·1 are equal"
        );

        let mut tiny = diagonal(&[1.0, 1.0, 1.0]);
        tiny.scale = 1e-200;
        assert!(
            (line.shrunk_towards(&tiny, 1.0).isoscore().unwrap() - 1.0).abs() <= ROUNDING,
            "the target alone"
        );
        assert!(
            line.shrunk_towards(&tiny, 0.5).isoscore().unwrap() <= ROUNDING,
            "nothing beside the points"
        );
        assert!(
            (tiny.shrunk_towards(&line, 0.0).isoscore().unwrap() - 1.0).abs() <= ROUNDING,
            "the points alone"
        );
    }

    #[test]
    fn nothing_has_no_score() {
        assert!(ScaledCovariance::from_entries(2, vec![0.0; 4]).is_none());
        assert_eq!(
            ScaledCovariance {
                width: 2,
                scale: 1.0,
                values: vec![0.0; 4]
            }
            .isoscore(),
            None
        );
    }
}
