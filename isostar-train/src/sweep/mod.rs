//! Sweeps: many training runs from one plan.
//!
//! ```text
//! plan.toml ──▶ Plan (name and settings of each run) ──▶ Sweep::open (state of each run) ──▶ Sweep::run ──▶ OUT/NAME, one run folder each
//! ```
//!
//! A plan has three parts. Their keys are those of a settings file:
//!
//! ```toml
//! [settings]               # settings shared by all runs
//! model = "minilm"
//! epochs = 3
//!
//! [vary]                   # one run per combination of these values
//! weight = [0.0, -0.1]
//! seed = [1, 2, 3]
//!
//! [[runs]]                 # ... and per entry; without entries there is one
//! task = "rte"
//! data = "glue/RTE"
//!
//! [[runs]]
//! name = "sst2-10k"        # the task's name by default
//! task = "sst2"
//! data = "glue/SST-2"
//! limit = 10000
//! epochs = 1               # overrides [settings]
//! ```
//!
//! The runs are called `rte,seed=1,weight=0.0` and so on, with the varied keys in alphabetical
//! order. An interrupted sweep continues when it is started again: finished runs are kept, and a
//! run with a snapshot is resumed. A diverged run counts as finished, because it would diverge
//! again. Shards split a sweep across machines with a shared file system.

mod cluster;
mod error;
mod plan;
mod schema;
mod shard;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use toml::{Table, Value};

pub use error::SweepError;
pub use plan::{Plan, PlannedRun};
pub use shard::Shard;

use crate::experiment::{
    Experiment, ExperimentError, Observer, RunFolder, RunResult, TrainSettings,
};

/// The runs of a plan, with their states.
#[derive(Debug)]
pub struct Sweep {
    runs: Vec<SweepRun>,
}

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
    /// Finished, with this result.
    Finished(RunResult),
    /// Diverged, with this result. Starting it again would diverge again.
    Diverged(RunResult),
    /// Failed with this error.
    Failed(ExperimentError),
}

impl Sweep {
    /// Reads the state of each run of the plan from `folder`. Writes nothing.
    ///
    /// # Errors
    /// If a run in the folder has other settings than in the plan, or its files cannot be read.
    pub fn open(plan: Plan, folder: &Path) -> Result<Self, SweepError> {
        let runs = plan.runs.into_iter().map(|planned| {
            let folder = RunFolder::at(folder.join(&planned.name));
            let state = match folder.settings()? {
                Some(found) if !planned.settings.ask_for(&found) => {
                    return Err(SweepError::OtherSettings {
                        path: folder.path().into(),
                        keys: differing(&found, &planned.settings),
                    });
                }
                Some(_) => match folder.result()? {
                    Some(result) => RunState::over(result),
                    None => RunState::Unfinished {
                        epochs: folder.epochs_done(),
                    },
                },
                None if folder.is_taken() => {
                    return Err(ExperimentError::FolderTaken {
                        path: folder.path().into(),
                    }
                    .into());
                }
                None => RunState::Unfinished { epochs: 0 },
            };
            Ok(SweepRun {
                planned,
                folder,
                state,
            })
        });
        Ok(Self {
            runs: runs.collect::<Result<_, _>>()?,
        })
    }

    /// Makes the unfinished runs one after the other. A run that fails or diverges does not stop
    /// the others.
    ///
    /// `begin` is called before each run with the run, its number from 1, and the number of runs to
    /// make.
    pub fn run(&mut self, observer: &Arc<dyn Observer>, begin: &dyn Fn(&SweepRun, usize, usize)) {
        let is_left = |run: &SweepRun| matches!(run.state, RunState::Unfinished { .. });
        let count = self.runs.iter().filter(|run| is_left(run)).count();
        for (number, run) in self.runs.iter_mut().filter(|run| is_left(run)).enumerate() {
            begin(run, number + 1, count);
            run.state = run
                .finish(observer)
                .map_or_else(RunState::Failed, RunState::over);
        }
    }

    /// The runs, in the order of the plan.
    pub fn runs(&self) -> &[SweepRun] {
        &self.runs
    }
}

impl SweepRun {
    fn finish(&self, observer: &Arc<dyn Observer>) -> Result<RunResult, ExperimentError> {
        let experiment = Experiment::prepare(self.planned.settings.clone(), observer.as_ref())?;
        let lock = self.folder.lock(observer.as_ref())?;
        match experiment.run(&lock, observer.clone()) {
            // The result records the divergence.
            Err(error @ ExperimentError::Diverged { .. }) => self.folder.result()?.ok_or(error),
            ended => ended,
        }
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
