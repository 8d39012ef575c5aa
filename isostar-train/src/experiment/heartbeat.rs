//! Progress of a run that keeps the heartbeat of its lock.

use std::sync::Arc;

use super::{EpochReport, Observer, RunLock, RunResult, SplitReport};
use crate::progress::{Phase, Progress, Stop};

/// Passes the progress of a run on to its observer, and notes it in the lock: a process that hangs is
/// seen to be silent.
pub(super) struct Heartbeat {
    pub observer: Arc<dyn Observer>,
    pub lock: RunLock,
}

impl Progress for Heartbeat {
    fn begin(&self, phase: Phase, total: usize) {
        self.observer.begin(phase, total);
    }

    fn advance(&self, phase: &Phase, done: usize) {
        self.lock.pulse();
        self.observer.advance(phase, done);
    }

    fn end(&self, phase: &Phase) {
        self.observer.end(phase);
    }

    fn stop(&self) -> Option<Stop> {
        self.observer.stop()
    }

    fn note(&self, text: &str) {
        self.observer.note(text);
    }
}

impl Observer for Heartbeat {
    fn metric(&self, phase: &Phase, name: &str, value: f64) {
        self.observer.metric(phase, name, value);
    }

    fn epoch(&self, report: &EpochReport) {
        self.observer.epoch(report);
    }

    fn wants_dashboard(&self) -> bool {
        self.observer.wants_dashboard()
    }

    fn saves(&self, saves: bool) {
        self.observer.saves(saves);
    }

    fn before(&self, report: &SplitReport) {
        self.observer.before(report);
    }

    fn after(&self, report: &SplitReport, result: &RunResult) {
        self.observer.after(report, result);
    }
}
