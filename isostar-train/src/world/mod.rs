//! The processes that train one model together.
//!
//! ```text
//! rank 0 ─┐   statistics of the states, task losses, requests to stop    gathered, in the order of ranks
//! rank 1 ─┼─▶
//! rank 2 ─┘   gradients                                                  added up, in the order of ranks
//! ```
//!
//! Every process of a [`World`] runs the same program on the same batches, and computes its share of
//! the rows of each. They meet in calls that all of them make, in the same order; each call gives the
//! same bits to all of them. A process that fails says so in its next call, whichever that is, and
//! all of them end: nobody waits for a process that has failed. A single process is a world of one,
//! whose calls return what it passes.
//!
//! A world consists of the processes of an MPI job ([`Membership::join`], feature `mpi`), or of
//! threads ([`World::threads`]), as in tests.

mod bytes;
mod join;
mod launcher;
#[cfg(feature = "mpi")]
mod mpi;
mod threads;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

pub(crate) use bytes::{Reader, Writer};
pub use join::{Membership, mpi_version};
pub use launcher::{LaunchError, Launched, launched};

/// How the processes of a world reach each other. All of them make the same calls.
pub(crate) trait Link: Send + Sync {
    /// Number of this process, from 0.
    fn rank(&self) -> usize;

    /// Number of processes.
    fn size(&self) -> usize;

    /// Returns what every process passes, in the order of ranks; `None` if a process has ended
    /// without a message.
    fn gather(&self, own: &[u8]) -> Option<Vec<Vec<u8>>>;

    /// Replaces the values by their sums over all processes, in the order of ranks, which are the
    /// same bits everywhere; `None` as in [`gather`](Self::gather).
    fn sum(&self, values: &mut [f32]) -> Option<()>;
}

/// Why the processes of a world cannot go on together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WorldError {
    /// A process failed.
    #[error("rank {rank} of {size} failed: {message}")]
    Failed {
        /// The lowest rank that failed.
        rank: usize,
        /// The number of processes.
        size: usize,
        /// Its error message.
        message: String,
    },
    /// A process ended without a message.
    #[error("one of {size} processes has ended without a message")]
    Gone {
        /// The number of processes.
        size: usize,
    },
    /// The processes do not do the same.
    #[error("the {size} processes do not do the same: {message}")]
    OutOfStep {
        /// The number of processes.
        size: usize,
        /// What they do.
        message: String,
    },
}

/// What a call is for. Processes that call for different things are out of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Call {
    /// What the run is.
    Plan,
    /// Something that must be the same everywhere.
    Same,
    /// Whether to stop.
    Stop,
    /// The statistics of the states of a step.
    Statistics,
    /// Losses and outputs of a step.
    Outputs,
    /// A batch of an evaluation.
    Evaluation,
    /// The result of a process.
    End,
}

/// The processes that train together, as one of them sees it.
#[derive(Clone, Default)]
pub struct World(Option<Arc<Joined>>);

struct Joined {
    link: Box<dyn Link>,
    failure: Mutex<Failure>,
}

/// Why no more calls are made.
#[derive(Default)]
struct Failure {
    is_over: bool,
    error: Option<WorldError>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "World(rank {} of {})", self.rank(), self.size())
    }
}

const WHOLE: u8 = 0;
const FAILED: u8 = 1;

impl World {
    /// A process that trains alone.
    pub fn alone() -> Self {
        Self(None)
    }

    pub(crate) fn new(link: impl Link + 'static) -> Self {
        if link.size() == 1 {
            return Self::alone();
        }
        Self(Some(Arc::new(Joined {
            link: Box::new(link),
            failure: Mutex::default(),
        })))
    }

