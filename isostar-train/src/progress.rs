//! The progress of long work: phases of a known number of units, notes, and requests to stop.

use std::fmt;

/// A part of long work, with a known number of units.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Phase {
    /// Evaluation on the validation rows, before or after training. Unit: rows.
    Evaluation,
    /// Computing hidden states. Unit: tokens.
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

/// Request to save the state of a run and to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT, as from Ctrl-C.
    Interrupt,
    /// SIGTERM, as from a scheduler or a shutdown.
    Terminate,
    /// SIGUSR1, with which SLURM warns before the time of a job is over (`--signal=USR1@60`).
    Warning,
}

impl Stop {
    /// Exit status of the command: 128 plus the number of the signal.
    pub fn status(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::Warning => 138,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Warning => "SIGUSR1",
        })
    }
}

/// Receives the progress of work. All methods have default implementations.
pub trait Progress: Send + Sync {
    /// A phase of `total` units begins. Phases overlap: calibration runs within the first training
    /// step.
    fn begin(&self, _phase: Phase, _total: usize) {}

    /// `done` units of a phase are complete.
    fn advance(&self, _phase: &Phase, _done: usize) {}

    /// A phase has ended.
    fn end(&self, _phase: &Phase) {}

    /// Whether the work is to save its state, if it has one, and end. Asked between steps and batches.
    fn stop(&self) -> Option<Stop> {
        None
    }

    /// A message for the user.
    fn note(&self, _text: &str) {}
}

/// Ignores all progress.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}
