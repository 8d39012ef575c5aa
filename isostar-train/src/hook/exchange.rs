//! The exchange of statistics between the workers of burn-train's `MultiDevice`: the penalty is that
//! of the states on all devices.
//!
//! Burn takes a batch of every slice of the training loader, one after the other, and each worker
//! takes a step on its batch; Burn adds up their gradients. The slices are tapped, so the exchange
//! knows how many workers take part in a step: those whose slice has given a batch. Each worker adds
//! the statistics of its states, waits for the others, and gets the penalty of all of them. Of a
//! regularizer that draws a sample of the states, the workers say before that how many sequences they
//! have.
//!
//! A worker waits for another only while that one is certain to arrive. Whatever keeps it from
//! arriving abandons the step for all of them: a panic, an error of a loader, the end of a pass.

mod worker;

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use burn::prelude::*;
use isostar_core::{Penalty, PooledPenalty, Regularizer, Statistics, StepContext};

use super::lock::lock;
pub(super) use worker::{Place, Size, Worker};

/// How long a worker waits for the others. The workers of Burn arrive within a step of each other; a
/// strategy of one's own that takes steps on several slices one after the other would wait for ever.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Exchange between the workers of one training.
#[derive(Default)]
pub(super) struct Exchange {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next_pass: u64,
    /// The passes over slices that have begun and not ended.
    passes: HashMap<u64, Pass>,
    round: Round,
}

#[derive(Default)]
struct Pass {
    /// Number of batches that were asked for.
    asked: usize,
    /// Thread that asked last.
    caller: Option<ThreadId>,
}

/// One step of all workers.
#[derive(Default)]
struct Round {
    number: usize,
    /// Number of passes that were asked for a batch, and of those that gave one.
    asked: usize,
    given: usize,
    /// The workers that have said what they have of a batch from which states are drawn.
    sized: Vec<(Worker, Size)>,
    arrived: Vec<Arrival>,
    /// Number of the seat that the next worker takes.
    next_seat: usize,
    /// Number of steps of the training before this one, once a worker has counted it.
    step: Option<u64>,
    outcome: Option<Outcome>,
}

#[derive(Clone)]
enum Outcome {
    Shared(Arc<Shared>),
    Abandoned,
}

/// What a worker adds.
pub(super) struct Arrival {
    pub worker: Worker,
    /// Statistics without gradient; `None` if the regularizer has none.
    pub statistics: Option<Statistics>,
    /// Number of terms in the mean that the worker's task loss is.
    pub terms: f64,
}

/// What the workers of a step get.
struct Shared {
    penalty: Option<PooledPenalty>,
    terms: f64,
    /// Seat of each part of the penalty.
    seats: Vec<usize>,
    /// Rows of all workers.
    rows: Vec<u32>,
    /// Task loss of the joined batches. Shape `[1]`.
    task_loss: Tensor<1>,
}

/// What one worker gets.
pub(super) struct Share {
    shared: Arc<Shared>,
    part: usize,
    terms: f64,
}

impl Share {
    /// Share of the worker's task loss in that of all workers.
    pub(super) fn weight(&self) -> f64 {
        self.terms / self.shared.terms
    }

    /// The penalty of the states of all workers; `None` if the regularizer is not pooled.
    pub(super) fn penalty(&self) -> Option<&Penalty> {
        self.shared.penalty.as_ref().map(|pooled| &pooled.penalty)
    }

    /// The rows and the task loss of all workers; `None` but for one of them, which keeps the numbers
    /// of the step.
    pub(super) fn numbers(&self) -> Option<(Vec<u32>, Tensor<1>)> {
        let shared = &self.shared;
        (self.part == 0).then(|| (shared.rows.clone(), shared.task_loss.clone()))
    }

    /// The surrogate of the penalty for the worker's states.
    pub(super) fn surrogate(&self, statistics: &Statistics) -> Option<Tensor<1>> {
        let pooled = self.shared.penalty.as_ref()?;
        pooled.surrogate(self.part, statistics)
    }
}

