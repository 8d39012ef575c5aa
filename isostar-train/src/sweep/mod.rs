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
//! again.
//!
//! A process works on a run only while it holds the lock of the run's folder. Processes with a
//! common file system therefore share a plan: each takes the first run that is free, and looks again
//! at those that others work on until they are over, or free because their process has ended.
//! Shards split a plan beforehand.

mod cluster;
mod error;
mod plan;
mod run;
mod schema;
mod shard;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use error::SweepError;
pub use plan::{Plan, PlannedRun};
pub use run::{RunState, SweepRun};
pub use shard::Shard;

use crate::experiment::{ExperimentError, Observer};

/// Time between two looks at the runs that other processes work on.
const LOOK: Duration = Duration::from_secs(1);

/// The runs of a plan, with their states.
#[derive(Debug)]
pub struct Sweep {
    runs: Vec<SweepRun>,
}

/// When a sweep ends before its runs are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepOptions {
    /// Whether a run that fails ends the sweep; by default, the others are made.
    pub fail_fast: bool,
    /// Whether to wait for the runs that other processes work on, and to make those whose process
    /// ends before they are over; the default.
    pub wait: bool,
}

impl Default for SweepOptions {
    fn default() -> Self {
        Self {
            fail_fast: false,
            wait: true,
        }
    }
}

impl Sweep {
    /// Reads the state of each run of the plan from `folder`. Writes nothing. Files of a run that
    /// cannot be read are looked at again when the run is made.
    ///
    /// # Errors
    /// If a run in the folder has other settings than in the plan, or there is something else under
    /// its name.
    pub fn open(plan: Plan, folder: &Path) -> Result<Self, SweepError> {
        let runs = plan
            .runs
            .into_iter()
            .map(|planned| SweepRun::open(planned, folder));
        Ok(Self {
            runs: runs.collect::<Result<_, _>>()?,
        })
    }

    /// Makes the unfinished runs, one after the other. A run that diverges does not stop the others,
    /// and neither does one that fails, which is not tried again. A run that another process works on
    /// is left to that process, and looked at again after the others.
    ///
    /// `begin` is called before each run with the run, its number from 1, and the number of runs that
    /// were left at the start.
    ///
    /// # Errors
    /// [`ExperimentError::Interrupted`] if the observer asks to stop before the runs are over. The
    /// state of a run that was going on is saved.
    pub fn run(
        &mut self,
        options: SweepOptions,
        observer: &Arc<dyn Observer>,
        begin: &dyn Fn(&SweepRun, usize, usize),
    ) -> Result<(), ExperimentError> {
        let count = self.left();
        loop {
            for at in 0..self.runs.len() {
                let number = count - self.left() + 1;
                let run = &mut self.runs[at];
                if !run.is_left() {
                    continue;
                }
                run.make(observer, &|run| begin(run, number, count))?;
                if options.fail_fast && run.failure().is_some() {
                    return Ok(());
                }
                self.stop(observer.as_ref())?;
            }
            if self.left() == 0 || !options.wait {
                return Ok(());
            }
            std::thread::sleep(LOOK);
            self.stop(observer.as_ref())?;
        }
    }

    /// The number of runs that are not over and have not failed.
    fn left(&self) -> usize {
        self.runs.iter().filter(|run| run.is_left()).count()
    }

    /// Ends the sweep, if that is requested and it is not over.
    fn stop(&self, observer: &dyn Observer) -> Result<(), ExperimentError> {
        ExperimentError::check_stop(observer.stop().filter(|_| self.left() > 0))
    }

    /// The runs, in the order of the plan.
    pub fn runs(&self) -> &[SweepRun] {
        &self.runs
    }
}
