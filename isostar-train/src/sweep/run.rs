//! A run of a sweep, which one process at a time makes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use toml::{Table, Value};

use super::{PlannedRun, SweepError};
use crate::experiment::{
    Experiment, ExperimentError, Holder, Observer, RunFolder, RunResult, TrainSettings,
};

/// A run of a sweep.
#[derive(Debug)]
pub struct SweepRun {
    /// The name and the settings.
    pub planned: PlannedRun,
    /// The folder of the run.
    pub folder: RunFolder,
    /// The state of the run.
    pub state: RunState,
}

/// The state of a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunState {
    /// Not finished.
    Unfinished {
        /// The number of completed epochs.
        epochs: usize,
    },
    /// Another process works on it.
    Elsewhere(Box<Holder>),
    /// Finished, with this result.
    Finished(RunResult),
    /// Diverged, with this result. Starting it again would diverge again.
    Diverged(RunResult),
    /// Failed with this error.
    Failed(ExperimentError),
}

impl SweepRun {
    /// Reads the state of a planned run. Writes nothing.
    ///
    /// # Errors
    /// If its folder holds something else, or a run with other settings.
    pub(super) fn open(planned: PlannedRun, parent: &Path) -> Result<Self, SweepError> {
        let folder = RunFolder::at(parent.join(&planned.name));
        // Before the settings, which another process may be writing.
        let is_taken = folder.is_taken();
        let settings = folder.settings();
        let state = match &settings {
            Ok(Some(found)) if !planned.settings.ask_for(found) => {
                return Err(SweepError::OtherSettings {
                    path: folder.path().into(),
                    keys: differing(found, &planned.settings),
                });
            }
            Ok(None) if is_taken && !folder.is_run() => {
                return Err(ExperimentError::FolderTaken {
                    path: folder.path().into(),
                }
                .into());
            }
            Ok(Some(_)) => match folder.result() {
                Ok(Some(result)) => RunState::over(result),
                _ => RunState::unfinished(&folder),
            },
            _ => RunState::unfinished(&folder),
        };
        Ok(Self {
            planned,
            folder,
            state,
        })
    }

    /// Makes the run, unless another process works on it or has made it.
    ///
    /// # Errors
    /// [`ExperimentError::Interrupted`] if the observer asks to stop. Other errors are the state of
    /// the run.
    pub(super) fn make(
        &mut self,
        observer: &Arc<dyn Observer>,
        begin: &dyn Fn(&Self),
    ) -> Result<(), ExperimentError> {
        let state = match self.folder.holder() {
            Some(holder) => Ok(RunState::Elsewhere(Box::new(holder))),
            None => self.finish(observer, begin),
        };
        let state = match state {
            Err(ExperimentError::Locked { holder, .. }) => RunState::Elsewhere(holder),
            Err(error @ ExperimentError::Interrupted { .. }) => {
                self.state = RunState::unfinished(&self.folder);
                return Err(error);
            }
            Err(error) => RunState::Failed(error),
            Ok(state) => state,
        };
        if let RunState::Elsewhere(holder) = &state
            && !matches!(&self.state, RunState::Elsewhere(before) if before.is(holder))
        {
            let name = &self.planned.name;
            observer.note(&format!("{name} is running elsewhere: {holder}"));
        }
        self.state = state;
        Ok(())
    }

    /// Takes the lock of the run and finishes it.
    fn finish(
        &self,
        observer: &Arc<dyn Observer>,
        begin: &dyn Fn(&Self),
    ) -> Result<RunState, ExperimentError> {
        let lock = self.folder.lock(observer.as_ref())?;
        if let Err(error) = self.folder.settings() {
            observer.note(&format!("{error}; the settings are those of the plan"));
        }
        // Another process may have made it since it was looked at.
        if let Some(result) = self.folder.whole_result(observer.as_ref())? {
            return Ok(RunState::over(result));
        }
        begin(self);
        let experiment = Experiment::prepare(self.planned.settings.clone(), observer.as_ref())?;
        match experiment.run(&lock, observer.clone()) {
            // The result records the divergence.
            Err(error @ ExperimentError::Diverged { .. }) => {
                self.folder.result()?.map(RunState::over).ok_or(error)
            }
            ended => ended.map(RunState::over),
        }
    }

    /// Whether it is neither over nor failed.
    pub(super) fn is_left(&self) -> bool {
        matches!(
            self.state,
            RunState::Unfinished { .. } | RunState::Elsewhere(_)
        )
    }

    /// Returns the result, if the run has finished or diverged.
    pub fn result(&self) -> Option<&RunResult> {
        match &self.state {
            RunState::Finished(result) | RunState::Diverged(result) => Some(result),
            _ => None,
        }
    }

    /// Returns the error, if the run failed.
    pub fn failure(&self) -> Option<&ExperimentError> {
        match &self.state {
            RunState::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the divergence, if the run diverged.
    pub fn divergence(&self) -> Option<ExperimentError> {
        match &self.state {
            RunState::Diverged(result) => self.folder.diverged(&self.planned.settings, result),
            _ => None,
        }
    }
}

impl RunState {
    fn over(result: RunResult) -> Self {
        if result.divergence().is_some() {
            Self::Diverged(result)
        } else {
            Self::Finished(result)
        }
    }

    fn unfinished(folder: &RunFolder) -> Self {
        Self::Unfinished {
            epochs: folder.epochs_done(),
        }
    }

    /// Names the state: done, diverged, failed, running elsewhere, or not made.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Finished(_) => "done",
            Self::Diverged(_) => "diverged",
            Self::Failed(_) => "failed",
            Self::Elsewhere(_) => "running elsewhere",
            Self::Unfinished { .. } => "not made",
        }
    }
}

/// Describes the settings in which an existing run differs from the plan.
fn differing(found: &TrainSettings, planned: &TrainSettings) -> Vec<String> {
    let [found, planned] = [found, planned]
        .map(|settings| Table::try_from(settings).expect("settings are plain values"));
    let keys: BTreeSet<&String> = found.keys().chain(planned.keys()).collect();
    let named = |table: &Table, key: &str| table.get(key).map_or("unset".into(), Value::to_string);
    let differing = keys
        .into_iter()
        .filter(|key| found.get(*key) != planned.get(*key));
    differing
        .map(|key| {
            format!(
                "{key} is {} in the run and {} in the plan",
                named(&found, key),
                named(&planned, key)
            )
        })
        .collect()
}
