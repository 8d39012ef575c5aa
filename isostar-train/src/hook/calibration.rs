//! The reference covariance: when it is estimated, from what, and where it is kept between epochs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use burn::prelude::*;
use burn::train::Interrupter;
use isostar_core::{HiddenStates, RunningMoments, StateSelection};

use super::guard::{Divergence, Guard};
use super::{CALIBRATION_LIMIT, HiddenStateModel};

/// What a hook tells its observer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum HookEvent {
    /// A reference is about to be estimated, from at most `limit` states.
    CalibrationStarted {
        /// How many epochs this training has begun, this one included.
        epoch: usize,
        /// The most states to be used.
        limit: usize,
    },
    /// Another batch has been merged.
    CalibrationProgress {
        /// How many epochs this training has begun, this one included.
        epoch: usize,
        /// States merged so far.
        states: usize,
    },
    /// The reference is ready.
    CalibrationFinished {
        /// How many epochs this training has begun, this one included.
        epoch: usize,
        /// States merged in all.
        states: usize,
        /// Their IsoScore; `None` if no direction has variance.
        isoscore: Option<f64>,
        /// How long it took.
        seconds: f64,
    },
    /// The regularizer's measure of a batch fell under its threshold: the states lie nearly on a line. Told once a training, of a batch with
    /// enough states to tell.
    Collapsed {
        /// The measure of the batch; it may be NaN.
        score: f64,
        /// The threshold.
        threshold: f64,
    },
    /// A number of the training is not finite: it stops.
    Diverged(Divergence),
}

type Observer = Box<dyn Fn(&HookEvent) + Send + Sync>;

/// The batches to calibrate from; a loader of the hook's own is not displaced by the training loader.
struct Source<B> {
    loader: Arc<dyn DataLoader<B>>,
    own: bool,
    /// Whether the loader has been moved to a device without autodiff. It is moved once: a copy of a loader starts its random order afresh, and every
    /// epoch would see the same sample.
    placed: bool,
}

/// The reference and the epoch it was estimated for, 0 before the first.
struct Reference {
    epoch: usize,
    covariance: Option<Tensor<2>>,
}

/// Shared by the tap, which asks for references, and by every clone of the wrapped model, whichever of which is first to need one.
pub(super) struct Calibration<B> {
    states: Option<StateSelection>,
    limit: AtomicUsize,
    requested: AtomicUsize,
    collapse_reported: AtomicBool,
    source: Mutex<Option<Source<B>>>,
    reference: Mutex<Reference>,
    seconds: Mutex<f64>,
    observer: Mutex<Option<Observer>>,
    interrupter: Interrupter,
    pub(super) guard: Guard,
}

