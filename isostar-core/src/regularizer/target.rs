mod held;

use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::prelude::*;
use burn::tensor::TensorReadError;

use super::estimate::ANOTHER;
use super::{
    Detail, HeldStep, Penalty, PooledRegularizer, Regularizer, RegularizerState, Statistic,
    Statistics, StepContext, StepNumbers,
};
use crate::control::{ControlConfig, ControlTerm, Controller};
use crate::{ConfigError, HiddenStates, LayerSelection, Moments, StateSelection};
use held::{Held, Next, Scored};

/// Number of steps from one measurement of the states without dropout to the next.
const PLAIN_EVERY: u64 = 10;

/// Holds IsoScore of selected layers at targets.
///
/// Each [`Hold`] has a score and a [`Controller`]; the penalty is the sum of their terms
///
/// ```text
///   w·e,     e = τₜ − s,     w = λ + ρ·clip(e, −m⁻, m⁺)
/// ```
///
/// with the acting weight w as a constant. s is the IsoScore of a stream of batches with fading
/// memory, β = 0.9 per batch. It counts products of different batches only, so that neither the size
/// of the batches nor the likeness of the tokens of a sentence biases it, and it needs no reference
/// covariance. The first ten steps have no penalty, and with a patience, neither have those before the
/// task loss falls.
///
/// A training loop that measures the states of some batches without dropout
/// ([`PooledRegularizer::note_plain`], every tenth step) holds the score without dropout: s is
/// lowered by the difference of the scores of these batches.
///
/// A training hook returns the score of each step before the next one, which updates λ; the score of
/// the step itself is used where it is on the device already, in e.
///
/// ```
/// use isostar_core::{Hold, LayerSelection, Padding, Regularizer, Target};
///
/// let target = Target::new(vec![Hold::new(LayerSelection::All, 0.3)], Padding::Mask)?;
/// assert_eq!(target.measure_name(), "Held IsoScore");
/// # Ok::<(), isostar_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Target {
    states: StateSelection,
    selections: Vec<StateSelection>,
    names: Vec<String>,
    inner: Mutex<Inner>,
}

/// A target and the layers whose score it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// The layers; their states are pooled.
    pub layers: LayerSelection,
    /// The target and the settings of its controller.
    pub control: ControlConfig,
}

impl Hold {
    /// Holds the score of `layers` at `target` with the default settings.
    pub fn new(layers: LayerSelection, target: f64) -> Self {
        Self {
            layers,
            control: ControlConfig::new(target),
        }
    }
}

#[derive(Debug)]
struct Inner {
    controllers: Vec<Controller>,
    held: Vec<Held>,
    /// Moments of the next batch without dropout, if they were measured.
    plain: Option<Vec<Moments>>,
    /// What the streams become with the steps whose numbers have not come back, oldest first.
    pending: Vec<Vec<Next>>,
}

