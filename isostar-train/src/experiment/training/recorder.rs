//! When snapshots are due, and their writing.

use std::time::Instant;

use super::super::snapshot::{Parts, SnapshotStore, SnapshotWriter};
use super::super::{ExperimentError, SnapshotInterval};

/// Writes the snapshots of a training.
pub(in crate::experiment) struct Recorder {
    writer: SnapshotWriter,
    interval: SnapshotInterval,
    /// Step and time of the last snapshot.
    last: (usize, Instant),
    /// Whether a snapshot is due after the next step, whatever the interval.
    is_demanded: bool,
}

impl Recorder {
    /// Creates a recorder for a training that begins after `step` steps.
    pub fn new(store: SnapshotStore, interval: SnapshotInterval, keep: usize, step: usize) -> Self {
        Self {
            writer: SnapshotWriter::new(store, keep),
            interval,
            last: (step, Instant::now()),
            is_demanded: false,
        }
    }

    /// Whether a snapshot is due after `step` steps. None is while the last one is being written.
    ///
    /// # Errors
    /// If the last one could not be written.
    pub fn is_due(&mut self, step: usize) -> Result<bool, ExperimentError> {
        let is_busy = self.writer.is_busy()?;
        Ok(!is_busy
            && (self.is_demanded
                || self
                    .interval
                    .is_due(step - self.last.0, self.last.1.elapsed())))
    }

    /// Makes a snapshot due after the next step.
    pub fn demand(&mut self) {
        self.is_demanded = true;
    }

    /// Begins to write a snapshot.
    ///
    /// # Errors
    /// If the last one could not be written.
    pub fn begin(&mut self, parts: Parts, score: Option<f64>) -> Result<(), ExperimentError> {
        self.last = (parts.state.place.step, Instant::now());
        self.is_demanded = false;
        self.writer.begin(parts, score)
    }

    /// Waits until the last snapshot is written.
    ///
    /// # Errors
    /// If it could not be written.
    pub fn wait(&mut self) -> Result<(), ExperimentError> {
        self.writer.wait()
    }
}
