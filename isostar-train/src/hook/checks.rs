//! Guard that stops a training whose numbers are no longer finite.
//!
//! | not finite | checked | effect |
//! |---|---|---|
//! | task loss or penalty of a step | when the next step begins, or the epoch ends | no further step, no validation, no checkpoint |
//! | parameters of the model | in the first validation step of an epoch | no checkpoint |
//! | reference | when it is estimated | the step that would use it updates nothing |
//!
//! Reading a number waits for the device. The numbers of a step are therefore read one step later,
//! when they are already available. A run of the command reads all numbers of a step in one transfer:
//! on a GPU, it begins after the update of the weights and is awaited when the next step is queued, so
//! that a training ends one step later there.

use burn::data::dataset::DatasetError;
use burn::module::{Module, ModuleVisitor, Param};
use burn::prelude::*;
use isostar_core::RunningMoments;

use super::calibration::Calibration;
use super::lock::lock;
use super::{Divergence, HookEvent, NotFinite};

impl<B: Send + 'static> Calibration<B> {
    /// Divergence of the training, if any.
    pub(super) fn divergence(&self) -> Option<&Divergence> {
        self.guard.divergence.get()
    }

    /// Gives the numbers of earlier steps to the regularizer, and stops the training if one is not
    /// finite.
    pub(super) fn check_steps(&self) {
        let (steps, found) = lock(&self.guard.watch).read();
        if let Some(regularizer) = &self.regularizer {
            for numbers in steps {
                let held = regularizer.after_step(&numbers);
                if !numbers.details.is_empty() {
                    self.tell(HookEvent::StepEnded { numbers, held });
                }
            }
        }
        self.stop_at(found);
    }

    /// Stops the training if its last steps left numbers or parameters that are not finite.
    /// Parameters are read only once after training steps.
    pub(super) fn check_model<M: Module>(&self, model: &M) {
        self.check_steps();
        let is_due =
            std::mem::take(&mut lock(&self.guard.watch).trained) && self.divergence().is_none();
        if is_due && !all_finite(model) {
            let found = {
                let watch = lock(&self.guard.watch);
                watch.divergence(
                    NotFinite::Parameters,
                    watch.epoch,
                    Some(watch.step),
                    Vec::new(),
                )
            };
            self.stop_at(Some(found));
        }
    }

    /// Stops the training if the covariance of these states is not finite in single precision.
    pub(super) fn check_reference(&self, states: &RunningMoments, epoch: usize) {
        let divisor = states.count().saturating_sub(1).max(1) as f64;
        if !states
            .scatter()
            .iter()
            .all(|sum| ((sum / divisor) as f32).is_finite())
        {
            let found =
                lock(&self.guard.watch).divergence(NotFinite::Reference, epoch, None, Vec::new());
            self.stop_at(Some(found));
        }
    }

    fn stop_at(&self, found: Option<Divergence>) {
        let Some(divergence) = found else { return };
        if self.guard.divergence.set(divergence.clone()).is_ok() {
            self.interrupter()
                .fail(DatasetError::new(divergence.clone()));
            self.tell(HookEvent::Diverged(divergence));
        }
    }
}

/// Whether every parameter of a model is finite. One read per device that holds parameters.
fn all_finite<M: Module>(model: &M) -> bool {
    /// Whether the parameters are finite, by device.
    struct Finite(Vec<(Device, Vec<Tensor<1, Bool>>)>);

    impl ModuleVisitor for Finite {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val().without_autodiff();
            let device = value.device();
            let is_finite = value.is_finite().all();
            match self.0.iter_mut().find(|(other, _)| *other == device) {
                Some((_, flags)) => flags.push(is_finite),
                None => self.0.push((device, vec![is_finite])),
            }
        }
    }

    let mut finite = Finite(Vec::new());
    model.visit(&mut finite);
    // If the parameters cannot be read, writing the checkpoint reports it.
    let read = |flags| Tensor::cat(flags, 0).all().try_into_scalar::<bool>();
    finite
        .0
        .into_iter()
        .all(|(_, flags)| read(flags).unwrap_or(true))
}
