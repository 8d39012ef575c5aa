//! A training step of one of several workers.

use burn::optim::GradientsParams;
use burn::train::TrainOutput;

use super::exchange::{Arrival, Seat};
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
        let pooled = regularizer.and_then(|regularizer| regularizer.pooled());
        let statistics = pooled.map(|pooled| pooled.statistics(&hidden_states, &context));
        let own = regularizer.filter(|_| pooled.is_none());
        let own = own.map(|regularizer| regularizer.penalty(&hidden_states, &context));
        let states = regularizer
            .and_then(|regularizer| Some(StateCount::of(regularizer.states()?, &hidden_states)));
        // Frees the layers early; the autodiff graph keeps what the backward pass needs.
        drop(hidden_states);

        let arrival = |seat| Arrival::new(seat, statistics.as_ref(), terms, &rows, &task_loss);
        let Ok(share) = seat.exchange(arrival, regularizer, &context) else {
            return TrainOutput {
                grads: GradientsParams::new(),
                item: RegularizedOutput::without_penalty(task_loss, output),
            };
        };
        let penalty = share.penalty().cloned().or_else(|| own.clone());
        let mut loss = task_loss.clone();
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
        self.end_step(start, rows, loss, item)
    }
}
