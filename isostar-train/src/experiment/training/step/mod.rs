//! A step of the optimizer on a batch in parts: several micro-batches, several devices, or both.
//!
//! ```text
//! loss = task loss of all rows + penalty of the states of all rows
//! ```
//!
//! The batch is cut by rows into micro-batches, and each micro-batch into one part per device; all
//! parts are padded like the whole. The exchange makes the penalty that of the whole batch:
//!
//! 1. Every device runs its parts forward and keeps statistics of their states; only of the last
//!    part it keeps the graph.
//! 2. The penalty of the merged statistics is computed once, and differentiated with respect to the
//!    statistics of each part ([`isostar_core::PooledPenalty`]).
//! 3. Every device differentiates its parts, with a surrogate in place of the penalty. The parts
//!    before the last run forward once more, with the same dropout.
//!
//! The gradients are added up in the order of devices. With one micro-batch per step, each part runs
//! forward once, and the exchange costs O(d²).
//!
//! In a [`World`] of several processes, each of them has the parts of its own devices. The processes
//! gather the statistics of all parts, each computes the penalty of all of them, and they add up
//! their gradients in the order of ranks. All processes end a step with the same bits.
//!
//! No device waits for another: all of them answer the thread that drives the training, and wait
//! for nothing else. A device that fails, or a training that ends between two steps, therefore
//! leaves nobody waiting.

mod clip;
mod cut;
mod error;
mod exchange;
mod gradients;
mod outputs;
mod replica;
mod workers;

use std::sync::Arc;

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::prelude::*;
use burn::train::TrainOutput;
use isostar_core::{Detail, Penalty, PooledPenalty, Regularizer, Statistics};
use isostar_kernels::{DropoutKeys, Precision};

pub(super) use clip::clip;
use cut::cut;
pub(super) use error::StepError;
pub(super) use outputs::Outputs;
use outputs::join;
use replica::{Begin, Part};
use workers::{Failure, Workers};

use super::super::AccumulateScore;
use crate::data::RowBatch;
use crate::hook::{HiddenStateModel, RegularizedOutput, StepStart};
use crate::readback::Portable;
use crate::world::World;

/// How a batch is cut into parts, and computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Division {
    /// Rows per micro-batch.
    pub rows: usize,
    /// Which states have one penalty.
    pub score: AccumulateScore,
    /// Precision of the products of forward passes.
    pub precision: Precision,
}

/// Gradients and numbers of a batch.
pub(super) struct Computed<O> {
    pub gradients: GradientsParams,
    pub output: RegularizedOutput<Outputs<O>>,
}

impl<O> From<TrainOutput<RegularizedOutput<O>>> for Computed<O> {
    /// A batch that was computed as a whole.
    fn from(computed: TrainOutput<RegularizedOutput<O>>) -> Self {
        let TrainOutput { grads, item } = computed;
        Self {
            gradients: grads,
            output: RegularizedOutput {
                task_loss: item.task_loss,
                penalty: item.penalty,
                states: item.states,
                moments: item.moments,
                output: Outputs(vec![item.output]),
            },
        }
    }
}

/// The devices of a training, and what they compute of a batch.
pub(super) struct Crew<M: HiddenStateModel> {
    world: World,
    workers: Workers<M>,
    regularizer: Option<Arc<dyn Regularizer>>,
    division: Division,
}