/// A poisoned lock means that another thread panicked, which ends the training anyway.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B: Send + 'static> Calibration<B> {
    /// Calibration on these states; never, if there are none.
    pub(super) fn new(states: Option<StateSelection>) -> Self {
        Self {
            states,
            limit: AtomicUsize::new(CALIBRATION_LIMIT),
            requested: AtomicUsize::new(1),
            collapse_reported: AtomicBool::new(false),
            source: Mutex::new(None),
            reference: Mutex::new(Reference { epoch: 0, covariance: None }),
            seconds: Mutex::new(0.0),
            observer: Mutex::new(None),
            interrupter: Interrupter::new(),
            guard: Guard::default(),
        }
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::SeqCst);
    }

    pub(super) fn set_source(&self, loader: Arc<dyn DataLoader<B>>, own: bool) {
        let mut source = lock(&self.source);
        if own || source.as_ref().is_none_or(|source| !source.own) {
            *source = Some(Source { loader, own, placed: false });
        }
    }

    pub(super) fn set_observer(&self, observer: Observer) {
        *lock(&self.observer) = Some(observer);
    }

    pub(super) fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    pub(super) fn seconds(&self) -> f64 {
        *lock(&self.seconds)
    }

    /// How many epochs this training has begun, the current one included.
    pub(super) fn epoch(&self) -> usize {
        self.requested.load(Ordering::SeqCst)
    }

    /// Asks for the reference of `epoch`; the next step will find the old one out of date.
    pub(super) fn request(&self, epoch: usize) {
        self.requested.fetch_max(epoch, Ordering::SeqCst);
    }

    pub(super) fn report_collapse(&self, score: f64, threshold: f64) {
        if !self.collapse_reported.swap(true, Ordering::SeqCst) {
            self.tell(HookEvent::Collapsed { score, threshold });
        }
    }

    pub(super) fn tell(&self, event: HookEvent) {
        match (&*lock(&self.observer), &event) {
            (Some(observer), event) => observer(event),
            (None, HookEvent::Collapsed { score, threshold }) => {
                tracing::warn!("the states have collapsed: a batch scores {score:.4}, under {threshold}; a weight nearer to 0 may help");
            }
            (None, HookEvent::CalibrationFinished { epoch, states, seconds, .. }) => {
                tracing::info!("reference of epoch {epoch} estimated from {states} states in {seconds:.1} s");
            }
            (None, HookEvent::Diverged(divergence)) => tracing::error!("the training diverged and stops: {divergence}"),
            (None, _) => {}
        }
    }

    /// The reference of the current epoch on `device`, estimated now if this is the first step that needs it. `None` if the regularizer wants none.
    ///
    /// One thread estimates while the others wait: nothing in here depends on them, so they cannot wait for each other.
    ///
    /// # Panics
    /// If there is nothing to calibrate from: no tapped loader, or no state in it.
    pub(super) fn reference<M: HiddenStateModel<Batch = B>>(&self, model: &M, device: &Device) -> Option<Tensor<2>> {
        let states = self.states.as_ref()?;
        let plain = device.clone().without_autodiff();
        let epoch = self.requested.load(Ordering::SeqCst);
        let mut reference = lock(&self.reference);
        if reference.epoch < epoch {
            // After a failed reading the training is already stopping; its last steps make do with the reference they had.
            if let Some(covariance) = self.estimate(model, states, &plain, epoch).or_else(|| reference.covariance.take()) {
                *reference = Reference { epoch, covariance: Some(covariance) };
            }
        }
        let covariance = reference.covariance.clone();
        let covariance =
            covariance.expect("calibration: there is no state to estimate the reference from; tap the training loader with Hook::tap");
        Some(covariance.to_device(&plain))
    }

    fn place_source(&self, device: &Device) -> Option<Arc<dyn DataLoader<B>>> {
        let mut source = lock(&self.source);
        let source = source.as_mut()?;
        if !source.placed {
            source.loader = source.loader.to_device(device);
            source.placed = true;
        }
        Some(source.loader.clone())
    }

    fn estimate<M: HiddenStateModel<Batch = B>>(
        &self,
        model: &M,
        states: &StateSelection,
        device: &Device,
        epoch: usize,
    ) -> Option<Tensor<2>> {
        let loader = self.place_source(device)?;
        let limit = self.limit.load(Ordering::SeqCst);
        let start = Instant::now();
        self.tell(HookEvent::CalibrationStarted { epoch, limit });

        let model = model.valid();
        let mut running: Option<RunningMoments> = None;
        for batch in loader.iter() {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    self.interrupter.fail(error);
                    break;
                }
            };
            let moments = states.moments(&without_autodiff(model.hidden_states(batch)));
            let running = running.get_or_insert_with(|| RunningMoments::new(moments.width()));
            let mut merged = running.clone();
            if let Err(error) = merged.update(&moments) {
                self.interrupter.fail(DatasetError::new(error));
                break;
            }
            // The first batch counts even if it alone is over the limit: a reference of nothing is no reference.
            if merged.count() as usize > limit && running.count() > 0 {
                break;
            }
            *running = merged;
            self.tell(HookEvent::CalibrationProgress { epoch, states: running.count() as usize });
            if running.count() as usize >= limit || self.interrupter.should_stop() {
                break;
            }
        }

        let running = running?;
        let seconds = start.elapsed().as_secs_f64();
        *lock(&self.seconds) += seconds;
        self.tell(HookEvent::CalibrationFinished { epoch, states: running.count() as usize, isoscore: running.isoscore(), seconds });
        self.check_reference(&running, epoch);
        running.covariance(device)
    }
}

/// A model in evaluation mode may still be handed batches that carry an autodiff context; its states must not drag one along.
fn without_autodiff(states: HiddenStates) -> HiddenStates {
    HiddenStates {
        embedding_output: states.embedding_output.map(Tensor::without_autodiff),
        layers: states.layers.into_iter().map(Tensor::without_autodiff).collect(),
        mask: states.mask,
    }
}
