//! Who is told how a run gets on.

use std::collections::BTreeMap;

use super::{RunResult, SplitReport};

/// A stretch of work whose length is known.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Phase {
    /// Measuring the validation rows, before or after training. In rows.
    Evaluation,
    /// Writing the hidden states of rows to a file. In tokens.
    Embedding,
    /// Measuring what one layer makes of the rows. In points, a point counting once whenever it is read.
    Measuring {
        /// The layer; 0 is the embedding output.
        layer: usize,
        /// The last layer.
        last: usize,
    },
    /// Downloading a file of the model or of the task. In bytes.
    Download {
        /// The file's name.
        file: String,
    },
    /// Estimating the reference. In states.
    Calibration {
        /// The epoch.
        epoch: usize,
    },
    /// Training. In rows.
    Training {
        /// The epoch.
        epoch: usize,
        /// Of how many.
        epochs: usize,
    },
    /// Validation at an epoch's end. In rows.
    Validation {
        /// The epoch.
        epoch: usize,
    },
}

/// What came out of an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Of how many.
    pub epochs: usize,
    /// The numbers of the training rows, by their names in metrics.jsonl.
    pub training: BTreeMap<String, f64>,
    /// The numbers of the validation rows, by their names in metrics.jsonl.
    pub validation: BTreeMap<String, f64>,
    /// Seconds from the start of the epoch to the end of its validation, calibration included.
    pub seconds: f64,
    /// Training rows per second, calibration left out.
    pub rows_per_second: f64,
    /// Expected seconds of the remaining epochs, each with its calibration, validation and checkpoint: as long as the past ones on average.
    pub seconds_left: f64,
}

/// Is told how a run gets on; every method may be left out.
pub trait Observer: Send + Sync {
    /// A phase of `total` units begins. Phases overlap: calibration happens within the first step of training.
    fn begin(&self, _phase: Phase, _total: usize) {}

    /// So many units of a phase are done.
    fn advance(&self, _phase: &Phase, _done: usize) {}

    /// A number of a phase changed; its name is that in metrics.jsonl, such as `task_loss`.
    fn metric(&self, _phase: &Phase, _name: &str, _value: f64) {}

    /// A phase is over.
    fn end(&self, _phase: &Phase) {}

    /// An epoch and its validation are over. An epoch that was cut short is not told of.
    fn epoch(&self, _report: &EpochReport) {}

    /// Whether Burn's dashboard may take over the terminal, if it is compiled in.
    fn wants_dashboard(&self) -> bool {
        false
    }

    /// Something that a person should read.
    fn note(&self, _text: &str) {}

    /// The validation rows have been measured before training.
    fn before(&self, _report: &SplitReport) {}

    /// The run is over.
    fn after(&self, _report: &SplitReport, _result: &RunResult) {}
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
