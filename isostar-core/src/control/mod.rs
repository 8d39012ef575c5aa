//! Holding a score at a target: the controller of target mode, without tensors.

mod guard;
mod learning;
mod response;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::ConfigError;
use guard::LossGuard;
use learning::Learning;
use response::Response;

/// Number of first steps without a penalty. The score after them is the untouched score.
const UNTOUCHED: usize = 10;

/// Settings of a [`Controller`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlConfig {
    /// The target τ of the score, in [0, 1].
    pub target: f64,
    /// Number of steps over which the held value moves from the untouched score to τ. 0 by default.
    pub warmup: usize,
    /// Largest number of steps, beyond the first ten, that the score is left alone until the task loss
    /// has begun to fall. 0 by default: the controller does not wait.
    pub patience: usize,
    /// The first guess K₀ of the move of the score per step and unit of the acting weight. 0.0025 by
    /// default, as measured on a pretrained encoder at a learning rate of 5e-5; it grows with the
    /// learning rate.
    pub response: f64,
    /// The share κ of an error that a step is to remove. 0.04 by default.
    pub rate: f64,
    /// Number of steps n in which λ takes over what the quadratic term does. 120 by default.
    pub takeover: f64,
    /// The weight β of the past in the score that the controller is given, in [0, 1): how far it
    /// lags. 0.9 by default, that of [`Target`](crate::Target).
    pub memory: f64,
    /// The largest error m whose square counts; a larger error counts linearly. 0.1 by default.
    pub error_limit: f64,
    /// The same for a score above the held value. 0.05 by default: states that are pushed to few
    /// directions too fast collapse.
    pub fall_limit: f64,
    /// The largest |λ|, and the largest weight by the quadratic term. 3 by default.
    pub weight_limit: f64,
    /// Rise of the smoothed task loss over its running median at which λ is frozen if the score
    /// moves as well; 0.5, the default, is 50%.
    pub loss_rise: f64,
}

impl ControlConfig {
    /// The default settings for a target.
    pub fn new(target: f64) -> Self {
        Self {
            target,
            warmup: 0,
            patience: 0,
            response: 0.0025,
            rate: 0.04,
            takeover: 120.0,
            memory: 0.9,
            error_limit: 0.1,
            fall_limit: 0.05,
            weight_limit: 3.0,
            loss_rise: 0.5,
        }
    }

    /// Sets the [`warmup`](Self::warmup).
    pub fn with_warmup(self, warmup: usize) -> Self {
        Self { warmup, ..self }
    }

    /// Sets the [`patience`](Self::patience).
    pub fn with_patience(self, patience: usize) -> Self {
        Self { patience, ..self }
    }

    /// Sets the [`response`](Self::response).
    pub fn with_response(self, response: f64) -> Self {
        Self { response, ..self }
    }

    /// Creates the controller.
    ///
    /// # Errors
    /// If the target is outside [0, 1] or another number is outside its range.
    pub fn init(self) -> Result<Controller, ConfigError> {
        if !(0.0..=1.0).contains(&self.target) {
            return Err(ConfigError::Target { value: self.target });
        }
        let positive = [
            ("response", self.response),
            ("rate", self.rate),
            ("takeover", self.takeover),
            ("error_limit", self.error_limit),
            ("fall_limit", self.fall_limit),
            ("weight_limit", self.weight_limit),
            ("loss_rise", self.loss_rise),
        ];
        let refused = |name, value| Err(ConfigError::Control { name, value });
        for (name, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return refused(name, value);
            }
        }
        if !(0.0..1.0).contains(&self.memory) {
            return refused("memory", self.memory);
        }
        Ok(Controller {
            config: self,
            state: ControllerState::default(),
        })
    }
}

/// Holds a score s at a target τ by an augmented Lagrangian.
///
/// The penalty w·e of the error e = τₜ − s acts like a plain penalty w·(1 − s) whose weight follows the
/// error. It is the slope of λ·e + ρ·e²/2, with a limited quadratic term:
///
/// ```text
///   w = λ + ρ·clip(e, −m⁻, m⁺)
/// ```
///
/// After a step with −m⁻ ≤ e ≤ m⁺ the multiplier takes a dual step, within ±L:
///
/// ```text
///   λ ← clip(λ + ρ·e/n, ±L)
/// ```
///
/// λ begins at 0. s is a smooth score, such as that of [`Target`](crate::Target).
///
/// The factor ρ = κ/K̂ follows from the response K̂ of the score, the move per step and unit of the
/// acting weight: models, learning rates and layers differ in it by factors of a hundred. K̂ is
/// estimated from the steps themselves, from a first guess K₀ on. m⁺ is 0.1 and m⁻ 0.05, or L/ρ if that
/// is less: states that are pushed to few directions too fast collapse.
///
/// The first ten steps have no penalty, and with a [`patience`](ControlConfig::patience), neither have
/// those until the smoothed task loss is 5% below that of the first ten: a model that has learned
/// nothing yet may never learn under a penalty. From the untouched score after them, the held value τₜ
/// moves to τ over the warm-up, along half a cosine. Meanwhile (τₜ₊₁ − τₜ)/K̂ is added to λ in the
/// penalty, within ±L, unless the score is ahead of τₜ. Numbers that are not finite change nothing.
///
/// λ is frozen while the task loss is above its running median by more than a set share and the score
/// moves; the quadratic term still acts.
///
/// # References
/// Hestenes, "Multiplier and gradient methods" (1969); Platt & Barr, "Constrained differential
/// optimization" (1987), for dual steps without inner minimization; Åström & Wittenmark, "Adaptive
/// Control" (1995), for the estimated response.
#[derive(Clone, Debug, PartialEq)]
pub struct Controller {
    config: ControlConfig,
    state: ControllerState,
}

