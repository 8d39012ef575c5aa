use std::fmt;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::train::Interrupter;
use isostar_kernels::Precision;

use super::event::{HookEvent, Observer};

/// Default maximum number of states for estimating a reference, as in the paper.
pub const CALIBRATION_LIMIT: usize = 250_000;

/// Configuration of a [`Hook`](super::Hook). `B` is the model's batch.
///
/// ```ignore
/// let hook = HookConfig::new().with_limit(50_000).init(IStarConfig::new(-0.1).init()?);
/// ```
pub struct HookConfig<B> {
    /// Maximum number of hidden states for estimating a reference. [`CALIBRATION_LIMIT`] by
    /// default.
    pub limit: usize,
    /// Relative change of the covariance, in the Frobenius norm, below which doubling the states ends
    /// a calibration. 0 by default: a calibration then uses all states up to the limit.
    ///
    /// If the calibration batches come in random order, the change estimates the sampling error of
    /// the reference. If they are sorted, for example by length, do not set a tolerance: the first
    /// batches do not represent the rest.
    pub tolerance: f64,
    /// Loader of the calibration batches, iterated anew in every epoch until the limit is reached.
    /// Defaults to the training loader, once it has been tapped.
    ///
    /// If the regularizer includes padding, pad these batches like the training batches.
    pub calibration_loader: Option<Arc<dyn DataLoader<B>>>,
    /// Callback for the events of the hook: calibration, a collapse of the states, a diverged
    /// training. By default, events are logged with `tracing`.
    pub observer: Option<Observer>,
    /// Interrupter of the training, as returned by [`Hook::interrupter`](super::Hook::interrupter). A new one by default.
    pub interrupter: Interrupter,
    /// Precision of the matrix products of isostar's models, in training, validation and calibration.
    /// f32 by default.
    pub precision: Precision,
}

impl<B: Send + 'static> HookConfig<B> {
    /// Returns the default configuration.
    pub fn new() -> Self {
        let (interrupter, precision) = (Interrupter::new(), Precision::default());
        Self {
            limit: CALIBRATION_LIMIT,
            tolerance: 0.0,
            calibration_loader: None,
            observer: None,
            interrupter,
            precision,
        }
    }

    /// Sets the [`limit`](Self::limit).
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Sets the [`tolerance`](Self::tolerance).
    pub fn with_tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// Sets the [`calibration_loader`](Self::calibration_loader).
    pub fn with_calibration_loader(self, loader: Arc<dyn DataLoader<B>>) -> Self {
        Self {
            calibration_loader: Some(loader),
            ..self
        }
    }

    /// Sets the [`observer`](Self::observer).
    pub fn with_observer(self, observer: impl Fn(&HookEvent) + Send + Sync + 'static) -> Self {
        Self {
            observer: Some(Box::new(observer)),
            ..self
        }
    }

    /// Sets the [`interrupter`](Self::interrupter).
    pub fn with_interrupter(self, interrupter: Interrupter) -> Self {
        Self {
            interrupter,
            ..self
        }
    }

    /// Sets the [`precision`](Self::precision).
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }
}

impl<B: Send + 'static> Default for HookConfig<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> fmt::Debug for HookConfig<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookConfig")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
