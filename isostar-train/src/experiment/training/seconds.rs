//! The duration of a run, including the parts before a resumption.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Seconds of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::experiment) struct Seconds {
    /// Seconds in training steps, without calibration, validation and snapshots.
    pub training: f64,
    /// Seconds spent on estimating references.
    pub calibration: f64,
}

/// Sums the seconds of a run. A snapshot holds them, so that a resumed run continues the count.
#[derive(Debug, Default)]
pub(in crate::experiment) struct Stopwatch {
    seconds: Mutex<Seconds>,
}

impl Stopwatch {
    /// Continues after these seconds.
    pub fn restore(&self, seconds: Seconds) {
        self.change(|now| *now = seconds);
    }

    /// Adds the seconds of a calibration. It happens within a training step, but does not count as
    /// training.
    pub fn calibrated(&self, seconds: f64) {
        self.change(|now| {
            now.calibration += seconds;
            now.training -= seconds;
        });
    }

    /// Adds the seconds of a training step, including calibration.
    pub fn trained(&self, seconds: f64) {
        self.change(|now| now.training += seconds);
    }

    /// Returns the seconds so far.
    pub fn total(&self) -> Seconds {
        self.change(|now| *now)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Seconds) -> T) -> T {
        change(&mut self.seconds.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calibration_within_a_step_does_not_count_as_training() {
        let stopwatch = Stopwatch::default();
        stopwatch.restore(Seconds {
            training: 2.0,
            calibration: 1.0,
        });
        stopwatch.calibrated(0.5);
        stopwatch.trained(4.0);
        assert_eq!(
            stopwatch.total(),
            Seconds {
                training: 5.5,
                calibration: 1.5
            }
        );
    }
}
