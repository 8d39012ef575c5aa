//! Many runs from one plan: what they share, what varies, and which of them are over.
//!
//! ```text
//! plan.toml ──▶ Plan (a name and settings a run) ──▶ Sweep::open (what is there already) ──▶ Sweep::run ──▶ OUT/NAME, a run folder each
//! ```
//!
//! A plan has three parts, whose keys are those of a settings file:
//!
//! ```toml
//! [settings]               # what all runs share
//! model = "minilm"
//! epochs = 3
//!
//! [vary]                   # each combination of these is a run
//! weight = [0.0, -0.1]
//! seed = [1, 2, 3]
//!
//! [[runs]]                 # ... of each of these; without any there is one
//! task = "rte"
//! data = "glue/RTE"
//!
//! [[runs]]
//! name = "sst2-10k"        # the task's name by default
//! task = "sst2"
//! data = "glue/SST-2"
//! limit = 10000
//! epochs = 1               # goes before what all share
//! ```
//!
//! The runs are called `rte,seed=1,weight=0.0` and so on: what varies, in the order of the alphabet. A sweep that was cut off goes on where it was
//! when it is started again: what is over stays, what has a checkpoint is resumed. A run that diverged is
//! over: it would diverge again. Shards are for several machines with one file system.

mod error;
mod plan;
#[cfg(feature = "cli")]
mod schema;
mod shard;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use toml::{Table, Value};

pub use error::SweepError;
pub use plan::{Plan, PlannedRun};
pub use shard::Shard;

use crate::experiment::{Experiment, ExperimentError, Observer, RunFolder, RunResult, TrainSettings};

/// The runs of a plan and how far each has come.
#[derive(Debug)]
pub struct Sweep {
    runs: Vec<SweepRun>,
}

/// A run of a sweep.
#[derive(Debug)]
pub struct SweepRun {
    /// What it is called and how it is made.
    pub planned: PlannedRun,
    /// Where it is made.
    pub folder: RunFolder,
    /// How far it has come.
    pub state: RunState,
}

/// How far a run has come.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunState {
    /// It is not over; so many epochs have been made.
    Unfinished {
        /// The epochs whose checkpoint is complete.
        epochs: usize,
    },
    /// It is over, and this came out.
    Finished(RunResult),
    /// It is over: it diverged, and another start would lead there again.
    Diverged(RunResult),
    /// It stopped on this.
    Failed(ExperimentError),
}

impl Sweep {
    /// Looks at what `folder` holds of the plan's runs. Nothing is written.
    ///
    /// # Errors
    /// If one of them was made with other settings than the plan's, or its files cannot be read.
    pub fn open(plan: Plan, folder: &Path) -> Result<Self, SweepError> {
        let runs = plan.runs.into_iter().map(|planned| {
            let folder = RunFolder::at(folder.join(&planned.name));
            let state = match folder.settings()? {
                Some(found) if !planned.settings.ask_for(&found) => {
                    return Err(SweepError::OtherSettings { path: folder.path().into(), keys: differing(&found, &planned.settings) });
                }
                Some(_) => match folder.result()? {
                    Some(result) => RunState::over(result),
                    None => RunState::Unfinished { epochs: folder.epochs_done() },
                },
                None if folder.is_taken() => return Err(ExperimentError::FolderTaken { path: folder.path().into() }.into()),
                None => RunState::Unfinished { epochs: 0 },
            };
            Ok(SweepRun { planned, folder, state })
        });
        Ok(Self { runs: runs.collect::<Result<_, _>>()? })
    }

    /// Makes the runs that are not over, one after the other. One that fails or diverges leaves the others alone.
    ///
    /// `begin` is told of each before it starts, with its number from 1 and how many there are to make.
    pub fn run(&mut self, observer: &Arc<dyn Observer>, begin: &dyn Fn(&SweepRun, usize, usize)) {
        let is_left = |run: &SweepRun| matches!(run.state, RunState::Unfinished { .. });
        let count = self.runs.iter().filter(|run| is_left(run)).count();
        for (number, run) in self.runs.iter_mut().filter(|run| is_left(run)).enumerate() {
            begin(run, number + 1, count);
            let RunState::Unfinished { epochs } = run.state else { continue };
            run.state = run.finish(epochs, observer).map_or_else(RunState::Failed, RunState::over);
        }
    }

    /// The runs, in the order of the plan.
    pub fn runs(&self) -> &[SweepRun] {
        &self.runs
    }
}

impl SweepRun {
    fn finish(&self, epochs: usize, observer: &Arc<dyn Observer>) -> Result<RunResult, ExperimentError> {
        let experiment = Experiment::prepare(self.planned.settings.clone(), observer.as_ref())?;
        if epochs == 0 {
            self.folder.clear()?;
        }
        match experiment.run(&self.folder, epochs, observer.clone()) {
            // Its result says so.
            Err(error @ ExperimentError::Diverged { .. }) => self.folder.result()?.ok_or(error),
            ended => ended,
        }
    }

    /// What came out, if the run is over.
    pub fn result(&self) -> Option<&RunResult> {
        match &self.state {
            RunState::Finished(result) | RunState::Diverged(result) => Some(result),
            _ => None,
        }
    }

    /// What the run stopped on, if it failed.
    pub fn failure(&self) -> Option<&ExperimentError> {
        match &self.state {
            RunState::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Where the run diverged, if it did.
    pub fn divergence(&self) -> Option<ExperimentError> {
        match &self.state {
            RunState::Diverged(result) => self.folder.diverged(&self.planned.settings, result),
            _ => None,
        }
    }
}

impl RunState {
    fn over(result: RunResult) -> Self {
        if result.divergence().is_some() { Self::Diverged(result) } else { Self::Finished(result) }
    }
}

/// The settings in which a run that was found differs from the plan's.
fn differing(found: &TrainSettings, planned: &TrainSettings) -> Vec<String> {
    let [found, planned] = [found, planned].map(|settings| Table::try_from(settings).expect("settings are plain values"));
    let keys: BTreeSet<&String> = found.keys().chain(planned.keys()).collect();
    let named = |table: &Table, key: &str| table.get(key).map_or("nothing".into(), Value::to_string);
    let differing = keys.into_iter().filter(|key| found.get(*key) != planned.get(*key));
    differing.map(|key| format!("{key} {} there, {} in the plan", named(&found, key), named(&planned, key))).collect()
}
