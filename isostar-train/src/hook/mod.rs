//! The training hook: a regularizer of hidden states for anyone's model under burn-train's Learner.
//!
//! ```text
//! loss = task loss + penalty(hidden states, reference)
//! ```
//!
//! A model implements [`HiddenStateModel`]; a [`Hook`] wraps it and taps the training loader; everything else of
//! [`SupervisedTraining`](burn::train::SupervisedTraining) stays as it was:
//!
//! ```ignore
//! let hook = Hook::new(IStarConfig::new(-0.1).init()?);
//! let training = SupervisedTraining::new(directory, hook.tap(train_loader), valid_loader).num_epochs(4);
//! let result = training.launch(Learner::new(hook.wrap(model), optimizer, learning_rate));
//! let model = result.model.into_inner();
//! ```
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
mod error;
mod guard;
mod model;
mod output;
mod regularized;
mod tap;

use std::fmt;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::train::Interrupter;
use isostar_core::Regularizer;

pub use calibration::HookEvent;
pub use error::CalibrationError;
pub use guard::{Divergence, NotFinite};
pub use model::{ForwardStep, HiddenStateModel};
pub use output::{MeasureInput, ModelOutput, MomentsInput, PenaltyInput, RegularizedOutput, StateCount};
pub use regularized::Regularized;

use crate::metric::{MeasureMetric, PenaltyMetric};
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
    /// A hook that adds `regularizer`'s penalty to the loss.
    pub fn new(regularizer: impl Regularizer + 'static) -> Self {
        let regularizer: Arc<dyn Regularizer> = Arc::new(regularizer);
        let states = regularizer.reference_states().cloned();
        Self { regularizer: Some(regularizer), calibration: Arc::new(Calibration::new(states)) }
    }

    /// A hook that adds nothing to the loss, and measures the validation split all the same.
    pub fn without_regularizer() -> Self {
        Self { regularizer: None, calibration: Arc::new(Calibration::new(None)) }
    }

    /// Estimates the reference from at most `limit` states; [`CALIBRATION_LIMIT`] by default.
    pub fn with_limit(self, limit: usize) -> Self {
        self.calibration.set_limit(limit);
        self
    }

    /// Takes the calibration batches from a loader of its own, in its order, instead of from the training loader.
    ///
    /// The loader is iterated anew every epoch, until the limit is reached. If the regularizer counts padding among the states, its batches should be padded as
    /// those of training are.
    pub fn with_calibration_loader(self, loader: Arc<dyn DataLoader<B>>) -> Self {
        self.calibration.set_source(loader, true);
        self
    }

    /// Calls `observer` when a reference is being estimated, when the states collapse, and when the training diverges; by default these are `tracing` events.
    pub fn with_observer(self, observer: impl Fn(&HookEvent) + Send + Sync + 'static) -> Self {
        self.calibration.set_observer(Box::new(observer));
        self
    }

    /// The training loader, tapped so that each epoch begins with a new reference. Unless it was given one of its own, the hook calibrates
    /// from this loader; with a shuffling loader, that is a random sample of its rows.
    pub fn tap(&self, loader: Arc<dyn DataLoader<B>>) -> Arc<dyn DataLoader<B>> {
        self.calibration.set_source(loader.clone(), false);
        EpochTap::wrap(loader, self.calibration.clone())
    }

    /// The model, wrapped for the Learner.
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

    /// The regularizer's measure of each training batch, as a metric; `None` without a regularizer.
    pub fn measure_metric(&self) -> Option<MeasureMetric> {
        let regularizer = self.regularizer.as_ref()?;
        let calibration = self.calibration.clone();
        let watch = move |score: f64, threshold: f64| calibration.report_collapse(score, threshold);
        Some(MeasureMetric::new(regularizer.measure_name(), regularizer.collapsed_below(), Arc::new(watch)))
    }

    /// The penalty of each training batch, weight included, as a metric; `None` without a regularizer.
    pub fn penalty_metric(&self) -> Option<PenaltyMetric> {
        self.regularizer.as_ref().map(|_| PenaltyMetric::new())
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
