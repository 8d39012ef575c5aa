//! Requests from outside to stop a run.

use std::fmt;

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