impl<M: HiddenStateModel<Batch: RowBatch, Output: Portable> + 'static> Crew<M> {
    /// A crew on these devices with autodiff, at least one; every process has as many.
    ///
    /// # Panics
    /// If the regularizer is not pooled.
    pub fn new(
        world: World,
        devices: &[Device],
        regularizer: Option<Arc<dyn Regularizer>>,
        division: Division,
    ) -> Self {
        let workers = Workers::new(devices, regularizer.clone());
        Self {
            world,
            workers,
            regularizer,
            division,
        }
    }

    /// Computes the gradients of the loss of a batch, on the first device. Every process passes the
    /// same batch.
    ///
    /// # Errors
    /// If a device fails, here or in another process. The others have ended their part of the step.
    /// A process whose own device has failed says so in [`World::end`].
    pub fn compute(
        &mut self,
        model: &M,
        batch: &M::Batch,
        start: &StepStart,
    ) -> Result<Computed<M::Output>, StepError> {
        let rows = batch.count();
        let count = self.workers.count();
        let all = self.world.size() * count;
        let own = self.world.rank() * count..(self.world.rank() + 1) * count;
        let groups = match (self.division.score, &self.regularizer) {
            (AccumulateScore::Micro, Some(_)) => cut(rows, self.division.rows, all)
                .into_iter()
                .map(|micro_batch| vec![micro_batch])
                .collect(),
            _ => vec![cut(rows, self.division.rows, all)],
        };
        let keys = DropoutKeys::new();
        let mut penalties = Vec::new();
        let mut done = Vec::new();
        for (group, micro_batches) in groups.into_iter().enumerate() {
            let begin = || {
                (group == 0).then(|| Begin {
                    model: model.clone(),
                    keys: keys.clone(),
                    start: start.clone(),
                    precision: self.division.precision,
                })
            };
            let parts = || micro_batches.iter().flatten();
            let first = parts().map(|part| part.start).min().unwrap_or(0);
            let last = parts().map(|part| part.end).max().unwrap_or(0);
            let share = (last - first) as f64 / rows as f64;
            let mut parts: Vec<Vec<Part<M::Batch>>> = (0..count).map(|_| Vec::new()).collect();
            let own = micro_batches.iter().flat_map(|of| of[own.clone()].iter());
            for (device, range) in (0..count).cycle().zip(own.cloned()) {
                if !range.is_empty() {
                    parts[device].push(Part {
                        first_row: range.start,
                        group: first..last,
                        weight: range.len() as f64 / rows as f64,
                        batch: batch.part(range),
                    });
                }
            }
            let statistics = self.workers.forward(begin, parts)?;
            let counts: Vec<usize> = statistics.iter().map(Vec::len).collect();
            let (penalty, before) = self.exchange(statistics, start)?;
            if let Some(penalty) = &penalty {
                penalties.push((share, penalty.penalty.clone()));
            }
            done.extend(self.workers.backward(penalty, share, before, &counts)?);
        }
        let mut gradients = self.gradients(model)?;
        if self.world.size() > 1 {
            let device = self.workers.main();
            let present = gradients::present(model, &gradients);
            let (parts, present) = exchange::outputs(&self.world, done, rows, present, device)?;
            gradients = gradients::sum(&self.world, model, gradients, &present, device)?;
            done = parts;
        }
        Ok(Computed {
            gradients,
            output: join(done, mean(penalties)),
        })
    }

    /// The penalty of the union of all parts, and the number of parts before those of this process.
    fn exchange(
        &self,
        statistics: Vec<Vec<Statistics>>,
        start: &StepStart,
    ) -> Result<(Option<Arc<PooledPenalty>>, usize), StepError> {
        let regularizer = self.regularizer.as_ref();
        let Some(regularizer) = regularizer.and_then(|regularizer| regularizer.pooled()) else {
            return Ok((None, 0));
        };
        let own = statistics.into_iter().flatten().collect();
        let (parts, before) = exchange::statistics(&self.world, own, self.workers.main())?;
        let penalty = PooledPenalty::new(regularizer, parts, &start.context());
        Ok((Some(Arc::new(penalty)), before))
    }

    /// The sum of the gradients of all devices, on the first.
    fn gradients(&mut self, model: &M) -> Result<GradientsParams, Failure> {
        let mut sum = GradientsAccumulator::new();
        let mut found = self.workers.take()?.into_iter();
        let first = found.next().expect("there is at least one device");
        if found.len() == 0 {
            return Ok(first);
        }
        sum.accumulate(model, first);
        for gradients in found {
            sum.accumulate(model, gradients.to_device(self.workers.main(), model));
        }
        Ok(sum.grads())
    }
}

/// The mean of the penalties of micro-batches, weighted by their share of the rows.
fn mean(penalties: Vec<(f64, Penalty)>) -> Option<Penalty> {
    if penalties.len() == 1 {
        return penalties.into_iter().next().map(|(_, penalty)| penalty);
    }
    let weighted = penalties.into_iter().map(|(share, penalty)| {
        let detail = |detail: Detail| Detail::new(detail.name, detail.value * share);
        Penalty::new(penalty.value * share, penalty.measure * share)
            .with_details(penalty.details.into_iter().map(detail))
    });
    weighted.reduce(|sum, penalty| {
        let details = sum.details.into_iter().zip(penalty.details);
        let details = details.map(|(sum, part)| Detail::new(sum.name, sum.value + part.value));
        Penalty::new(sum.value + penalty.value, sum.measure + penalty.measure).with_details(details)
    })
}

#[cfg(test)]
mod tests;
