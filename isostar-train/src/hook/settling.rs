//! The end of a calibration whose covariance no longer changes.

use burn::tensor::TensorReadError;
use isostar_core::{DeviceMoments, RunningMoments};

/// Watches the covariance of a stream of states, whenever their number has doubled.
///
/// ```text
///   change = ‖Σ₂ₙ − Σₙ‖_F / ‖Σ₂ₙ‖_F
/// ```
///
/// Σₙ is the covariance of the first n states. If the batches come in random order, the change
/// estimates the sampling error of Σ₂ₙ: the difference between one half of a sample and the whole is
/// as large, in the root mean square, as the difference between the whole and the population.
pub(super) struct Settling {
    tolerance: f64,
    /// Σₙ of the last look, times n − 1, and n.
    last: Option<RunningMoments>,
    settled: Option<f64>,
}

impl Settling {
    /// Settles when a change is below `tolerance`; never, if it is 0.
    pub(super) fn new(tolerance: f64) -> Self {
        Self {
            tolerance,
            last: None,
            settled: None,
        }
    }

    /// Whether the covariance of the `count` states of `stream` has settled.
    pub(super) fn has_settled(
        &mut self,
        count: usize,
        stream: &DeviceMoments,
    ) -> Result<bool, TensorReadError> {
        let next = self
            .last
            .as_ref()
            .map_or(2, |last| 2 * last.count() as usize);
        if self.tolerance <= 0.0 || count < next {
            return Ok(false);
        }
        let now = stream.read()?;
        if let Some(last) = self.last.replace(now.clone()) {
            let change = change(&last, &now);
            self.settled = (change < self.tolerance).then_some(change);
        }
        Ok(self.settled.is_some())
    }

    /// The change that was below the tolerance.
    pub(super) fn change(&self) -> Option<f64> {
        self.settled
    }
}

/// ‖B − A‖_F/‖B‖_F of the covariances A and B; not a number if B is 0.
fn change(before: &RunningMoments, now: &RunningMoments) -> f64 {
    let [n, m] = [before, now].map(|moments| moments.count() as f64 - 1.0);
    let pairs = before.scatter().iter().zip(now.scatter());
    let [apart, size] = pairs.fold([0.0, 0.0], |[apart, size], (before, now)| {
        let (before, now) = (before / n, now / m);
        [apart + (now - before).powi(2), size + now.powi(2)]
    });
    (apart / size).sqrt()
}

#[cfg(test)]
mod tests {
    use burn::prelude::*;
    use isostar_core::Moments;

    use super::*;

    /// Runs a stream of 16 normal points of width 8 per batch; returns the number of states and the
    /// change at which it settled.
    fn settle(tolerance: f64, batches: usize) -> Option<(usize, f64)> {
        let device = Device::flex();
        // Not those of the device, whose generator other tests seed and use at the same time.
        let mut state = 3_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32
        };
        let mut settling = Settling::new(tolerance);
        let mut stream = DeviceMoments::new(8);
        for batch in 1..=batches {
            // The sum of twelve uniform numbers is nearly normal.
            let mut normal = || (0..12).map(|_| uniform()).sum::<f32>() - 6.0;
            let points: Vec<f32> = (0..16 * 8).map(|_| normal()).collect();
            let points = Tensor::<2>::from_data(TensorData::new(points, [16, 8]), &device);
            let moments = Moments::from_points(points);
            stream.add(moments).unwrap();
            if settling.has_settled(16 * batch, &stream).unwrap() {
                return Some((16 * batch, settling.change().unwrap()));
            }
        }
        assert_eq!(settling.change(), None);
        None
    }

    #[test]
    fn the_change_is_the_sampling_error() {
        // The relative error of the covariance of n normal points of width d is √((d + 1)/n).
        let (count, change) = settle(0.1, 10_000).unwrap();
        let expected = (9.0 / count as f64).sqrt();
        assert!(
            change < 0.1 && (change / expected - 1.0).abs() < 0.4,
            "{change} where {expected} is expected"
        );
        assert!((512..=2048).contains(&count), "{count}");
        assert!(
            (count / 16).is_power_of_two(),
            "the covariance is looked at when the states have doubled: {count}"
        );
    }

    #[test]
    fn without_a_tolerance_no_covariance_settles() {
        assert_eq!(settle(0.0, 200), None);
    }

    #[test]
    fn points_without_variance_do_not_settle() {
        let mut settling = Settling::new(0.5);
        let batch = || Moments::from_points(Tensor::ones([4, 3], &Device::flex()));
        let mut stream = DeviceMoments::new(3);
        for count in [4, 8] {
            stream.add(batch()).unwrap();
            assert!(!settling.has_settled(count, &stream).unwrap());
        }
    }
}
