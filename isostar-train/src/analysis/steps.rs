//! Progress of a phase in steps.

use std::cell::Cell;

use crate::progress::{Phase, Progress};

/// A phase reported to an observer, which ends when this value is dropped.
pub(super) struct Steps<'a> {
    observer: &'a dyn Progress,
    phase: Phase,
    done: Cell<usize>,
}

impl<'a> Steps<'a> {
    /// Begins a phase of `total` steps.
    pub fn begin(observer: &'a dyn Progress, phase: Phase, total: usize) -> Self {
        observer.begin(phase.clone(), total);
        Self {
            observer,
            phase,
            done: Cell::new(0),
        }
    }

    /// Reports that `steps` more steps are done.
    pub fn advance(&self, steps: usize) {
        self.done.set(self.done.get() + steps);
        self.observer.advance(&self.phase, self.done.get());
    }
}

impl Drop for Steps<'_> {
    fn drop(&mut self) {
        self.observer.end(&self.phase);
    }
}
