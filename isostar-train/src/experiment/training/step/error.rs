//! Why a step could not be computed.

use burn::tensor::TensorReadError;
use thiserror::Error;

use super::workers::Failure;
use crate::world::WorldError;

/// Why a step could not be computed.
#[derive(Debug, Error)]
pub(in super::super) enum StepError {
    /// A device of this process failed.
    #[error("{0}")]
    Device(Failure),
    /// The numbers of a device could not be read.
    #[error("the device could not be read: {0}")]
    Read(#[from] TensorReadError),
    /// The processes cannot go on together.
    #[error(transparent)]
    World(#[from] WorldError),
}

impl From<Failure> for StepError {
    fn from(failure: Failure) -> Self {
        Self::Device(failure)
    }
}