impl Target {
    /// Creates the regularizer.
    ///
    /// # Errors
    /// If there is no target, or a setting is outside its range.
    pub fn new(holds: Vec<Hold>, padding: crate::Padding) -> Result<Self, ConfigError> {
        if holds.is_empty() {
            return Err(ConfigError::NoLayers);
        }
        let select = |layers| StateSelection { layers, padding };
        let selections: Vec<_> = holds
            .iter()
            .map(|hold| select(hold.layers.clone()))
            .collect();
        let names = match &holds[..] {
            [_] => vec!["score".into()],
            _ => holds
                .iter()
                .map(|hold| format!("score of layer {}", hold.layers))
                .collect(),
        };
        let controllers = holds.into_iter().map(|hold| hold.control.init());
        let controllers = controllers.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            states: select(union(&selections)),
            inner: Mutex::new(Inner {
                held: controllers
                    .iter()
                    .map(|held| Held::new(held.config().memory))
                    .collect(),
                controllers,
                plain: None,
                pending: Vec::new(),
            }),
            selections,
            names,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layers of all holds.
fn union(selections: &[StateSelection]) -> LayerSelection {
    let mut all = Vec::new();
    for StateSelection { layers, .. } in selections {
        match layers {
            LayerSelection::Only(layers) => all.extend(layers),
            other => return other.clone(),
        }
    }
    all.sort_unstable();
    all.dedup();
    LayerSelection::Only(all)
}

/// w·e at a score with gradients, shape `[1]`, with the acting weight w as a constant: its slope in the
/// score is −w.
fn penalty(term: ControlTerm, score: Tensor<1>) -> Tensor<1> {
    let error = score.neg() + term.target;
    let limited = error.clone().without_autodiff();
    let limited = limited.clamp(-term.fall_limit, term.error_limit);
    error * (limited * term.penalty + term.multiplier)
}

impl Regularizer for Target {
    fn measure_name(&self) -> &str {
        "Held IsoScore"
    }

    fn states(&self) -> Option<&StateSelection> {
        Some(&self.states)
    }

    fn pooled(&self) -> Option<&dyn PooledRegularizer> {
        Some(self)
    }

    fn penalty(&self, states: &HiddenStates, context: &StepContext) -> Penalty {
        self.penalty_of(&self.statistics(states, context), context)
    }

    fn after_step(&self, numbers: &StepNumbers) -> Vec<HeldStep> {
        let mut inner = self.lock();
        let Inner {
            controllers,
            held,
            pending,
            ..
        } = &mut *inner;
        if pending.is_empty() {
            return Vec::new();
        }
        for ((held, name), next) in held.iter_mut().zip(&self.names).zip(pending.remove(0)) {
            held.advance(next, numbers.detail(&offset_name(name)));
        }
        let held = self.selections.iter().zip(&self.names).zip(controllers);
        held.filter_map(|((selection, name), controller)| {
            let was_frozen = controller.state().frozen;
            let numbers = controller.update(numbers.detail(name)?, numbers.task_loss)?;
            Some(HeldStep {
                layers: selection.layers.to_string(),
                is_turn: numbers.frozen != was_frozen,
                numbers,
            })
        })
        .collect()
    }

    fn discard_step(&self) {
        self.lock().pending.pop();
    }

    fn state(&self) -> Result<RegularizerState, TensorReadError> {
        let inner = self.lock();
        let controllers = inner.controllers.iter();
        let mut state = RegularizerState {
            controllers: controllers.map(|held| held.state().clone()).collect(),
            ..Default::default()
        };
        for held in &inner.held {
            held.save(&mut state.numbers, &mut state.tensors)?;
        }
        Ok(state)
    }

    fn restore(&self, state: RegularizerState, device: &Device) {
        let mut inner = self.lock();
        inner.pending.clear();
        inner.plain = None;
        for (controller, state) in inner.controllers.iter_mut().zip(state.controllers) {
            controller.restore(state);
        }
        let mut tensors = state.tensors.into_iter();
        let mut numbers = state.numbers.into_iter();
        for held in &mut inner.held {
            held.restore(&mut numbers, &mut tensors, device);
        }
    }
}

/// The name of the detail that says what dropout adds to a score.
fn offset_name(name: &str) -> String {
    format!("{name} by dropout")
}

/// # Panics
/// If the statistics are those of another regularizer.
fn moments_of(statistics: &Statistics) -> Vec<Moments> {
    let moments = statistics.0.iter().map(|statistic| match statistic {
        Statistic::Moments(moments) => moments.clone(),
        _ => panic!("{ANOTHER}"),
    });
    moments.collect()
}

impl PooledRegularizer for Target {
    /// The moments of the layers of each hold.
    fn statistics(&self, states: &HiddenStates, _context: &StepContext) -> Statistics {
        let moments = self.selections.iter().map(|held| held.moments(states));
        Statistics(moments.map(Statistic::Moments).collect())
    }

    /// The penalty of the next step: [`after_step`](Regularizer::after_step) or
    /// [`discard_step`](Regularizer::discard_step) ends it.
    fn penalty_of(&self, statistics: &Statistics, _context: &StepContext) -> Penalty {
        let mut inner = self.lock();
        let plain = inner.plain.take();
        let mut plain = plain.into_iter().flatten();
        let scored: Vec<Scored> = moments_of(statistics)
            .into_iter()
            .zip(&inner.held)
            .map(|(moments, held)| held.score(moments, plain.next()))
            .collect();
        let terms =
            scored
                .iter()
                .zip(&inner.controllers)
                .map(
                    |(Scored { score, .. }, controller)| match controller.term() {
                        Some(term) => penalty(term, score.clone()),
                        None => score.clone().without_autodiff() * 0.0,
                    },
                );
        let value = terms
            .reduce(|sum, term| sum + term)
            .expect("there is a target");
        let scores = scored.iter().map(|of| of.score.clone().without_autodiff());
        let mean = Tensor::cat(scores.collect(), 0).mean();
        let mut details = Vec::new();
        let mut offsets = Vec::new();
        let mut next = Vec::new();
        for (name, scored) in self.names.iter().zip(scored) {
            details.push(Detail::new(name, scored.score));
            let offset = scored.offset;
            offsets.extend(offset.map(|offset| Detail::new(offset_name(name), offset)));
            next.push(scored.next);
        }
        details.append(&mut offsets);
        inner.pending.push(next);
        Penalty::new(value, mean).with_details(details)
    }

    fn wants_plain(&self, step: u64) -> bool {
        step.is_multiple_of(PLAIN_EVERY)
    }

    fn note_plain(&self, statistics: &Statistics) {
        self.lock().plain = Some(moments_of(statistics));
    }
}

#[cfg(test)]
mod tests;
