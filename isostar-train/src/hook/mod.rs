//! Training hook: adds a regularizer of hidden states to any model under burn-train's Learner.
//!
//! ```text
//! loss = task loss + penalty(hidden states, reference)
//! ```
//!
//! A model implements [`HiddenStateModel`]. [`Hook::training`] creates the
//! [`SupervisedTraining`](burn::train::SupervisedTraining) and [`Hook::wrap`] wraps the model. The
//! rest of the program is the same as without a hook:
//!
//! ```ignore
//! let hook = Hook::new(IStarConfig::new(-0.1).init()?);
//! let training = hook.training(directory, train_loader, valid_loader).num_epochs(4);
//! let result = training.launch(Learner::new(hook.wrap(model), optimizer, learning_rate));
//! let model = result.model.into_inner();
//! ```
//!
//! A program can also create the training itself; this is equivalent to `training`:
//!
//! ```ignore
//! let training = SupervisedTraining::new(directory, hook.tap(train_loader), valid_loader)
//!     .with_interrupter(hook.interrupter())
//!     .metrics(hook.metrics());
//! ```
//!
//! | mistake | result |
//! |---|---|
//! | [`Hook::training`] creates the training, but the model is not wrapped | the program does not compile |
//! | the loader is tapped, but the model is not wrapped by the same hook | the tapped loader panics with a message |
//! | the model is wrapped, but the loader is not tapped by the same hook | the first step panics with a message if the regularizer needs a reference |
//!
//! A regularizer without a reference, such as CosReg, also works with a loader that is not tapped.
//!
//! Under [`MultiDevice`](burn::train::ExecutionStrategy), every step is that of one device with the
//! batches of all: the penalty is that of the states on all devices, exactly, if the regularizer is
//! [pooled](Regularizer::pooled), and each device's task loss counts by its share of the
//! [terms](HiddenStateModel::loss_terms). Learning rates therefore need no division by the number
//! of devices. Under distributed data parallelism, each device has its own penalty.
//!
//! With several devices, Burn catches the panic of a step and returns its message as the error of
//! the training.
//!
//! For each batch, [`Regularized`] calls [`HiddenStateModel::forward_step`], adds the penalty,
//! differentiates the sum, and passes the parts to the metrics as a [`RegularizedOutput`]. At the
//! start of every epoch, the tap requests a new reference, and the first step of the epoch computes
//! it: the same model, in evaluation mode and without gradients, processes the calibration batches,
//! and the moments of their states are merged batch by batch.
//!
//! If the calibration fails, the step passes no gradients to the optimizer, and the tapped loader
//! ends the training with the [`CalibrationError`] before the next batch.
//!
//! A training whose loss, penalty, reference or parameters are no longer finite stops within a
//! step, before its next checkpoint; [`Hook::divergence`] returns the details.
//!
//! The wrapper is transparent: checkpoints and records are those of the bare model.

mod calibration;
mod checks;
mod config;
mod error;
mod event;
mod exchange;
mod groups;
mod guard;
mod joint;
mod lock;
mod model;
mod monitor;
mod output;
mod regularized;
mod settling;
mod state;
mod tap;
mod training;

use std::fmt;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::train::Interrupter;
use isostar_core::Regularizer;

pub use config::{CALIBRATION_LIMIT, HookConfig};
pub use error::CalibrationError;
pub use event::HookEvent;
pub use guard::{Divergence, NotFinite};
pub use model::{ForwardStep, HiddenStateModel};
pub use monitor::{LayerGeometry, MonitorConfig, StepGeometry};
pub use output::{ModelOutput, RegularizedOutput};
pub use regularized::Regularized;
#[cfg(feature = "experiment")]
pub(crate) use regularized::StepStart;
pub use state::HookState;
pub use training::HookMetrics;

use crate::metric::{IsoScoreMetric, MeasureMetric, PenaltyMetric};
use calibration::Calibration;
use monitor::Monitor;
use tap::EpochTap;

/// Connects a regularizer with a model and its training loader, for one training. `B` is the
/// model's batch.
pub struct Hook<B> {
    regularizer: Option<Arc<dyn Regularizer>>,
    calibration: Arc<Calibration<B>>,
}

