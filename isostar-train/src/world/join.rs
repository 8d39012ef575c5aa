//! Joining the processes that a launcher has started.

use super::{LaunchError, World, launched};

/// The membership of a process in a world. When it is dropped, the processes wait for each other.
#[derive(Default)]
pub struct Membership {
    world: World,
    /// Finalizes MPI when it is dropped.
    #[cfg(feature = "mpi")]
    _universe: Option<mpi::environment::Universe>,
}

impl Membership {
    /// Joins the processes that were started together with this one, see [`launched`]; a process
    /// that was started alone is a world of one, and does without MPI.
    ///
    /// # Errors
    /// If they cannot train together.
    pub fn join() -> Result<Self, LaunchError> {
        let Some(launched) = launched(|name| std::env::var(name).ok()) else {
            return Ok(Self::default());
        };
        #[cfg(feature = "mpi")]
        {
            let (world, universe) = super::mpi::join(launched)?;
            Ok(Self {
                world,
                _universe: Some(universe),
            })
        }
        #[cfg(not(feature = "mpi"))]
        Err(LaunchError::NoMpi(launched))
    }

    /// The processes that train together.
    pub fn world(&self) -> World {
        self.world.clone()
    }
}

/// Name and version of the MPI library; `None` without the feature `mpi`.
pub fn mpi_version() -> Option<String> {
    #[cfg(feature = "mpi")]
    return Some(super::mpi::version());
    #[cfg(not(feature = "mpi"))]
    None
}
