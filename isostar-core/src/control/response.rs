use serde::{Deserialize, Serialize};

/// The weight of the past in the lag of AdamW's first moment.
const MOMENTUM: f64 = 0.9;
/// The weight of the past in the sums of the estimate, about a hundred steps.
const FORGETTING: f64 = 0.99;
/// The weight of the first guess, in squares of the acting weight: that of a hundred steps at 0.17.
const PRIOR: f64 = 3.0;

/// An estimate of how far the score moves per step and unit of the acting weight.
///
/// ```text
///   K̂ = (Σₖ γᵏ xₖyₖ + p·K₀)/(Σₖ γᵏ xₖ² + p)
/// ```
///
/// y is the move of the smoothed score; x is the acting weight behind the lags of the optimizer and
/// of the smoothing; K₀ is the first guess, with the weight p; γ = 0.99.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Response {
    /// The acting weight behind the optimizer's lag, and behind both lags.
    lagged: [f64; 2],
    squares: f64,
    products: f64,
    score: Option<f64>,
}

impl Response {
    /// Takes in a step: the smoothed score after it, and the acting weight of the step. `memory` is
    /// that of the smoothed score.
    pub fn add(&mut self, smoothed: f64, weight: f64, memory: f64) {
        if let Some(before) = self.score.replace(smoothed) {
            let x = self.lagged[1];
            self.squares = FORGETTING * self.squares + x * x;
            self.products = FORGETTING * self.products + x * (smoothed - before);
        }
        let [first, second] = &mut self.lagged;
        *first = MOMENTUM * *first + (1.0 - MOMENTUM) * weight;
        *second = memory * *second + (1.0 - memory) * *first;
    }

    /// K̂, between a fifth and forty times the first guess: the response of a score that is as fast as
    /// it can be, or that noise hides, must not make the weight jump between its limits.
    pub fn estimate(&self, guess: f64) -> f64 {
        let estimate = (self.products + PRIOR * guess) / (self.squares + PRIOR);
        estimate.clamp(guess / 5.0, guess * 40.0)
    }
}
