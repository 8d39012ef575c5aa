use std::fmt;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::train::Interrupter;
use isostar_core::Regularizer;

use super::calibration::{Calibration, Observer};
use super::{CALIBRATION_LIMIT, Hook, HookEvent};

/// Settings of a [`Hook`]. `B` is the model's batch.
///
/// ```ignore
/// let hook = HookConfig::new().with_limit(50_000).init(IStarConfig::new(-0.1).init()?);
/// ```
pub struct HookConfig<B> {
    /// The most hidden states that a reference is estimated from. [`CALIBRATION_LIMIT`] by default.
    pub limit: usize,
    /// The loader of the calibration batches, iterated anew in every epoch until the limit is reached. By default, and then after it has been
    /// tapped, the training loader.
    ///
    /// If the regularizer counts padding among the states, pad these batches as those of training are padded.
    pub calibration_loader: Option<Arc<dyn DataLoader<B>>>,
    /// What is called when a reference is estimated, when the states collapse, and when the training diverges. By default these are events of
    /// `tracing`.
    pub observer: Option<Observer>,
    /// The interrupter of the training, which [`Hook::interrupter`] returns. A new one by default.
    pub interrupter: Interrupter,
}

impl<B: Send + 'static> HookConfig<B> {
    /// The default settings.
    pub fn new() -> Self {
        Self { limit: CALIBRATION_LIMIT, calibration_loader: None, observer: None, interrupter: Interrupter::new() }
    }

    /// The same settings with another [`limit`](Self::limit).
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// The same settings with a [`calibration_loader`](Self::calibration_loader).
    pub fn with_calibration_loader(self, loader: Arc<dyn DataLoader<B>>) -> Self {
        Self { calibration_loader: Some(loader), ..self }
    }

    /// The same settings with an [`observer`](Self::observer).
    pub fn with_observer(self, observer: impl Fn(&HookEvent) + Send + Sync + 'static) -> Self {
        Self { observer: Some(Box::new(observer)), ..self }
    }

    /// The same settings with another [`interrupter`](Self::interrupter).
    pub fn with_interrupter(self, interrupter: Interrupter) -> Self {
        Self { interrupter, ..self }
    }

    /// The hook of these settings, which adds `regularizer`'s penalty to the loss.
    pub fn init(self, regularizer: impl Regularizer + 'static) -> Hook<B> {
        let states = regularizer.reference_states().cloned();
        Hook { regularizer: Some(Arc::new(regularizer)), calibration: Arc::new(Calibration::new(states, self)) }
    }

    /// The hook of these settings, which adds nothing to the loss.
    pub fn init_without_regularizer(self) -> Hook<B> {
        Hook { regularizer: None, calibration: Arc::new(Calibration::new(None, self)) }
    }
}

impl<B: Send + 'static> Default for HookConfig<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> fmt::Debug for HookConfig<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookConfig").field("limit", &self.limit).finish_non_exhaustive()
    }
}