/// What a pass gives when it is asked for a batch.
#[derive(Clone, Copy)]
pub(super) enum Given {
    Batch,
    /// The slice has ended.
    Nothing,
    /// The training ends.
    Error,
}

/// The step was abandoned: another worker or its loader has failed.
#[derive(Debug)]
pub(super) struct Abandoned;

impl Exchange {
    /// Notes that a pass over a slice begins; returns its number.
    pub(super) fn begin_pass(&self) -> u64 {
        let mut state = lock(&self.state);
        if state.passes.is_empty() {
            state.round = Round::default();
        }
        state.next_pass += 1;
        let number = state.next_pass;
        state.passes.insert(number, Pass::default());
        number
    }

    /// Notes that a pass was asked for a batch, and what it gave.
    pub(super) fn ask(&self, number: u64, given: Given) {
        let mut state = lock(&self.state);
        let Some(pass) = state.passes.get_mut(&number) else {
            return;
        };
        pass.asked += 1;
        pass.caller = Some(std::thread::current().id());
        let asked = pass.asked;
        if asked > state.round.number {
            state.round = Round {
                number: asked,
                ..Round::default()
            };
        }
        state.round.asked += 1;
        match given {
            Given::Batch => state.round.given += 1,
            Given::Nothing => {}
            Given::Error => state.abandon(),
        }
        self.changed.notify_all();
    }

    /// Notes that a pass ends. A step of which it was still to be asked is abandoned.
    pub(super) fn end_pass(&self, number: u64) {
        let mut state = lock(&self.state);
        let is_complete = state.is_complete();
        state.passes.remove(&number);
        if !is_complete {
            state.abandon();
        }
        self.changed.notify_all();
    }

    /// A seat in the current step; `None` if the calling thread takes its steps alone.
    ///
    /// Workers of Burn take the batches that another thread has asked for. A thread that asks for
    /// its own batches, as in a loop over several slices, waits for nobody.
    pub(super) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let mut state = lock(&self.state);
        let own = Some(std::thread::current().id());
        let is_caller = state.passes.values().any(|pass| pass.caller == own);
        if state.passes.len() < 2 || is_caller {
            return None;
        }
        let number = state.round.next_seat;
        state.round.next_seat += 1;
        Some(Seat {
            exchange: self.clone(),
            round: state.round.number,
            number,
            has_share: false,
        })
    }
}

impl State {
    /// Whether every pass was asked, and every worker that got a batch has arrived.
    fn is_complete(&self) -> bool {
        let Round {
            asked,
            given,
            arrived,
            ..
        } = &self.round;
        *asked >= self.passes.len() && arrived.len() == *given
    }

    /// Whether every pass was asked, and every worker that got a batch has said what it has of it.
    fn is_sized(&self) -> bool {
        let Round {
            asked,
            given,
            sized,
            ..
        } = &self.round;
        *asked >= self.passes.len() && sized.len() == *given
    }

    /// Abandons the step, unless all of its workers already have their shares.
    fn abandon(&mut self) {
        self.round.outcome.get_or_insert(Outcome::Abandoned);
    }
}

/// A worker's part in a step. Dropped before it has a [`Share`], it abandons the step.
pub(super) struct Seat {
    exchange: Arc<Exchange>,
    round: usize,
    number: usize,
    has_share: bool,
}

impl Seat {
    /// What tells this worker from the others.
    pub(super) fn worker(&self, rows: &[u32], task_loss: &Tensor<1>) -> Worker {
        Worker::new(self.number, rows, task_loss)
    }

    /// The number of steps before this one. The first worker counts it.
    pub(super) fn step(&self, count: impl FnOnce() -> u64) -> u64 {
        let mut state = lock(&self.exchange.state);
        match state.round.number == self.round {
            true => *state.round.step.get_or_insert_with(count),
            false => count(),
        }
    }

