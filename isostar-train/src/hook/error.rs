use burn::data::dataset::DatasetError;
use burn::tensor::TensorReadError;
use thiserror::Error;

/// Why a reference could not be estimated. Epochs are counted as a [`HookEvent`](super::HookEvent) counts them.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// The loader failed.
    #[error("no reference for epoch {epoch}: calibration batch {batch} could not be read: {source}")]
    Loader {
        /// The epoch.
        epoch: usize,
        /// The batch, counted from 1.
        batch: usize,
        /// The loader's error.
        source: DatasetError,
    },
    /// The states of a batch could not be read back from the device.
    #[error("no reference for epoch {epoch}: the device could not be read: {source}")]
    Device {
        /// The epoch.
        epoch: usize,
        /// The device's error.
        source: TensorReadError,
    },
    /// A covariance takes two states.
    #[error("no reference for epoch {epoch}: the calibration batches hold {states} hidden states, and a covariance takes at least 2")]
    TooFewStates {
        /// The epoch.
        epoch: usize,
        /// How many there are.
        states: usize,
    },
    /// The training was interrupted during calibration.
    #[error("no reference for epoch {epoch}: the training was interrupted during calibration")]
    Interrupted {
        /// The epoch.
        epoch: usize,
    },
}
