//! The likely cause of a divergence, and how to avoid it.

use crate::hook::{Divergence, NotFinite};

use super::TrainSettings;

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

/// The largest learning rate suggested; the published runs use lower ones.
const USUAL_RATE: f64 = 5e-5;

impl Diverged {
    /// Creates the description of a divergence in a run with these settings.
    pub(super) fn new(divergence: Divergence, settings: &TrainSettings) -> Self {
        Self { divergence, learning_rate: settings.learning_rate, weight: settings.acting_weight() }
    }

    /// Describes the likely cause.
    pub fn likely_cause(&self) -> String {
        match self.divergence.cause {
            NotFinite::Penalty => format!("the penalty weight, {}", self.weight),
            NotFinite::Reference if self.divergence.epoch == 1 => "a model whose hidden states are not finite before training".into(),
            _ => format!("the learning rate, {}", self.learning_rate),
        }
    }

    /// Suggests settings to change. `flag` formats the name of a setting.
    pub fn advice(&self, flag: impl Fn(&str) -> String) -> String {
        let rate = || format!("a lower {}, such as {:e}", flag("learning_rate"), (self.learning_rate / 10.0).min(USUAL_RATE));
        let weight = || format!("a {} nearer to 0, such as {}", flag("weight"), self.weight / 10.0);
        match self.divergence.cause {
            NotFinite::Penalty => weight(),
            NotFinite::Reference if self.divergence.epoch == 1 => format!("another {}", flag("model")),
            _ if self.weight == 0.0 => rate(),
            _ => format!("{}; if it diverges again, {}", rate(), weight()),
        }
    }
}
