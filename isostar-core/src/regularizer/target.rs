use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::prelude::*;
use burn::tensor::TensorReadError;

use super::estimate::ANOTHER;
use super::{
    Detail, HeldStep, Penalty, PooledRegularizer, Regularizer, RegularizerState, Statistic,
    Statistics, StepContext, StepNumbers,
};
use crate::control::{ControlConfig, ControlTerm, Controller};
use crate::stream_score::{Past, StreamScore};
use crate::{ConfigError, HiddenStates, LayerSelection, Moments, StateSelection};

/// Holds IsoScore of selected layers at targets.
///
/// Each [`Hold`] has a score and a [`Controller`]; the penalty is the sum of their terms
///
/// ```text
///   λ·e + ρ·h(e),     e = τₜ − s
/// ```
///
/// s is the IsoScore of a stream of batches with fading memory, β = 0.9 per batch. It counts products
/// of different batches only, so that neither the size of the batches nor the likeness of the tokens
/// of a sentence biases it, and it needs no reference covariance. The first ten steps have no penalty.
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
    streams: Vec<StreamScore>,
    /// What the streams become with the steps whose numbers have not come back, oldest first.
    pending: Vec<Vec<Past>>,
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
                streams: controllers
                    .iter()
                    .map(|held| StreamScore::new(held.config().memory))
                    .collect(),
                controllers,
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

/// λ·e + ρ·h(e) at a score with gradients, shape `[1]`.
fn penalty(term: ControlTerm, score: Tensor<1>) -> Tensor<1> {
    let error = score.neg() + term.target;
    let limited = error.clone().clamp(-term.error_limit, term.error_limit);
    // c·e − c²/2 with c = clip(e, ±m): its slope in e is c.
    let huber = limited.clone() * error.clone() - limited.square() / 2.0;
    error * term.multiplier + huber * term.penalty
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
            streams,
            pending,
        } = &mut *inner;
        if pending.is_empty() {
            return Vec::new();
        }
        for (stream, past) in streams.iter_mut().zip(pending.remove(0)) {
            stream.set_past(Some(past));
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
        let tensors = inner
            .streams
            .iter()
            .flat_map(|stream| stream.past().map(Past::to_data));
        Ok(RegularizerState {
            controllers: inner
                .controllers
                .iter()
                .map(|held| held.state().clone())
                .collect(),
            numbers: inner
                .streams
                .iter()
                .filter_map(|stream| Some(stream.past()?.weight))
                .collect(),
            tensors: tensors
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect(),
            ..Default::default()
        })
    }

    fn restore(&self, state: RegularizerState, device: &Device) {
        let mut inner = self.lock();
        let Inner {
            controllers,
            streams,
            pending,
        } = &mut *inner;
        pending.clear();
        for (controller, state) in controllers.iter_mut().zip(state.controllers) {
            controller.restore(state);
        }
        let mut tensors = state.tensors.into_iter();
        let mut weights = state.numbers.into_iter();
        for stream in streams {
            let past = weights.next().and_then(|weight| {
                let data = [tensors.next()?, tensors.next()?, tensors.next()?];
                Some(Past::from_data(weight, data, device))
            });
            stream.set_past(past);
        }
    }
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
        let moments = statistics.0.iter().map(|statistic| match statistic {
            Statistic::Moments(moments) => moments.clone(),
            _ => panic!("{ANOTHER}"),
        });
        let scored: Vec<(Tensor<1>, Past)> = moments
            .zip(&inner.streams)
            .map(|(moments, stream): (Moments, _)| stream.score(moments))
            .collect();
        let terms = scored
            .iter()
            .zip(&inner.controllers)
            .map(|((score, _), controller)| match controller.term() {
                Some(term) => penalty(term, score.clone()),
                None => score.clone().without_autodiff() * 0.0,
            });
        let value = terms
            .reduce(|sum, term| sum + term)
            .expect("there is a target");
        let details: Vec<Detail> = self
            .names
            .iter()
            .zip(&scored)
            .map(|(name, (score, _))| Detail::new(name, score.clone()))
            .collect();
        let scores = details.iter().map(|detail| detail.value.clone());
        let mean = Tensor::cat(scores.collect(), 0).mean();
        let next = scored.into_iter().map(|(_, next)| next).collect();
        inner.pending.push(next);
        Penalty::new(value, mean).with_details(details)
    }
}

#[cfg(test)]
mod tests;
