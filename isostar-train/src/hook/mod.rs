//! The training hook: a regularizer of hidden states for anyone's model under burn-train's Learner.
//!
//! ```text
//! loss = task loss + penalty(hidden states, reference)
//! ```
//!
//! A model implements [`HiddenStateModel`]. [`Hook::training`] makes the [`SupervisedTraining`](burn::train::SupervisedTraining), and
//! [`Hook::wrap`] wraps the model; everything else stays as it is without a hook:
//!
//! ```ignore
//! let hook = Hook::new(IStarConfig::new(-0.1).init()?);
//! let training = hook.training(directory, train_loader, valid_loader).num_epochs(4);
//! let result = training.launch(Learner::new(hook.wrap(model), optimizer, learning_rate));
//! let model = result.model.into_inner();
//! ```
//!
//! A program that makes the training itself does what `training` does:
//!
//! ```ignore
//! let training = SupervisedTraining::new(directory, hook.tap(train_loader), valid_loader)
//!     .with_interrupter(hook.interrupter())
//!     .metrics(hook.metrics());
//! ```
//!
//! | mistake | what happens |
//! |---|---|
//! | the model of a training that [`Hook::training`] made is not wrapped | the program does not compile |
//! | the loader is tapped, the model not wrapped by the same hook | the tapped loader panics with a message |
//! | the model is wrapped, the loader not tapped by the same hook | the first step panics with a message if the regularizer wants a reference |
//!
//! A regularizer without a reference, such as CosReg, also trains from a loader that is not tapped.
//!
//! With several devices, Burn catches the panic of a step and returns its message as the error of the training.
//!
//! The way of one batch: [`Regularized`] calls [`HiddenStateModel::forward_step`], adds the penalty, differentiates the sum, and hands the parts to the
//! metrics as a [`RegularizedOutput`]. At the start of every epoch the tap asks for a new reference, and the first step of the epoch computes it:
//! calibration batches through the same model in evaluation mode, without gradient, into moments that are merged batch by batch.
//!
//! If the calibration fails, no step is taken: the step hands the optimizer no gradients, and the tapped loader ends the training with the
//! [`CalibrationError`] before the next batch.
//!
//! A training whose loss, penalty, reference or parameters are no longer finite stops within a step, before its next checkpoint; [`Hook::divergence`]
//! says where.
//!
//! The wrapper is transparent: checkpoints and records are those of the bare model.

mod calibration;
mod config;
mod error;
mod guard;
mod model;
mod output;
mod regularized;
mod tap;
mod training;

use std::fmt;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::train::Interrupter;
use isostar_core::Regularizer;

pub use calibration::HookEvent;
pub use config::HookConfig;
pub use error::CalibrationError;
pub use guard::{Divergence, NotFinite};
pub use model::{ForwardStep, HiddenStateModel};
pub use output::{MeasureInput, ModelOutput, MomentsInput, PenaltyInput, RegularizedOutput, StateCount};
pub use regularized::Regularized;
pub use training::HookMetrics;

use crate::metric::{IsoScoreMetric, MeasureMetric, PenaltyMetric};
use calibration::Calibration;
use tap::EpochTap;

/// The most states from which a reference is estimated, as in the paper.
pub const CALIBRATION_LIMIT: usize = 250_000;

/// Ties a regularizer to a model and to the loader it is trained from, for one training. `B` is the model's batch.
pub struct Hook<B> {
    regularizer: Option<Arc<dyn Regularizer>>,
    calibration: Arc<Calibration<B>>,
}

impl<B: Send + 'static> Hook<B> {
    /// A hook that adds `regularizer`'s penalty to the loss, with the default settings of [`HookConfig`].
    pub fn new(regularizer: impl Regularizer + 'static) -> Self {
        HookConfig::new().init(regularizer)
    }

    /// A hook that adds nothing to the loss, and measures the validation split all the same.
    pub fn without_regularizer() -> Self {
        HookConfig::new().init_without_regularizer()
    }

    /// The training loader, tapped so that each epoch begins with a new reference. Unless it was given one of its own, the hook calibrates
    /// from this loader; with a shuffling loader, that is a random sample of its rows.
    ///
    /// # Panics
    /// The tapped loader panics after a pass, or after 64 batches, in which no model that this hook wrapped has taken a step.
    pub fn tap(&self, loader: Arc<dyn DataLoader<B>>) -> Arc<dyn DataLoader<B>> {
        self.calibration.set_training_loader(loader.clone());
        EpochTap::wrap(loader, self.calibration.clone())
    }

    /// The model, wrapped for the Learner.
    ///
    /// # Panics
    /// A training step panics if the regularizer wants a reference and no loader that this hook tapped has begun an epoch.
    pub fn wrap<M: HiddenStateModel<Batch = B>>(&self, model: M) -> Regularized<M> {
        Regularized::new(model, self.clone())
    }

    /// An interrupter that is told when the training diverges or the calibration fails, and that ends a calibration when it is stopped; pass it
    /// to [`with_interrupter`](burn::train::SupervisedTraining::with_interrupter).
    ///
    /// Without it, a tapped loader still ends the training with an error: at once after a failed calibration, and in the step after a loss that
    /// is not finite. Parameters that are not finite after the last step of an epoch are then found in the next epoch, after the checkpoint.
    pub fn interrupter(&self) -> Interrupter {
        self.calibration.interrupter()
    }

    /// Why the calibration failed, if it did. Burn's terminal dashboard keeps the error that ended a training from its result; it is still here.
    pub fn failure(&self) -> Option<Arc<CalibrationError>> {
        self.calibration.failure()
    }

    /// Where the training diverged: what was not finite, in which step, on which rows; `None` if it did not.
    ///
    /// Burn's dashboard resets the interrupter when a training ends, and forgets why; this stays. A hook belongs to one training.
    pub fn divergence(&self) -> Option<Divergence> {
        self.calibration.divergence().cloned()
    }

    /// The regularizer's measure of each training batch, as a metric. It logs nothing without a regularizer.
    pub fn measure_metric(&self) -> MeasureMetric {
        let calibration = self.calibration.clone();
        let watch = move |score: f64, threshold: f64| calibration.report_collapse(score, threshold);
        let regularizer = self.regularizer.as_ref();
        let name = regularizer.map_or("Measure", |regularizer| regularizer.measure_name());
        MeasureMetric::new(name, regularizer.and_then(|regularizer| regularizer.collapsed_below()), Arc::new(watch))
    }

    /// The penalty of each training batch, weight included, as a metric. It logs nothing without a regularizer.
    pub fn penalty_metric(&self) -> PenaltyMetric {
        PenaltyMetric::new()
    }

    /// The IsoScore of a whole validation split, as a metric.
    ///
    /// Validation computes the moments of the hidden states from now on; it does not before a metric wants them.
    pub fn isoscore_metric(&self) -> IsoScoreMetric {
        self.calibration.want_moments();
        IsoScoreMetric::new()
    }

    /// Seconds spent so far on estimating references.
    pub fn calibration_seconds(&self) -> f64 {
        self.calibration.seconds()
    }
}

impl<B> Clone for Hook<B> {
    fn clone(&self) -> Self {
        Self { regularizer: self.regularizer.clone(), calibration: self.calibration.clone() }
    }
}

impl<B> fmt::Debug for Hook<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("regularizer", &self.regularizer).finish_non_exhaustive()
    }
}
