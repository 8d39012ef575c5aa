//! The likely cause of a divergence.

use crate::hook::{Divergence, NotFinite};

/// A divergence with the settings that may have caused it.
#[derive(Clone, Debug, PartialEq)]
pub struct Diverged {
    /// The step and the cause.
    pub divergence: Divergence,
    /// The peak learning rate.
    pub learning_rate: f64,
    /// The penalty weight λ; 0 without a penalty.
    pub weight: f64,
}

impl Diverged {
    /// Describes the likely cause.
    pub fn likely_cause(&self) -> String {
        match self.divergence.cause {
            NotFinite::Penalty => format!("the penalty weight, {}", self.weight),
            NotFinite::Reference if self.divergence.epoch == 1 => {
                "a model whose hidden states are not finite before training".into()
            }
            _ => format!("the learning rate, {}", self.learning_rate),
        }
    }
}
