use burn::data::dataset::DatasetError;
use burn::tensor::TensorReadError;
use thiserror::Error;

/// Error of a calibration. Epochs are counted as in [`HookEvent`](super::HookEvent).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// The calibration loader failed.
    #[error(
        "no reference for epoch {epoch}: calibration batch {batch} could not be read: {source}"
    )]
    Loader {
        /// Epoch of the calibration.
        epoch: usize,
        /// Batch, counted from 1.
        batch: usize,
        /// Error of the loader.
        source: DatasetError,
    },
    /// The states of a batch could not be read back from the device.
    #[error("no reference for epoch {epoch}: the device could not be read: {source}")]
    Device {
        /// Epoch of the calibration.
        epoch: usize,
        /// Error of the device.
        source: TensorReadError,
    },
    /// The calibration batches hold fewer than two states, the minimum for a covariance.
    #[error(
        "no reference for epoch {epoch}: the calibration batches hold {states} hidden states, and a covariance takes at least 2"
    )]
    TooFewStates {
        /// Epoch of the calibration.
        epoch: usize,
        /// Number of states.
        states: usize,
    },
    /// The training was interrupted during calibration.
    #[error("no reference for epoch {epoch}: the training was interrupted during calibration")]
    Interrupted {
        /// Epoch of the calibration.
        epoch: usize,
    },
}
