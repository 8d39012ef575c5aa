//! Joining the processes that a launcher has started.

use super::{LaunchError, World, launched};

/// The membership of a process in a world. When it is dropped, the processes wait for each other.
#[derive(Default)]
pub struct Membership {
    world: World,
    #[cfg(feature = "mpi")]
    _mpi: Option<super::mpi::Initialized>,
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
            let (world, mpi) = super::mpi::join(launched)?;
            let _mpi = Some(mpi);
            Ok(Self { world, _mpi })
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