/// What a controller remembers between steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ControllerState {
    /// Number of steps with a score.
    pub steps: usize,
    /// The multiplier λ.
    pub multiplier: f64,
    /// The score after the steps without a penalty, from which the warm-up starts; 0 before.
    pub untouched: f64,
    /// Number of steps without a penalty; `None` while there is none.
    #[serde(default)]
    pub begun: Option<usize>,
    /// Whether λ is frozen.
    pub frozen: bool,
    /// The last score; 0 before.
    #[serde(default)]
    score: f64,
    #[serde(default)]
    learning: Learning,
    response: Response,
    guard: LossGuard,
}

/// One step of a controller, for logs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlStep {
    /// The score s.
    pub score: f64,
    /// The held value τₜ of this step.
    pub target: f64,
    /// The error τₜ − s.
    pub error: f64,
    /// The multiplier λ during this step.
    pub multiplier: f64,
    /// The factor ρ during this step.
    pub penalty: f64,
    /// The acting weight of this step: λ + ρ·clip(e, ±m), and what moves the score along with the held
    /// value; 0 while the score is untouched.
    pub weight: f64,
    /// Whether λ is frozen after this step.
    pub frozen: bool,
}

/// The numbers that a penalty needs for the next step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ControlTerm {
    /// The multiplier λ, with what moves the score along with the held value.
    pub multiplier: f64,
    /// The factor ρ of the quadratic term.
    pub penalty: f64,
    /// The held value τₜ.
    pub target: f64,
    /// The largest error m whose square counts.
    pub error_limit: f64,
    /// The same for a score above the held value.
    pub fall_limit: f64,
}

impl ControlTerm {
    /// The acting weight at a score: −∂/∂s of the term.
    pub fn weight(&self, score: f64) -> f64 {
        let error = self.target - score;
        self.multiplier + self.penalty * error.clamp(-self.fall_limit, self.error_limit)
    }

    /// Whether an error is within the limits.
    fn is_near(&self, error: f64) -> bool {
        (-self.fall_limit..=self.error_limit).contains(&error)
    }
}

impl Controller {
    /// The settings.
    pub fn config(&self) -> &ControlConfig {
        &self.config
    }

    /// The state between two steps.
    pub fn state(&self) -> &ControllerState {
        &self.state
    }

    /// Continues from a state.
    pub fn restore(&mut self, state: ControllerState) {
        self.state = state;
    }

    /// The term of the next step; `None` while the score is still untouched.
    pub fn term(&self) -> Option<ControlTerm> {
        let Self { config, state } = self;
        let done = state.steps - state.begun?;
        let response = state.response.estimate(config.response);
        let penalty = config.rate / response;
        let target = self.held(done + 1);
        let limit = config.weight_limit;
        // What moves the score along with the held value, unless the score is ahead of it.
        let ahead = (self.held(done + 2) - target) / response;
        let is_behind = ahead * (target - state.score) >= 0.0;
        let ahead = if is_behind { ahead } else { 0.0 };
        Some(ControlTerm {
            multiplier: (state.multiplier + ahead).clamp(-limit, limit),
            penalty,
            target,
            error_limit: config.error_limit.min(limit / penalty),
            fall_limit: config.fall_limit.min(limit / penalty),
        })
    }

    /// The held value τₜ in a step of the warm-up, from 1.
    fn held(&self, step: usize) -> f64 {
        let ControlConfig { target, warmup, .. } = self.config;
        if step >= warmup {
            return target;
        }
        let share = (1.0 - (std::f64::consts::PI * step as f64 / warmup as f64).cos()) / 2.0;
        self.state.untouched + (target - self.state.untouched) * share
    }

    /// Takes in the score and the task loss of a step. `None` if one of them is not finite, which
    /// changes nothing.
    pub fn update(&mut self, score: f64, task_loss: f64) -> Option<ControlStep> {
        if !(score.is_finite() && task_loss.is_finite()) {
            return None;
        }
        let term = self.term();
        let Self { config, state } = self;
        state.steps += 1;
        state.score = score;
        state.learning.add(task_loss, UNTOUCHED);
        state.frozen = state
            .guard
            .is_frozen(state.frozen, task_loss, score, config.loss_rise);
        let weight = term.map_or(0.0, |term| term.weight(score));
        let multiplier = state.multiplier;
        let target = term.map_or(score, |term| term.target);
        let error = target - score;
        match term {
            None => {
                state.untouched = score;
                let has_waited =
                    state.learning.has_begun || state.steps >= UNTOUCHED + config.patience;
                if state.steps >= UNTOUCHED && has_waited {
                    state.begun = Some(state.steps);
                }
            }
            Some(term) => {
                state.response.add(score, weight, config.memory);
                // A larger error is that of a score which moves as fast as it can: λ would run away.
                if !state.frozen && term.is_near(error) {
                    let limit = config.weight_limit;
                    let step = term.penalty * error / config.takeover;
                    state.multiplier = (state.multiplier + step).clamp(-limit, limit);
                }
            }
        }
        Some(ControlStep {
            score,
            target,
            error,
            multiplier,
            penalty: term.map_or(0.0, |term| term.penalty),
            weight,
            frozen: state.frozen,
        })
    }
}
