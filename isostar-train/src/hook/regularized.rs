use std::fmt;

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use isostar_core::{Penalty, StateSelection, StepContext};

use super::exchange::Seat;
use super::{ForwardStep, HiddenStateModel, Hook, RegularizedOutput};
use crate::metric::StateCount;

/// Model whose training loss includes a penalty on its hidden states.
///
/// Burn treats it like the bare model: it adds no segment to parameter paths, so records,
/// checkpoints and parameter groups are those of the bare model.
pub struct Regularized<M: HiddenStateModel> {
    pub(super) inner: M,
    pub(super) hook: Hook<M::Batch>,
}

/// What a hook knows of a step before its batch.
#[derive(Clone)]
pub(crate) struct StepStart {
    /// Reference of the epoch, if the regularizer needs one.
    pub reference: Option<Tensor<2>>,
    /// Number of steps that the training has taken.
    pub step: u64,
}

impl StepStart {
    /// Context of the penalty.
    pub fn context(&self) -> StepContext<'_> {
        StepContext::default()
            .with_reference(self.reference.as_ref())
            .with_step(self.step)
    }
}

/// No step can be taken: the hook knows why.
pub(crate) struct NoStep;

impl<B: Send + 'static> Hook<B> {
    /// Wraps the model for the Learner.
    ///
    /// # Panics
    /// A training step panics if the regularizer needs a reference and no loader that this hook
    /// tapped has begun an epoch.
    pub fn wrap<M: HiddenStateModel<Batch = B>>(&self, model: M) -> Regularized<M> {
        Regularized {
            inner: model,
            hook: self.clone(),
        }
    }
}

impl<M: HiddenStateModel> Regularized<M> {
    /// Returns the bare model.
    pub fn inner(&self) -> &M {
        &self.inner
    }

    /// Returns the bare model and drops the hook.
    pub fn into_inner(self) -> M {
        self.inner
    }

    /// Begins a training step.
    ///
    /// # Errors
    /// If the reference cannot be estimated, or the training has diverged.
    pub(crate) fn begin_step(&self) -> Result<StepStart, NoStep> {
        self.begin_step_of(None)
    }

    /// Begins a training step, which other workers share if there is a seat.
    fn begin_step_of(&self, seat: Option<&Seat>) -> Result<StepStart, NoStep> {
        let device = self
            .inner
            .devices()
            .first()
            .expect("a model has at least one parameter")
            .clone();
        let calibration = &self.hook.calibration;
        let step = match seat {
            Some(seat) => seat.step(|| calibration.note_step()),
            None => calibration.note_step(),
        };
        // Needed for a loader that is not tapped; a tapped loader has already checked.
        calibration.check_steps();
        let reference = calibration.reference(&self.inner, &device);
        let reference = reference.map_err(|_| NoStep)?;
        match calibration.divergence() {
            Some(_) => Err(NoStep),
            None => Ok(StepStart { reference, step }),
        }
    }

    /// Step without a reference: the optimizer gets no gradients, and the tapped loader ends the
    /// training before the next batch.
    fn step_without_gradients(&self, batch: M::Batch) -> TrainOutput<RegularizedOutput<M::Output>> {
        let model = self.inner.valid();
        let ForwardStep {
            task_loss, output, ..
        } = self
            .hook
            .calibration
            .precision
            .scope(|| model.forward_step(batch));
        TrainOutput {
            grads: GradientsParams::new(),
            item: RegularizedOutput::without_penalty(task_loss, output),
        }
    }

    /// Ends a step whose gradients are those of `loss`: the guard gets its numbers.
    fn end_step(
        &self,
        start: &StepStart,
        rows: Vec<u32>,
        loss: Tensor<1>,
        item: RegularizedOutput<M::Output>,
    ) -> TrainOutput<RegularizedOutput<M::Output>> {
        self.keep_step(start, rows, &item.task_loss, item.penalty.as_ref());
        TrainOutput::new(&self.inner, loss.backward(), item)
    }

