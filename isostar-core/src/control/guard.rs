use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Number of recent task losses whose median is the usual loss.
const RECENT: usize = 100;
/// Number of losses before which the loss is not judged.
const LEAST: usize = 30;
/// The weight of the past in the smoothed loss, about ten steps.
const SMOOTHING: f64 = 0.9;
/// Number of steps over which a move of the score is looked at.
const LAG: usize = 20;
/// The smallest move of the smoothed score that counts.
const MOVED: f64 = 0.01;

/// Compares the task loss with its running median, and the score with that of earlier steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct LossGuard {
    losses: VecDeque<f64>,
    loss: Option<f64>,
    scores: VecDeque<f64>,
}

impl LossGuard {
    /// Takes in a step; returns whether the multiplier is frozen now.
    ///
    /// It freezes when the smoothed loss exceeds (1 + `rise`)·median and the score has moved over the
    /// last [`LAG`] steps. It stays frozen until the smoothed loss has lost half of that rise.
    pub fn is_frozen(&mut self, frozen: bool, loss: f64, score: f64, rise: f64) -> bool {
        let smoothed = self
            .loss
            .map_or(loss, |past| SMOOTHING * past + (1.0 - SMOOTHING) * loss);
        self.loss = Some(smoothed);
        let has_moved = self.scores.len() == LAG
            && self
                .scores
                .front()
                .is_some_and(|past| (score - past).abs() > MOVED);
        push(&mut self.scores, score, LAG);
        let median = self.median();
        // A rise must not become usual while it lasts.
        if !frozen {
            push(&mut self.losses, loss, RECENT);
        }
        median.is_some_and(|median| match frozen {
            true => smoothed > (1.0 + rise / 2.0) * median,
            false => has_moved && smoothed > (1.0 + rise) * median,
        })
    }

    /// The median of the recent losses; `None` before there are enough.
    fn median(&self) -> Option<f64> {
        if self.losses.len() < LEAST {
            return None;
        }
        let mut sorted: Vec<f64> = self.losses.iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Some(sorted[sorted.len() / 2])
    }
}

fn push(numbers: &mut VecDeque<f64>, number: f64, most: usize) {
    numbers.push_back(number);
    if numbers.len() > most {
        numbers.pop_front();
    }
}
