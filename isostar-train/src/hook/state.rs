//! The state of a hook within an epoch, for loops that save and resume a training between steps.

use burn::prelude::*;
use burn::tensor::TensorReadError;

use isostar_core::{Penalty, RegularizerState};

use super::Hook;
use super::lock::lock;

/// State of a [`Hook`] between two steps of an epoch.
///
/// burn-train's Learner needs none of it: its checkpoints are written between epochs, and every
/// epoch begins with a new reference.
#[derive(Clone, Debug, Default)]
pub struct HookState {
    /// Reference covariance of the current epoch, shape `[groups·d, d]` as in [`StepContext`](isostar_core::StepContext); `None` if no step of the epoch has
    /// estimated it.
    pub reference: Option<TensorData>,
    /// Number of steps that the training has taken in all epochs.
    pub total_steps: u64,
    /// Number of steps that the current epoch has taken.
    pub step: usize,
    /// Last finite task losses, oldest first; at most five.
    pub task_losses: Vec<f64>,
    /// Last finite penalties, oldest first; at most five.
    pub penalties: Vec<f64>,
    /// Whether a collapse of the states has been reported.
    pub is_collapse_reported: bool,
    /// What the regularizer remembers between steps.
    pub regularizer: RegularizerState,
}

impl<B: Send + 'static> Hook<B> {
    /// Reads the numbers of the last step, and returns the state after it. Check
    /// [`divergence`](Self::divergence) afterwards: a diverged training has no state to go on from.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn state(&self) -> Result<HookState, TensorReadError> {
        let calibration = &self.calibration;
        calibration.check_steps();
        let (step, task_losses, penalties) = calibration.guard.numbers(calibration.epoch());
        let reference = calibration
            .covariance()
            .map(Tensor::try_into_data)
            .transpose()?;
        Ok(HookState {
            total_steps: calibration.steps(),
            reference,
            step,
            task_losses,
            penalties,
            is_collapse_reported: calibration.is_collapse_reported(),
            regularizer: self
                .regularizer
                .as_ref()
                .map_or(Ok(Default::default()), |regularizer| regularizer.state())?,
        })
    }

    /// Continues from the state of another hook. The first pass over the tapped loader then belongs
    /// to the epoch of that state; with a reference, its first step estimates none.
    ///
    /// Call it before the first pass.
    pub fn restore(&self, state: HookState, device: &Device) {
        let HookState {
            total_steps,
            reference,
            step,
            task_losses,
            penalties,
            is_collapse_reported,
            regularizer,
        } = state;
        if let Some(restored) = &self.regularizer {
            restored.restore(regularizer, device);
        }
        let plain = device.clone().without_autodiff();
        let covariance = reference.map(|reference| Tensor::<2>::from_data(reference, &plain));
        self.calibration
            .restore(total_steps, covariance, is_collapse_reported);
        self.calibration.guard.restore(step, task_losses, penalties);
    }

    /// Leaves reading the numbers of the last step to the caller, who reads them in one transfer with
    /// other numbers of the step and passes them to [`numbers_read`](Self::numbers_read). Until then,
    /// neither this step nor a later one is checked.
    #[cfg(feature = "experiment")]
    pub(crate) fn defer_numbers(&self) {
        lock(&self.calibration.guard.watch).defer();
    }

    /// Takes the numbers of the first deferred step, and stops the training if they are not finite.
    #[cfg(feature = "experiment")]
    pub(crate) fn numbers_read(&self, task_loss: f64, penalty: Option<f64>) {
        let numbers = std::iter::once(task_loss).chain(penalty).collect();
        lock(&self.calibration.guard.watch).accept(numbers);
        self.calibration.check_steps();
    }

    /// Forgets the last step, whose gradients are not used: its numbers do not end the training.
    pub fn discard_step(&self) {
        lock(&self.calibration.guard.watch).discard();
        if let Some(regularizer) = &self.regularizer {
            regularizer.discard_step();
        }
    }

    /// The regularizer of this hook.
    #[cfg(feature = "experiment")]
    pub(crate) fn regularizer(&self) -> Option<std::sync::Arc<dyn isostar_core::Regularizer>> {
        self.regularizer.clone()
    }

    /// Keeps the numbers of a step that a loop has computed itself, until the next one begins.
    #[cfg(feature = "experiment")]
    pub(crate) fn keep_numbers(
        &self,
        rows: Vec<u32>,
        task_loss: &Tensor<1>,
        penalty: Option<&Penalty>,
    ) {
        let calibration = &self.calibration;
        let (before, epoch) = (calibration.steps().saturating_sub(1), calibration.epoch());
        calibration
            .guard
            .keep(before, epoch, rows, task_loss, penalty);
    }
}
