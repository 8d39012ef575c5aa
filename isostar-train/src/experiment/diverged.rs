//! What is likely to have made a run diverge, and what to do about it.

use crate::hook::{Divergence, NotFinite};

use super::TrainSettings;

/// A run that diverged, with the settings that may be to blame.
#[derive(Clone, Debug, PartialEq)]
pub struct Diverged {
    /// Where it diverged.
    pub divergence: Divergence,
    /// The peak learning rate.
    pub learning_rate: f64,
    /// λ; 0 without a penalty.
    pub weight: f64,
}

/// The learning rate that is advised at most; those of the published runs are below it.
const USUAL_RATE: f64 = 5e-5;

impl Diverged {
    /// A divergence of a run of these settings.
    pub(super) fn new(divergence: Divergence, settings: &TrainSettings) -> Self {
        Self { divergence, learning_rate: settings.learning_rate, weight: settings.acting_weight() }
    }

    /// What is likely to have caused it, in words.
    pub fn likely_cause(&self) -> String {
        match self.divergence.cause {
            NotFinite::Penalty => format!("the weight of the penalty, {}", self.weight),
            NotFinite::Reference if self.divergence.epoch == 1 => "hidden states of the model that are not finite before training".into(),
            _ => format!("the learning rate, {}", self.learning_rate),
        }
    }

    /// Which setting to change, and how; `flag` writes the name of a setting.
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