    /// Says what this worker has, waits for the others, and returns where it lies among them.
    ///
    /// # Errors
    /// If the step was abandoned.
    pub(super) fn place(&self, worker: Worker, own: Size) -> Result<Place, Abandoned> {
        let mut state = lock(&self.exchange.state);
        if state.round.number != self.round {
            return Err(Abandoned);
        }
        state.round.sized.push((worker, own));
        self.exchange.changed.notify_all();
        while !state.is_sized() {
            if state.round.number != self.round || state.round.outcome.is_some() {
                return Err(Abandoned);
            }
            state = wait(&self.exchange.changed, state);
        }
        Ok(Place::of(self.number, &state.round.sized))
    }

    /// Adds what this worker has, and waits for the others.
    ///
    /// # Errors
    /// If the step was abandoned.
    pub(super) fn exchange(
        mut self,
        arrival: Arrival,
        regularizer: Option<&dyn Regularizer>,
        context: &StepContext,
    ) -> Result<Share, Abandoned> {
        let terms = arrival.terms;
        let exchange = self.exchange.clone();
        let mut state = lock(&exchange.state);
        if state.round.number != self.round {
            return Err(Abandoned);
        }
        state.round.arrived.push(arrival);
        exchange.changed.notify_all();
        let outcome = loop {
            if let Some(outcome) = &state.round.outcome {
                break outcome.clone();
            }
            if state.is_complete() {
                let shared = share(&mut state, regularizer, context);
                state.round.outcome = Some(Outcome::Shared(Arc::new(shared)));
                exchange.changed.notify_all();
                continue;
            }
            state = wait(&exchange.changed, state);
        };
        drop(state);
        self.has_share = true;
        let Outcome::Shared(shared) = outcome else {
            return Err(Abandoned);
        };
        let part = shared.seats.iter().position(|seat| *seat == self.number);
        Ok(Share {
            part: part.expect("every worker has a part"),
            shared,
            terms,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = lock(&self.exchange.state);
        if !self.has_share && state.round.number == self.round {
            state.abandon();
            self.exchange.changed.notify_all();
        }
    }
}

/// # Panics
/// If nothing changes for [`LIMIT`].
fn wait<'a>(changed: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    let waited = changed.wait_timeout(state, LIMIT);
    let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
    assert!(
        !waited.timed_out(),
        "a worker has waited for the others for half an hour: only burn-train's MultiDevice strategy may take steps on \
         batches of several slices at the same time"
    );
    state
}

/// The penalty of all parts, in an order that does not depend on which worker came first.
fn share(
    state: &mut State,
    regularizer: Option<&dyn Regularizer>,
    context: &StepContext,
) -> Shared {
    let mut arrived = std::mem::take(&mut state.round.arrived);
    arrived.sort_by(|one, other| one.worker.order(&other.worker));
    let terms: f64 = arrived.iter().map(|arrival| arrival.terms).sum();
    let workers = || arrived.iter().map(|arrival| &arrival.worker);
    let seats = workers().map(|worker| worker.seat).collect();
    let rows = workers().flat_map(|worker| worker.rows.clone()).collect();
    let losses = arrived.iter().map(|arrival| {
        let device = arrived[0].worker.task_loss.device();
        arrival.worker.task_loss.clone().to_device(&device) * (arrival.terms / terms)
    });
    let task_loss = losses.reduce(|sum, loss| sum + loss);
    let task_loss = task_loss.expect("a step has at least one worker");
    let parts = arrived.into_iter().map(|arrival| arrival.statistics);
    let parts = parts.collect::<Option<Vec<_>>>();
    let pooled = regularizer.and_then(|regularizer| regularizer.pooled());
    Shared {
        penalty: pooled
            .zip(parts)
            .map(|(pooled, parts)| PooledPenalty::new(pooled, parts, context)),
        terms,
        seats,
        rows,
        task_loss,
    }
}