    /// Gives the numbers of a step to the guard.
    pub(super) fn keep_step(
        &self,
        start: &StepStart,
        rows: Vec<u32>,
        task_loss: &Tensor<1>,
        penalty: Option<&Penalty>,
    ) {
        let calibration = &self.hook.calibration;
        calibration
            .guard
            .keep(start.step, calibration.epoch(), rows, task_loss, penalty);
    }
}

impl<M: HiddenStateModel> Clone for Regularized<M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            hook: self.hook.clone(),
        }
    }
}

impl<M: HiddenStateModel> fmt::Debug for Regularized<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Regularized")
            .field("inner", &self.inner)
            .field("hook", &self.hook)
            .finish()
    }
}

impl<M: HiddenStateModel> TrainStep for Regularized<M> {
    type Input = M::Batch;
    type Output = RegularizedOutput<M::Output>;

    fn step(&self, batch: M::Batch) -> TrainOutput<Self::Output> {
        // From here on, whatever keeps this step from its end tells the other workers.
        let seat = self.hook.calibration.exchange.seat();
        let Ok(start) = self.begin_step_of(seat.as_ref()) else {
            return self.step_without_gradients(batch);
        };
        if let Some(seat) = seat {
            return self.step_jointly(batch, seat, &start);
        }
        let Hook {
            regularizer,
            calibration,
        } = &self.hook;
        let rows = M::rows(&batch);
        let ForwardStep {
            task_loss,
            hidden_states,
            output,
        } = calibration
            .precision
            .scope(|| self.inner.forward_step(batch));
        let penalty = regularizer
            .as_ref()
            .map(|regularizer| regularizer.penalty(&hidden_states, &start.context()));
        let states = regularizer
            .as_ref()
            .and_then(|regularizer| Some(StateCount::of(regularizer.states()?, &hidden_states)));
        if let Some(monitor) = calibration.monitor.get()
            && let Err(error) = monitor.step(start.step, &hidden_states)
        {
            tracing::warn!("the geometry of a step could not be read: {error}");
        }
        // Frees the layers early; the autodiff graph keeps what the backward pass needs.
        drop(hidden_states);
        let loss = match &penalty {
            Some(penalty) => task_loss.clone() + penalty.value.clone().cast(task_loss.dtype()),
            None => task_loss.clone(),
        };
        let item = RegularizedOutput {
            penalty,
            states,
            ..RegularizedOutput::without_penalty(task_loss, output)
        };
        self.end_step(&start, rows, loss, item)
    }
}

impl<M: HiddenStateModel> InferenceStep for Regularized<M> {
    type Input = M::Batch;
    type Output = RegularizedOutput<M::Output>;

    fn step(&self, batch: M::Batch) -> Self::Output {
        let calibration = &self.hook.calibration;
        calibration.check_model(&self.inner);
        let ForwardStep {
            task_loss,
            hidden_states,
            output,
        } = calibration
            .precision
            .scope(|| self.inner.forward_step(batch));
        // All layers without padding, independent of the regularizer, so that runs can be compared.
        let moments = calibration
            .wants_moments()
            .then(|| StateSelection::default().moments(&hidden_states));
        RegularizedOutput {
            moments,
            ..RegularizedOutput::without_penalty(task_loss, output)
        }
    }
}

impl<M: HiddenStateModel> Module for Regularized<M> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.inner.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        Self {
            inner: self.inner.fork(device),
            hook: self.hook,
        }
    }

    fn to_device(self, device: &Device) -> Self {
        Self {
            inner: self.inner.to_device(device),
            hook: self.hook,
        }
    }

    fn train(self) -> Self {
        Self {
            inner: self.inner.train(),
            hook: self.hook,
        }
    }

    fn valid(&self) -> Self {
        Self {
            inner: self.inner.valid(),
            hook: self.hook.clone(),
        }
    }

    fn materialize(self) -> Self {
        Self {
            inner: self.inner.materialize(),
            hook: self.hook,
        }
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.inner.visit(visitor)
    }

    fn map<P: ModuleMapper>(self, mapper: &mut P) -> Self {
        Self {
            inner: self.inner.map(mapper),
            hook: self.hook,
        }
    }
}

impl<M: HiddenStateModel> fmt::Display for Regularized<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}
