//! The duration of a run, including the parts before a resumption.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::RunFolder;

/// Seconds of one or several epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Seconds {
    /// Seconds in training steps, without calibration and validation.
    pub training: f64,
    /// Seconds spent on estimating references.
    pub calibration: f64,
}

/// Sums the seconds of all epochs. They are stored with the checkpoints, so that a resumed run
/// continues the count.
#[derive(Debug)]
pub(super) struct Stopwatch {
    folder: RunFolder,
    laps: Mutex<Laps>,
}

#[derive(Debug)]
struct Laps {
    /// The finished epochs; `None` for an epoch without a stored time.
    over: Vec<Option<Seconds>>,
    current: Seconds,
}

impl Stopwatch {
    /// Creates a stopwatch for a run in `folder` with `done` finished epochs.
    pub(super) fn new(folder: RunFolder, done: usize) -> Self {
        let mut over = folder.seconds();
        over.resize(done, None);
        Self { folder, laps: Mutex::new(Laps { over, current: Seconds::default() }) }
    }

    fn laps(&self) -> MutexGuard<'_, Laps> {
        self.laps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the seconds of a calibration. It happens within a training step, but does not count as
    /// training.
    pub(super) fn calibrated(&self, seconds: f64) {
        let mut laps = self.laps();
        laps.current.calibration += seconds;
        laps.current.training -= seconds;
    }

    /// Adds the seconds of an epoch's training steps, including calibration.
    pub(super) fn trained(&self, seconds: f64) {
        self.laps().current.training += seconds;
    }

    /// The seconds of the current epoch so far.
    pub(super) fn current(&self) -> Seconds {
        self.laps().current
    }

    /// Ends an epoch.
    ///
    /// # Errors
    /// If its seconds cannot be written.
    pub(super) fn end_epoch(&self) -> io::Result<()> {
        let mut laps = self.laps();
        let lap = std::mem::take(&mut laps.current);
        laps.over.push(Some(lap));
        self.folder.write_seconds(&laps.over)
    }

    /// Returns the seconds of all epochs, including the current one so far; `None` if those of an
    /// epoch are unknown.
    pub(super) fn total(&self) -> Option<Seconds> {
        let laps = self.laps();
        laps.over.iter().chain([&Some(laps.current)]).try_fold(Seconds::default(), |sum, lap| {
            let Seconds { training, calibration } = (*lap)?;
            Some(Seconds { training: sum.training + training, calibration: sum.calibration + calibration })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_resumed_run_continues_the_count_of_its_kept_epochs() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("checkpoint")).unwrap();
        let at = RunFolder::at(folder.path());
        let first = Stopwatch::new(at.clone(), 0);
        for epoch in [1.0, 2.0, 4.0] {
            first.calibrated(0.5);
            first.trained(epoch);
            first.end_epoch().unwrap();
        }
        assert_eq!(first.total(), Some(Seconds { training: 5.5, calibration: 1.5 }));

        // The third epoch is repeated.
        let second = Stopwatch::new(at.clone(), 2);
        assert_eq!(second.total(), Some(Seconds { training: 2.0, calibration: 1.0 }));
        second.trained(8.0);
        assert_eq!(second.total(), Some(Seconds { training: 10.0, calibration: 1.0 }));
        second.end_epoch().unwrap();
        assert_eq!(Stopwatch::new(at, 3).total(), Some(Seconds { training: 10.0, calibration: 1.0 }));
    }

    #[test]
    fn an_epoch_without_a_stored_time_makes_the_total_unknown() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("checkpoint")).unwrap();
        let at = RunFolder::at(folder.path());
        let stopwatch = Stopwatch::new(at.clone(), 1);
        stopwatch.trained(3.0);
        stopwatch.end_epoch().unwrap();
        assert_eq!(stopwatch.total(), None);
        assert_eq!(Stopwatch::new(at.clone(), 2).total(), None);
        assert_eq!(Stopwatch::new(at, 0).total(), Some(Seconds::default()));
    }
}
