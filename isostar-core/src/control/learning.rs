use serde::{Deserialize, Serialize};

/// The weight of the past in the smoothed loss, about ten steps.
const SMOOTHING: f64 = 0.9;
/// The fall of the smoothed loss below the first losses that counts as learning.
const FALL: f64 = 0.05;

/// Tells whether the task loss has begun to fall.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Learning {
    /// Number of first losses, and their sum.
    first: usize,
    sum: f64,
    smoothed: f64,
    pub has_begun: bool,
}

impl Learning {
    /// Takes in a task loss. The first `untouched` ones are those that the others are compared with.
    pub fn add(&mut self, loss: f64, untouched: usize) {
        if self.first < untouched {
            self.first += 1;
            self.sum += loss;
            self.smoothed = self.sum / self.first as f64;
            return;
        }
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * loss;
        let first = self.sum / self.first as f64;
        self.has_begun |= self.smoothed < first - FALL * first.abs();
    }
}
