//! The part of a step that one device computes.

use std::ops::Range;
use std::sync::Arc;

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::prelude::*;
use burn::tensor::ExecutionError;
use burn::train::ItemLazy;
use isostar_core::{PooledPenalty, PooledRegularizer, Regularizer, Statistics, StepContext};
use isostar_kernels::{DropoutKeys, Precision};

use super::outputs::Done;
use crate::data::RowBatch;
use crate::hook::{ForwardStep, HiddenStateModel, StepStart};
use crate::metric::StateCount;
use crate::readback::{Gathered, gather, host_for};

/// A part of a batch.
pub(super) struct Part<B> {
    /// Number of rows of the batch before the part.
    pub first_row: usize,
    /// The rows of the batch that share a penalty with the part.
    pub group: Range<usize>,
    /// Share of the part in the rows of the batch.
    pub weight: f64,
    pub batch: B,
}

/// What a device needs at the beginning of a step.
pub(super) struct Begin<M> {
    pub model: M,
    pub keys: DropoutKeys,
    pub start: StepStart,
    /// Precision of the products of forward passes.
    pub precision: Precision,
}

/// A model on its device, and what it has computed of the current step.
pub(super) struct Replica<M: HiddenStateModel> {
    device: Device,
    regularizer: Option<Arc<dyn Regularizer>>,
    /// Present during a step, so that the optimizer can change the parameters in place.
    step: Option<Begin<M>>,
    /// Parts whose gradients are not computed.
    parts: Vec<Part<M::Batch>>,
    /// The graph of the last of them, and its statistics.
    kept: Option<(ForwardStep<M::Output>, Option<Statistics>)>,
    gradients: GradientsAccumulator<M>,
}

impl<M: HiddenStateModel<Batch: RowBatch, Output: Gathered>> Replica<M> {
    /// A replica without a model, on a device with autodiff.
    pub fn new(device: Device, regularizer: Option<Arc<dyn Regularizer>>) -> Self {
        Self {
            device,
            regularizer,
            step: None,
            parts: Vec::new(),
            kept: None,
            gradients: GradientsAccumulator::new(),
        }
    }

    /// Runs parts forward and returns the statistics of their states, without gradient; none
    /// without a regularizer. The graph of the last part is kept, the others are run again.
    pub fn forward(
        &mut self,
        begin: Option<Begin<M>>,
        parts: Vec<Part<M::Batch>>,
    ) -> Vec<Statistics> {
        if let Some(begin) = begin {
            let model = begin.model.fork(&self.device);
            self.step = Some(Begin { model, ..begin });
        }
        let to_device = |part: Part<M::Batch>| Part {
            batch: part.batch.to_device(&self.device),
            ..part
        };
        self.parts = parts.into_iter().map(to_device).collect();
        let begin = self.step.as_ref().expect("a step has begun");
        let regularizer = pooled(self.regularizer.as_ref());
        let (Some(regularizer), Some((last, before))) = (regularizer, self.parts.split_last())
        else {
            return Vec::new();
        };
        let mut found = Vec::new();
        if !before.is_empty() {
            // On the device with autodiff, where dropout acts, but without a graph.
            let model = begin.model.clone().no_grad();
            for part in before {
                let states = begin.run(&model, part).hidden_states;
                let statistics = regularizer.statistics(&states, &begin.context(part));
                found.push(statistics.without_autodiff());
            }
        }
        let step = begin.run(&begin.model, last);
        let statistics = regularizer.statistics(&step.hidden_states, &begin.context(last));
        found.push(statistics.clone().without_autodiff());
        self.kept = Some((step, Some(statistics)));
        found
    }

    /// Computes the gradients of all parts, and adds them to those of the step.
    ///
    /// # Arguments
    /// - `penalty`: the penalty of the batch; `None` without a regularizer
    /// - `first`: number of the first part of this device among the parts of the penalty
    /// - `share`: weight of the penalty
    ///
    /// # Errors
    /// If the device fails; the message says how.
    pub fn backward(
        &mut self,
        penalty: Option<&PooledPenalty>,
        first: usize,
        share: f64,
    ) -> Result<Vec<Done<M::Output>>, String> {
        let begin = self.step.as_ref().expect("a step has begun");
        let regularizer = self.regularizer.as_ref();
        let text = |error: ExecutionError| error.to_string();
        let mut done = Vec::new();
        // From the last part on, whose graph exists, so that there is never a second one.
        let parts = std::mem::take(&mut self.parts).into_iter().enumerate();
        for (index, part) in parts.rev() {
            let (step, statistics) = self.kept.take().unwrap_or_else(|| {
                let step = begin.run(&begin.model, &part);
                let statistics = pooled(regularizer)
                    .map(|of| of.statistics(&step.hidden_states, &begin.context(&part)));
                (step, statistics)
            });
            let ForwardStep {
                task_loss,
                hidden_states,
                output,
            } = step;
            let selected = regularizer.and_then(|regularizer| regularizer.states());
            let states = selected.map(|selection| StateCount::of(selection, &hidden_states));
            // Frees the layers early; the autodiff graph keeps what the backward pass needs.
            drop(hidden_states);
            let mut loss = task_loss.clone() * part.weight;
            if let (Some(penalty), Some(statistics)) = (penalty, &statistics)
                && let Some(surrogate) = penalty.surrogate(first + index, statistics)
            {
                loss = loss.clone() + surrogate.cast(loss.dtype()) * share;
            }
            drop(statistics);
            let gradients = GradientsParams::from_grads(loss.backward(), &begin.model);
            self.gradients.accumulate(&begin.model, gradients);
            done.push(Done {
                first_row: part.first_row,
                weight: part.weight,
                task_loss: match host_for(&self.device) {
                    Some(host) => task_loss.without_autodiff().to_device(&host),
                    None => task_loss.without_autodiff(),
                },
                states,
                output: gather(output.sync().map_err(text)?, &self.device).map_err(text)?,
            });
        }
        Ok(done)
    }

    /// Ends the step: returns its gradients.
    pub fn take(&mut self) -> GradientsParams {
        self.step = None;
        self.gradients.grads()
    }
}

fn pooled(regularizer: Option<&Arc<dyn Regularizer>>) -> Option<&dyn PooledRegularizer> {
    let pooled = regularizer?.pooled();
    Some(pooled.expect("the regularizer of a training in parts is pooled"))
}

impl<M: HiddenStateModel<Batch: RowBatch>> Begin<M> {
    fn context(&self, part: &Part<M::Batch>) -> StepContext<'_> {
        // All parts are padded like the whole, whose number of tokens is therefore theirs.
        let context = self.start.context();
        context
            .with_first_sequence(part.first_row - part.group.start)
            .with_batch_sequences(part.group.len())
    }

    fn run(&self, model: &M, part: &Part<M::Batch>) -> ForwardStep<M::Output> {
        let forward = || model.forward_step(part.batch.clone());
        self.keys
            .for_part(part.first_row, || self.precision.scope(forward))
    }
}
