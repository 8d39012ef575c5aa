//! How long a run has taken, over all of its legs.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::RunFolder;

/// Seconds of an epoch, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Seconds {
    /// Spent in training steps, calibration and validation left out.
    pub training: f64,
    /// Spent on estimating references.
    pub calibration: f64,
}

/// Adds up the seconds of every epoch, and keeps them beside the checkpoints: a run that is resumed goes on counting.
#[derive(Debug)]
pub(super) struct Stopwatch {
    folder: RunFolder,
    laps: Mutex<Laps>,
}

#[derive(Debug)]
struct Laps {
    /// The epochs that are over; `None` for one of which nothing was kept.
    over: Vec<Option<Seconds>>,
    current: Seconds,
}

impl Stopwatch {
    /// A stopwatch of a run in `folder` with `done` epochs behind it.
    pub(super) fn new(folder: RunFolder, done: usize) -> Self {
        let mut over = folder.seconds();
        over.resize(done, None);
        Self { folder, laps: Mutex::new(Laps { over, current: Seconds::default() }) }
    }

    fn laps(&self) -> MutexGuard<'_, Laps> {
        self.laps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A calibration took so long. It happens in a training step, and is no part of training.
    pub(super) fn calibrated(&self, seconds: f64) {
        let mut laps = self.laps();
        laps.current.calibration += seconds;
        laps.current.training -= seconds;
    }

    /// The training rows of an epoch took so long, calibration included.
    pub(super) fn trained(&self, seconds: f64) {
        self.laps().current.training += seconds;
    }

    /// The seconds of the current epoch, as far as it has come.
    pub(super) fn current(&self) -> Seconds {
        self.laps().current
    }

    /// An epoch is over.
    ///
    /// # Errors
    /// If its seconds cannot be written.
    pub(super) fn end_epoch(&self) -> io::Result<()> {
        let mut laps = self.laps();
        let lap = std::mem::take(&mut laps.current);
        laps.over.push(Some(lap));
        self.folder.write_seconds(&laps.over)
    }

    /// The seconds of all epochs, the current one as far as it has come; `None` if those of one are not known.
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
    fn a_resumed_run_goes_on_counting_from_the_epochs_it_keeps() {
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

        // The third epoch is made again.
        let second = Stopwatch::new(at.clone(), 2);
        assert_eq!(second.total(), Some(Seconds { training: 2.0, calibration: 1.0 }));
        second.trained(8.0);
        assert_eq!(second.total(), Some(Seconds { training: 10.0, calibration: 1.0 }));
        second.end_epoch().unwrap();
        assert_eq!(Stopwatch::new(at, 3).total(), Some(Seconds { training: 10.0, calibration: 1.0 }));
    }

    #[test]
    fn epochs_of_which_nothing_was_kept_leave_the_total_unknown() {
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
