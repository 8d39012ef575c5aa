//! Observer of a run's progress.

use std::collections::BTreeMap;

use super::{RunResult, SplitReport};
use crate::progress::{Phase, Progress, Silent};

/// Metrics and durations of one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochReport {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Total number of epochs.
    pub epochs: usize,
    /// Metrics of the training rows, by their names in metrics.jsonl.
    pub training: BTreeMap<String, f64>,
    /// Metrics of the validation rows, by their names in metrics.jsonl.
    pub validation: BTreeMap<String, f64>,
    /// Seconds from the start of the epoch to the end of its validation, including calibration.
    pub seconds: f64,
    /// Training rows per second, excluding calibration.
    pub rows_per_second: f64,
    /// Estimated seconds for the remaining epochs, from the mean duration of the past ones,
    /// including calibration, validation and checkpoints.
    pub seconds_left: f64,
}

/// Receives the progress and the results of a run. All methods have default implementations.
pub trait Observer: Progress {
    /// A metric of a phase has a new value. `name` is its name in metrics.jsonl, such as
    /// `task_loss`.
    fn metric(&self, _phase: &Phase, _name: &str, _value: f64) {}

    /// An epoch and its validation are complete. Not called for an epoch that was cut short.
    fn epoch(&self, _report: &EpochReport) {}

    /// Whether Burn's dashboard, if compiled in, may take over the terminal.
    fn wants_dashboard(&self) -> bool {
        false
    }

    /// From now on, [`stop`](Progress::stop) is asked often enough to end the run by (`true`), or no
    /// longer (`false`): there is nothing to save then, and the process may end at once.
    fn saves(&self, _saves: bool) {}

    /// The validation rows have been evaluated before training.
    fn before(&self, _report: &SplitReport) {}

    /// The run is complete.
    fn after(&self, _report: &SplitReport, _result: &RunResult) {}
}

impl Observer for Silent {}
