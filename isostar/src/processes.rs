//! The processes of a training that mpirun or srun has started, as one of them sees it.

use std::sync::{Arc, Mutex, PoisonError};

use isostar_train::experiment::Observer;
use isostar_train::progress::{Progress, Stop};
use isostar_train::world::{LaunchError, Launched, Membership, World, WorldError};

use crate::failure::Failure;
use crate::signals;

/// Ends with [`leave`], after the last line of output: a launcher ends the processes of a job as
/// soon as one of them has failed.
static MEMBERSHIP: Mutex<Option<Membership>> = Mutex::new(None);

/// Time in which the first process prints why all of them end.
const PRINTED: std::time::Duration = std::time::Duration::from_millis(500);

/// Joins the processes that were started together.
///
/// # Errors
/// If they cannot train together. Only the first of them prints it.
pub fn join() -> Result<World, Failure> {
    let membership = Membership::join().map_err(|error| {
        let (LaunchError::NoMpi(launched) | LaunchError::Unconnected(launched)) = &error else {
            return error.into();
        };
        let Launched { rank, .. } = launched;
        let is_first = rank.is_none_or(|rank| rank == 0);
        if !is_first {
            // They have no other way to wait for the first.
            std::thread::sleep(PRINTED);
            return Failure::from(error).unsaid();
        }
        error.into()
    })?;
    let world = membership.world();
    if !world.is_first() {
        signals::be_quiet();
    }
    *MEMBERSHIP.lock().unwrap_or_else(PoisonError::into_inner) = Some(membership);
    Ok(world)
}

/// Waits until every process is done.
pub fn leave() {
    let mut membership = MEMBERSHIP.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(membership) = membership.take() {
        // The launcher may end this process as soon as another has ended.
        signals::be_quiet();
        drop(membership);
    }
}

/// Does the work of a process. Whatever ends it, the others do not wait for it.
///
/// The first process prints the failure of all. A process that has failed where the first has not
/// prints its own, with its remedy.
pub fn work(world: &World, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let _guard = Guard(world);
    let result = work();
    let message = result.as_ref().err().map(Failure::cause);
    let ended = world.end(message);
    let is_own = matches!(
        world.failure(),
        Some(WorldError::Failed { rank, .. }) if rank == world.rank()
    );
    let failure = match (result, ended) {
        (Err(failure), _) => failure,
        (Ok(()), Err(error)) => error.into(),
        (Ok(()), Ok(())) => return Ok(()),
    };
    Err(match (world.rank(), is_own) {
        (0, _) => failure,
        (rank, true) => failure.with_prefix(&format!("rank {rank} of {}", world.size())),
        (_, false) => failure.unsaid(),
    })
}

/// Tells the other processes of a panic.
struct Guard<'a>(&'a World);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.end(Some("it has panicked; see its message"));
        }
    }
}

/// Observer of every process but the first: prints nothing.
pub struct Quiet;

impl Quiet {
    /// The observer as a shared value.
    pub fn shared() -> Arc<dyn Observer> {
        Arc::new(Self)
    }
}

impl Progress for Quiet {
    fn stop(&self) -> Option<Stop> {
        signals::requested()
    }
}

impl Observer for Quiet {
    fn saves(&self, saves: bool) {
        signals::saves(saves);
    }
}
