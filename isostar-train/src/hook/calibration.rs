//! Calibration: estimates the reference covariance and keeps it between epochs.

mod estimate;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use burn::prelude::*;
use burn::train::Interrupter;
use isostar_core::{Regularizer, StateSelection};
use isostar_kernels::Precision;

use super::event::Observer;
use super::exchange::Exchange;
use super::guard::Guard;
use super::lock::lock;
use super::monitor::Monitor;
use super::{CalibrationError, HiddenStateModel, HookConfig, HookEvent};

/// Source of the calibration batches. The training loader does not replace a separate calibration
/// loader.
struct Source<B> {
    loader: Arc<dyn DataLoader<B>>,
    own: bool,
    /// Device without autodiff to which the loader has been moved. The loader is moved only once,
    /// because a moved copy restarts its random order and every epoch would see the same sample.
    /// All epochs are therefore calibrated on this device, even if a worker on another device asks
    /// first.
    placed: Option<Device>,
}

/// Reference and the epoch it was estimated for; 0 before the first.
struct Reference {
    epoch: usize,
    covariance: Option<Tensor<2>>,
}

/// State of the calibration, shared by the tap, which requests references, and all clones of the
/// wrapped model. The first clone that needs a reference estimates it.
pub(super) struct Calibration<B> {
    states: Option<StateSelection>,
    /// Regularizer, which receives the numbers of each step.
    pub(super) regularizer: Option<Arc<dyn Regularizer>>,
    limit: usize,
    tolerance: f64,
    requested: AtomicUsize,
    /// Whether a tapped loader has been iterated.
    tapped: AtomicBool,
    /// Whether a wrapped model has taken a training step.
    stepped: AtomicBool,
    /// Number of training steps, with those before a resumption.
    steps: AtomicU64,
    /// Whether a metric uses the moments of validation batches.
    moments_wanted: AtomicBool,
    collapse_reported: AtomicBool,
    source: Mutex<Option<Source<B>>>,
    reference: Mutex<Reference>,
    failure: Mutex<Option<Arc<CalibrationError>>>,
    seconds: Mutex<f64>,
    observer: Option<Observer>,
    interrupter: Interrupter,
    /// Precision of the model's products.
    pub(super) precision: Precision,
    pub(super) guard: Guard,
    /// Monitor of the geometry, if any.
    pub(super) monitor: OnceLock<Monitor>,
    pub(super) exchange: Arc<Exchange>,
}

