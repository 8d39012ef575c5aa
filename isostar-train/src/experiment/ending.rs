//! Detecting a training that stopped early.

use std::sync::{Arc, Mutex, PoisonError};

use burn::train::Interrupter;

use super::{ExperimentError, RunFolder};

/// Keeps the reason why a training was stopped. Burn's dashboard resets the interrupter at the end
/// of training, so it must be read earlier.
#[derive(Clone)]
pub(super) struct Ending {
    interrupter: Interrupter,
    reason: Arc<Mutex<Option<String>>>,
}

impl Ending {
    /// Watches the interrupter of a training.
    pub(super) fn new(interrupter: Interrupter) -> Self {
        Self { interrupter, reason: Arc::default() }
    }

    /// Keeps the current reason, unless one is already kept.
    pub(super) fn latch(&self) {
        let error = || self.interrupter.error().map(|error| error.to_string());
        let stop = || self.interrupter.interruption().map(|stop| stop.reason.unwrap_or_else(|| "interrupted".into()));
        let mut reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        if reason.is_none() {
            *reason = error().or_else(stop);
        }
    }

    /// Checks that a training of `epochs` epochs is complete.
    ///
    /// # Errors
    /// If it was stopped, or its last checkpoint is of an earlier epoch.
    pub(super) fn check(&self, folder: &RunFolder, epochs: usize) -> Result<(), ExperimentError> {
        self.latch();
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let done = folder.epochs_done();
        match reason {
            None if done >= epochs => Ok(()),
            reason => {
                let reason = reason.unwrap_or_else(|| "unknown reason".into());
                Err(ExperimentError::Stopped { path: folder.path().into(), done, epochs, reason })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Creates a folder with the checkpoints of `epochs` epochs.
    fn folder(epochs: usize) -> (tempfile::TempDir, RunFolder) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("checkpoint")).unwrap();
        for epoch in 1..=epochs {
            for part in ["model", "optim", "scheduler"] {
                fs::write(folder.path().join(format!("checkpoint/{part}-{epoch}.bpk")), "").unwrap();
            }
        }
        let run = RunFolder::at(folder.path());
        (folder, run)
    }

    #[test]
    fn a_training_that_stopped_early_is_incomplete_regardless_of_the_interrupter() {
        let ending = Ending::new(Interrupter::new());
        let (_kept, one) = folder(1);
        let error = ending.check(&one, 2).unwrap_err();
        assert!(matches!(error, ExperimentError::Stopped { done: 1, epochs: 2, .. }), "{error}");
        let (_kept, two) = folder(2);
        assert!(ending.check(&two, 2).is_ok());
    }

    #[test]
    fn the_first_reason_is_kept_after_a_reset() {
        let interrupter = Interrupter::new();
        let ending = Ending::new(interrupter.clone());
        interrupter.stop(Some("the user asked for it"));
        ending.latch();
        interrupter.reset();
        let (_kept, folder) = folder(2);
        let error = ending.check(&folder, 2).unwrap_err();
        assert!(error.to_string().contains("the user asked for it"), "{error}");
    }
}
