//! What there is of a run in its folder: nothing, a run that goes on, or a whole one.

use std::fs;

use super::RunFolder;
use crate::experiment::snapshot::{MANIFEST, Manifest};
use crate::experiment::{ExperimentError, Observer, RunResult, TrainSettings};

/// What there is of a run in its folder.
#[derive(Debug)]
pub enum RunState {
    /// Nothing: a run begins.
    Empty,
    /// A run with these settings that is not over.
    Unfinished(Box<TrainSettings>),
    /// A whole run with these settings and this result.
    Finished(Box<TrainSettings>, Box<RunResult>),
}

impl RunFolder {
    /// Finds out what there is of a run. Damaged files are reported to the observer.
    ///
    /// # Errors
    /// If the folder holds something else than a run, the run diverged, or its settings are damaged
    /// and no snapshot holds them.
    pub fn state(&self, observer: &dyn Observer) -> Result<RunState, ExperimentError> {
        let nothing = |reason| ExperimentError::NothingToResume {
            path: self.path.clone(),
            reason,
        };
        if !self.is_taken() {
            return Ok(RunState::Empty);
        }
        if self.snapshots().steps().is_empty() && self.has_earlier_checkpoints() {
            return Err(nothing("its checkpoints are those of an earlier version"));
        }
        let settings = match self.stored_settings() {
            Ok(Some(settings)) => settings,
            found => {
                let newest = self.snapshots().newest(&|_| {});
                let (Some(parts), fault) = (newest, found.as_ref().err()) else {
                    return Err(found
                        .err()
                        .unwrap_or_else(|| nothing("there is no config.toml")));
                };
                let fault = fault.map_or_else(
                    || format!("{} is missing", self.config().display()),
                    ToString::to_string,
                );
                observer.note(&format!(
                    "{fault}; the settings are those of the newest snapshot"
                ));
                parts.state.settings
            }
        };
        let settings = Box::new(settings);
        match self.whole_result(observer)? {
            Some(result) => match self.diverged(&settings, &result) {
                Some(error) => Err(error),
                None if result.epochs >= settings.epochs => {
                    self.snapshots()
                        .report_damaged(usize::MAX, &|damaged| observer.note(&damaged.to_string()));
                    Ok(RunState::Finished(settings, Box::new(result)))
                }
                None => Ok(RunState::Unfinished(settings)),
            },
            None => Ok(RunState::Unfinished(settings)),
        }
    }

    fn has_earlier_checkpoints(&self) -> bool {
        let entries = fs::read_dir(self.path.join("checkpoint"))
            .into_iter()
            .flatten()
            .flatten();
        entries
            .into_iter()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("model-"))
    }

    /// Reads the result of a run whose files are all as its manifest says; reports those that are
    /// not.
    fn whole_result(&self, observer: &dyn Observer) -> Result<Option<RunResult>, ExperimentError> {
        if !self.results().exists() && !self.path.join(MANIFEST).exists() {
            return Ok(None);
        }
        let faults = match Manifest::read(&self.path) {
            // Stopped between the manifest and the result.
            Ok(_) if !self.results().exists() => return Ok(None),
            Ok(manifest) => manifest.faults(&self.path),
            // Stopped while its files were removed, to go on with the run.
            Err(_) if !self.path.join(MANIFEST).exists() => return Ok(None),
            Err(fault) => vec![fault],
        };
        if faults.is_empty() {
            return self.result();
        }
        for fault in faults {
            observer.note(&format!(
                "{}: {fault}; it is made anew",
                self.path.display()
            ));
        }
        Ok(None)
    }
}