impl<B: Send + 'static> Calibration<B> {
    /// Calibrates on the selected `states`; `None` disables calibration.
    pub(super) fn new(regularizer: Option<Arc<dyn Regularizer>>, config: HookConfig<B>) -> Self {
        let HookConfig {
            limit,
            tolerance,
            calibration_loader,
            observer,
            interrupter,
            precision,
        } = config;
        let source = calibration_loader.map(|loader| Source {
            loader,
            own: true,
            placed: None,
        });
        Self {
            states: regularizer
                .as_ref()
                .and_then(|regularizer| regularizer.reference_states().cloned()),
            regularizer,
            limit,
            tolerance,
            requested: AtomicUsize::new(1),
            tapped: AtomicBool::new(false),
            stepped: AtomicBool::new(false),
            steps: AtomicU64::new(0),
            moments_wanted: AtomicBool::new(false),
            collapse_reported: AtomicBool::new(false),
            source: Mutex::new(source),
            reference: Mutex::new(Reference {
                epoch: 0,
                covariance: None,
            }),
            failure: Mutex::new(None),
            seconds: Mutex::new(0.0),
            observer,
            interrupter,
            precision,
            guard: Guard::default(),
            monitor: OnceLock::new(),
            exchange: Arc::default(),
        }
    }

    /// Calibrates from the training loader, unless the hook has a separate calibration loader.
    pub(super) fn set_training_loader(&self, loader: Arc<dyn DataLoader<B>>) {
        let mut source = lock(&self.source);
        if source.as_ref().is_none_or(|source| !source.own) {
            *source = Some(Source {
                loader,
                own: false,
                placed: None,
            });
        }
    }

    pub(super) fn want_moments(&self) {
        self.moments_wanted.store(true, Ordering::SeqCst);
    }

    pub(super) fn wants_moments(&self) -> bool {
        self.moments_wanted.load(Ordering::SeqCst)
    }

    /// Records that a wrapped model takes a training step; returns the number of steps before it.
    pub(super) fn note_step(&self) -> u64 {
        self.stepped.store(true, Ordering::SeqCst);
        self.steps.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn has_stepped(&self) -> bool {
        self.stepped.load(Ordering::SeqCst)
    }

    pub(super) fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    pub(super) fn seconds(&self) -> f64 {
        *lock(&self.seconds)
    }

    /// Error that ended the calibration, if it failed.
    pub(super) fn failure(&self) -> Option<Arc<CalibrationError>> {
        lock(&self.failure).clone()
    }

    /// Number of epochs that this training has begun, including the current one.
    pub(super) fn epoch(&self) -> usize {
        self.requested.load(Ordering::SeqCst)
    }

    /// Requests the reference of `epoch` on behalf of a tapped loader; the next step then estimates
    /// it.
    pub(super) fn request(&self, epoch: usize) {
        self.tapped.store(true, Ordering::SeqCst);
        self.requested.fetch_max(epoch, Ordering::SeqCst);
    }

    /// Reference of the current epoch, if a step has estimated it.
    pub(super) fn covariance(&self) -> Option<Tensor<2>> {
        let reference = lock(&self.reference);
        reference
            .covariance
            .clone()
            .filter(|_| reference.epoch == self.epoch())
    }

    pub(super) fn is_collapse_reported(&self) -> bool {
        self.collapse_reported.load(Ordering::SeqCst)
    }

    /// Number of training steps, with those before a resumption.
    pub(super) fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    /// Continues after `steps` steps, in the first epoch of this training, with this reference.
    pub(super) fn restore(
        &self,
        steps: u64,
        covariance: Option<Tensor<2>>,
        is_collapse_reported: bool,
    ) {
        self.steps.store(steps, Ordering::SeqCst);
        self.collapse_reported
            .store(is_collapse_reported, Ordering::SeqCst);
        let epoch = usize::from(covariance.is_some());
        *lock(&self.reference) = Reference { epoch, covariance };
    }

    pub(super) fn report_collapse(&self, score: f64, threshold: f64) {
        if !self.collapse_reported.swap(true, Ordering::SeqCst) {
            self.tell(HookEvent::Collapsed { score, threshold });
        }
    }

    /// Reports that a monitor, if there is one, does not measure the steps of several devices.
    pub(super) fn skip_monitor(&self) {
        if self.monitor.get().is_some_and(Monitor::skip) {
            self.tell(HookEvent::NotMonitored);
        }
    }

    pub(super) fn tell(&self, event: HookEvent) {
        match &self.observer {
            Some(observer) => observer(&event),
            None => event.log(),
        }
    }

    /// Reference of the current epoch on `device`, estimated by the first step that needs it.
    /// `None` if the regularizer needs no reference.
    ///
    /// One thread estimates while the others wait. The estimate does not depend on the other
    /// threads, so there is no deadlock.
    ///
    /// # Errors
    /// If the reference cannot be estimated, now or in an earlier call: a failed calibration is not
    /// repeated. The tapped loader ends the training with the same error before the next batch.
    ///
    /// # Panics
    /// If no tapped loader has been iterated: all epochs would use the reference of the first, and
    /// an error might not end the training.
    pub(super) fn reference<M>(
        &self,
        model: &M,
        device: &Device,
    ) -> Result<Option<Tensor<2>>, Arc<CalibrationError>>
    where
        M: HiddenStateModel<Batch = B>,
    {
        let Some(states) = &self.states else {
            return Ok(None);
        };
        assert!(
            self.tapped.load(Ordering::SeqCst),
            "the model is wrapped by a hook whose training loader is not tapped: make the training with Hook::training, or pass the training \
             loader to Hook::tap and the result to SupervisedTraining::new, with the hook that wrapped the model"
        );
        let plain = device.clone().without_autodiff();
        let epoch = self.requested.load(Ordering::SeqCst);
        let mut reference = lock(&self.reference);
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        if reference.epoch < epoch {
            let covariance = self
                .estimate(model, states, &plain, epoch)
                .map_err(|error| self.fail(epoch, error))?;
            *reference = Reference {
                epoch,
                covariance: Some(covariance),
            };
        }
        Ok(reference
            .covariance
            .clone()
            .map(|covariance| covariance.to_device(&plain)))
    }

    /// Records the error for the tapped loader, reports it to the observer and triggers the
    /// interrupter.
    fn fail(&self, epoch: usize, error: CalibrationError) -> Arc<CalibrationError> {
        let error = Arc::new(error);
        *lock(&self.failure) = Some(error.clone());
        self.tell(HookEvent::CalibrationFailed {
            epoch,
            reason: error.to_string(),
        });
        if !matches!(*error, CalibrationError::Interrupted { .. }) {
            self.interrupter.fail(DatasetError::new(error.clone()));
        }
        error
    }
}
