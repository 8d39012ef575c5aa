//! A training step of one of several workers.

use burn::optim::GradientsParams;
use burn::train::TrainOutput;
use isostar_core::{HiddenStates, PooledRegularizer, Statistics, StepContext};

use super::exchange::{Abandoned, Arrival, Seat, Size, Worker};
use super::regularized::StepStart;
use super::{ForwardStep, HiddenStateModel, Hook, Regularized, RegularizedOutput};
use crate::metric::StateCount;

impl<M: HiddenStateModel> Regularized<M> {
    /// Takes a step of which other workers compute the other parts. The sum of all gradients is that
    /// of one step on all batches.
    ///
    /// ```text
    ///   loss_k = (b_k/Σ b)·task loss_k + s_k
    /// ```
    ///
    /// b_k is the number of terms of the worker's task loss and s_k the surrogate of the penalty of
    /// all states, see [`isostar_core::PooledPenalty`]. Of a regularizer that is not pooled, the
    /// penalties of the workers are averaged with the same weights.
    pub(super) fn step_jointly(
        &self,
        batch: M::Batch,
        seat: Seat,
        start: &StepStart,
    ) -> TrainOutput<RegularizedOutput<M::Output>> {
        let Hook {
            regularizer,
            calibration,
        } = &self.hook;
        calibration.skip_monitor();
        let regularizer = regularizer.as_deref();
        let context = start.context();
        let rows = M::rows(&batch);
        let terms = M::loss_terms(&batch);
        let ForwardStep {
            task_loss,
            hidden_states,
            output,
        } = calibration
            .precision
            .scope(|| self.inner.forward_step(batch));
        let sequences = || hidden_states.layers.first().map(|layer| layer.dims()[0]);
        let terms = terms.or_else(sequences).unwrap_or(1) as f64;
        let worker = seat.worker(&rows, &task_loss);
        let pooled = regularizer.and_then(|regularizer| regularizer.pooled());
        let statistics = match pooled {
            Some(pooled) => statistics(pooled, &seat, &worker, &hidden_states, &context).map(Some),
            None => Ok(None),
        };
        let own = regularizer.filter(|_| pooled.is_none());
        let own = own.map(|regularizer| regularizer.penalty(&hidden_states, &context));
        let states = regularizer
            .and_then(|regularizer| Some(StateCount::of(regularizer.states()?, &hidden_states)));
        // Frees the layers early; the autodiff graph keeps what the backward pass needs.
        drop(hidden_states);

        let share = statistics.and_then(|statistics| {
            let constants = statistics.clone().map(Statistics::without_autodiff);
            let arrival = Arrival {
                worker,
                statistics: constants,
                terms,
            };
            Ok((seat.exchange(arrival, regularizer, &context)?, statistics))
        });
        let Ok((share, statistics)) = share else {
            return TrainOutput {
                grads: GradientsParams::new(),
                item: RegularizedOutput::without_penalty(task_loss, output),
            };
        };
        let penalty = share.penalty().cloned().or_else(|| own.clone());
        let mut loss = task_loss.clone();
        // Each worker watches a penalty of its own; the numbers of all together are kept once.
        let numbers = match own {
            Some(_) => Some((rows, task_loss.clone())),
            None => share.numbers(),
        };
        if let Some(own) = own {
            loss = loss + own.value.cast(task_loss.dtype());
        }
        loss = loss * share.weight();
        let surrogate = statistics.and_then(|statistics| share.surrogate(&statistics));
        if let Some(surrogate) = surrogate {
            loss = loss + surrogate.cast(task_loss.dtype());
        }
        let item = RegularizedOutput {
            penalty,
            states,
            ..RegularizedOutput::without_penalty(task_loss, output)
        };
        if let Some((rows, task_loss)) = numbers {
            self.keep_step(start, rows, &task_loss, item.penalty.as_ref());
        }
        TrainOutput::new(&self.inner, loss.backward(), item)
    }
}

/// The statistics of a worker's states. If they are those of a sample, the worker first learns where
/// its states lie among those of all.
///
/// # Errors
/// If the step was abandoned.
fn statistics(
    pooled: &dyn PooledRegularizer,
    seat: &Seat,
    worker: &Worker,
    states: &HiddenStates,
    context: &StepContext,
) -> Result<Statistics, Abandoned> {
    let layer = states.layers.first();
    let Some([sequences, tokens, _]) = layer.map(|layer| layer.dims()) else {
        return Ok(pooled.statistics(states, context));
    };
    let context = match pooled.draws() {
        false => *context,
        true => {
            let place = seat.place(worker.clone(), Size { sequences, tokens })?;
            context
                .with_first_sequence(place.first)
                .with_batch_sequences(place.whole.sequences)
                .with_batch_tokens(place.whole.tokens)
        }
    };
    Ok(pooled.statistics(states, &context))
}