    /// The number of this process, from 0.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |joined| joined.link.rank())
    }

    /// The number of processes.
    pub fn size(&self) -> usize {
        self.0.as_ref().map_or(1, |joined| joined.link.size())
    }

    /// Whether this process writes the files of the run, and speaks for all.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Why the processes cannot go on together, if that has been found.
    pub fn failure(&self) -> Option<WorldError> {
        self.0.as_ref()?.failure().error.clone()
    }

    /// Returns what every process passes, in the order of ranks.
    ///
    /// # Errors
    /// If a process has failed, or the processes are out of step. No later call succeeds.
    pub(crate) fn gather(&self, call: Call, own: Vec<u8>) -> Result<Vec<Vec<u8>>, WorldError> {
        match &self.0 {
            Some(joined) => joined.call(call, WHOLE, &own),
            None => Ok(vec![own]),
        }
    }

    /// Returns what the first process passes; the others wait for it.
    ///
    /// # Errors
    /// If a process has failed, or the processes are out of step.
    pub fn from_first(&self, own: Vec<u8>) -> Result<Vec<u8>, WorldError> {
        let own = if self.is_first() { own } else { Vec::new() };
        let found = self.gather(Call::Plan, own);
        found.map(|mut found| found.swap_remove(0))
    }

    /// Checks that every process passes the same.
    ///
    /// # Arguments
    /// - `name`: what it is, in the plural
    ///
    /// # Errors
    /// [`WorldError::OutOfStep`] if a process passes something else, or as
    /// [`from_first`](Self::from_first).
    pub fn check_same(&self, name: &str, own: &[u8]) -> Result<(), WorldError> {
        let found = self.gather(Call::Same, own.to_vec())?;
        match found.iter().position(|other| *other != found[0]) {
            Some(rank) => {
                let message = format!("their {name} differ: rank {rank} has others than rank 0");
                Err(self.out_of_step(message))
            }
            None => Ok(()),
        }
    }

    /// Replaces the values by their sums over all processes, in the order of ranks. Every process
    /// gets the same bits.
    ///
    /// # Errors
    /// If a process has ended. All processes have made the same call before, with success.
    pub(crate) fn sum(&self, values: &mut [f32]) -> Result<(), WorldError> {
        let Some(joined) = &self.0 else { return Ok(()) };
        let gone = || joined.end(WorldError::Gone { size: self.size() });
        joined.link.sum(values).ok_or_else(gone)
    }

    /// An answer that does not fit to what this process asks.
    pub(crate) fn out_of_step(&self, message: impl Into<String>) -> WorldError {
        let error = WorldError::OutOfStep {
            size: self.size(),
            message: message.into(),
        };
        match &self.0 {
            Some(joined) => joined.end(error),
            None => error,
        }
    }

    /// Ends the work of this process: tells the others whether it has failed, and waits for them.
    /// Does nothing if they know.
    ///
    /// # Arguments
    /// - `failure`: the message of this process's error, if it has failed
    ///
    /// # Errors
    /// If another process has failed and this one has not.
    pub fn end(&self, failure: Option<&str>) -> Result<(), WorldError> {
        let Some(joined) = &self.0 else { return Ok(()) };
        if joined.failure().is_over {
            return Ok(());
        }
        let status = if failure.is_some() { FAILED } else { WHOLE };
        let message = failure.unwrap_or_default().as_bytes();
        let ended = joined.call(Call::End, status, message);
        match failure {
            Some(_) => Ok(()),
            None => ended.map(|_| ()),
        }
    }
}

impl Joined {
    fn failure(&self) -> MutexGuard<'_, Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records why no more calls are made.
    fn end(&self, error: WorldError) -> WorldError {
        let mut failure = self.failure();
        failure.is_over = true;
        failure.error.get_or_insert(error).clone()
    }

    fn call(&self, call: Call, status: u8, own: &[u8]) -> Result<Vec<Vec<u8>>, WorldError> {
        {
            let failure = self.failure();
            if failure.is_over {
                let gone = WorldError::Gone {
                    size: self.link.size(),
                };
                return Err(failure.error.clone().unwrap_or(gone));
            }
        }
        let size = self.link.size();
        let mut framed = Vec::with_capacity(own.len() + 2);
        framed.extend([status, call as u8]);
        framed.extend(own);
        let found = self.link.gather(&framed);
        let Some(mut found) = found.filter(|found| found.iter().all(|frame| frame.len() >= 2))
        else {
            return Err(self.end(WorldError::Gone { size }));
        };
        if let Some(rank) = found.iter().position(|frame| frame[0] == FAILED) {
            let message = String::from_utf8_lossy(&found[rank][2..]).into_owned();
            return Err(self.end(WorldError::Failed {
                rank,
                size,
                message,
            }));
        }
        if let Some(rank) = found.iter().position(|frame| frame[1] != call as u8) {
            let message = format!("rank {rank} is elsewhere than rank {}", self.link.rank());
            return Err(self.end(WorldError::OutOfStep { size, message }));
        }
        if call == Call::End {
            self.failure().is_over = true;
        }
        for frame in &mut found {
            frame.drain(..2);
        }
        Ok(found)
    }
}

#[cfg(test)]
pub(crate) mod tests;
