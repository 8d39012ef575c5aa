//! Observer of a run's progress.

use std::collections::BTreeMap;

use super::{RunResult, SplitReport, Stop};

/// Phase of a run, with a known number of units.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Phase {
    /// Evaluation on the validation rows, before or after training. Unit: rows.
    Evaluation,
    /// Writing hidden states to a file. Unit: tokens.
    Embedding,
    /// Measuring the states of one layer. Unit: points, counted again each time they are read.
    Measuring {
        /// Index of the layer; 0 is the embedding output.
        layer: usize,
        /// Index of the last layer.
        last: usize,
    },
    /// Downloading a file of the model or the task. Unit: bytes.
    Download {
        /// Name of the file.
        file: String,
    },
    /// Estimating the reference. Unit: states.
    Calibration {
        /// Epoch, from 1.
        epoch: usize,
    },
    /// Training for one epoch. Unit: training rows.
    Training {
        /// Epoch, from 1.
        epoch: usize,
        /// Total number of epochs.
        epochs: usize,
    },
    /// Validation at the end of an epoch. Unit: validation rows.
    Validation {
        /// Epoch, from 1.
        epoch: usize,
    },
}

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

/// Receives the progress of a run. All methods have default implementations.
pub trait Observer: Send + Sync {
    /// A phase of `total` units begins. Phases overlap: calibration runs within the first training
    /// step.
    fn begin(&self, _phase: Phase, _total: usize) {}

    /// `done` units of a phase are complete.
    fn advance(&self, _phase: &Phase, _done: usize) {}

    /// A metric of a phase has a new value. `name` is its name in metrics.jsonl, such as
    /// `task_loss`.
    fn metric(&self, _phase: &Phase, _name: &str, _value: f64) {}

    /// A phase has ended.
    fn end(&self, _phase: &Phase) {}

    /// An epoch and its validation are complete. Not called for an epoch that was cut short.
    fn epoch(&self, _report: &EpochReport) {}

    /// Whether Burn's dashboard, if compiled in, may take over the terminal.
    fn wants_dashboard(&self) -> bool {
        false
    }

    /// Whether the run is to save its state and end. Asked between steps and batches, while
    /// [`saves`](Self::saves) is true.
    fn stop(&self) -> Option<Stop> {
        None
    }

    /// From now on, [`stop`](Self::stop) is asked often enough to end the run by (`true`), or no
    /// longer (`false`): there is nothing to save then, and the process may end at once.
    fn saves(&self, _saves: bool) {}

    /// A message for the user.
    fn note(&self, _text: &str) {}

    /// The validation rows have been evaluated before training.
    fn before(&self, _report: &SplitReport) {}

    /// The run is complete.
    fn after(&self, _report: &SplitReport, _result: &RunResult) {}
}

/// Observer that ignores all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