impl<B: Send + 'static> Hook<B> {
    /// Creates a hook that adds `regularizer`'s penalty to the loss, with the default
    /// [`HookConfig`].
    pub fn new(regularizer: impl Regularizer + 'static) -> Self {
        HookConfig::new().init(regularizer)
    }

    /// Creates a hook that adds nothing to the loss but still provides the metric of the validation
    /// split.
    pub fn without_regularizer() -> Self {
        HookConfig::new().init_without_regularizer()
    }

    /// Wraps the training loader so that each epoch begins with a new reference. The hook
    /// calibrates from this loader unless [`HookConfig`] has a calibration loader; if the training
    /// loader shuffles, the calibration batches are a random sample of its rows.
    ///
    /// # Panics
    /// The tapped loader panics after a pass, or after 64 batches, if no model that this hook
    /// wrapped has taken a step.
    pub fn tap(&self, loader: Arc<dyn DataLoader<B>>) -> Arc<dyn DataLoader<B>> {
        self.calibration.set_training_loader(loader.clone());
        EpochTap::wrap(loader, self.calibration.clone())
    }

    /// Interrupter that the hook triggers when the training diverges or the calibration fails. If it
    /// is triggered elsewhere, a running calibration ends. Pass it to
    /// [`with_interrupter`](burn::train::SupervisedTraining::with_interrupter).
    ///
    /// Without it, a tapped loader still ends the training with an error: at once after a failed
    /// calibration, and one step after a loss that is not finite. Parameters that are not finite
    /// after the last step of an epoch are then found only in the next epoch, after the checkpoint.
    pub fn interrupter(&self) -> Interrupter {
        self.calibration.interrupter()
    }

    /// Error of the calibration, if it failed. It remains available when Burn's terminal dashboard
    /// drops it from the result of the training.
    pub fn failure(&self) -> Option<Arc<CalibrationError>> {
        self.calibration.failure()
    }

    /// Divergence of the training: which quantity was not finite, in which step, on which rows;
    /// `None` if the training did not diverge.
    ///
    /// It remains available when Burn's dashboard resets the interrupter at the end of a training.
    /// A hook belongs to one training.
    pub fn divergence(&self) -> Option<Divergence> {
        self.calibration.divergence().cloned()
    }

    /// Metric of the regularizer's measure of each training batch. It logs nothing without a
    /// regularizer.
    pub fn measure_metric(&self) -> MeasureMetric {
        let calibration = self.calibration.clone();
        let watch = move |score: f64, threshold: f64| calibration.report_collapse(score, threshold);
        let regularizer = self.regularizer.as_ref();
        let name = regularizer.map_or("Measure", |regularizer| regularizer.measure_name());
        MeasureMetric::new(
            name,
            regularizer.and_then(|regularizer| regularizer.collapsed_below()),
            Arc::new(watch),
        )
    }

    /// Metric of the penalty of each training batch, including the weight. It logs nothing without
    /// a regularizer.
    pub fn penalty_metric(&self) -> PenaltyMetric {
        PenaltyMetric::new()
    }

    /// Metric of the IsoScore of the whole validation split.
    ///
    /// Calling this makes validation compute the moments of the hidden states.
    pub fn isoscore_metric(&self) -> IsoScoreMetric {
        self.calibration.want_moments();
        IsoScoreMetric::new()
    }

    /// Measures the geometry of every layer in each few training steps, on sampled tokens, and
    /// passes it to `sink`: a file, a logger, a channel. It needs no regularizer. Call it before
    /// the first step; a second call changes nothing.
    ///
    /// Steps of several devices are not measured; the first of them is reported as
    /// [`HookEvent::NotMonitored`].
    ///
    /// ```
    /// use isostar_train::hook::{Hook, MonitorConfig};
    ///
    /// let hook = Hook::<()>::without_regularizer();
    /// hook.monitor(MonitorConfig::default(), |geometry| {
    ///     let scores = geometry.layers.iter().map(|layer| layer.isoscore);
    ///     println!("step {}: {:?}", geometry.step, scores.collect::<Vec<_>>());
    /// });
    /// ```
    pub fn monitor(
        &self,
        config: MonitorConfig,
        sink: impl Fn(&StepGeometry) + Send + Sync + 'static,
    ) {
        let monitor = Monitor::new(config, Box::new(sink));
        let _ = self.calibration.monitor.set(monitor);
    }

    /// Total calibration time so far, in seconds.
    pub fn calibration_seconds(&self) -> f64 {
        self.calibration.seconds()
    }
}

impl<B: Send + 'static> HookConfig<B> {
    /// Creates a hook that adds `regularizer`'s penalty to the loss.
    pub fn init(self, regularizer: impl Regularizer + 'static) -> Hook<B> {
        let regularizer: Arc<dyn Regularizer> = Arc::new(regularizer);
        Hook {
            regularizer: Some(regularizer.clone()),
            calibration: Arc::new(Calibration::new(Some(regularizer), self)),
        }
    }

    /// Creates a hook that adds nothing to the loss.
    pub fn init_without_regularizer(self) -> Hook<B> {
        Hook {
            regularizer: None,
            calibration: Arc::new(Calibration::new(None, self)),
        }
    }
}

impl<B> Clone for Hook<B> {
    fn clone(&self) -> Self {
        Self {
            regularizer: self.regularizer.clone(),
            calibration: self.calibration.clone(),
        }
    }
}

impl<B> fmt::Debug for Hook<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook")
            .field("regularizer", &self.regularizer)
            .finish_non_exhaustive()
    }
}
