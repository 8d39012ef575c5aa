//! Spikes: training losses far above the recent ones.

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::choice::choice;

/// Number of recent losses whose median a loss is compared with.
const RECENT: usize = 100;
/// Number of losses before which no loss is a spike.
const LEAST: usize = 20;
/// Number of spikes in a row after which a run stops: leaving out batches no longer helps.
pub(super) const MOST_IN_A_ROW: usize = 10;
/// Number of spikes of a run that are reported if they are only warned of.
pub(super) const MOST_WARNINGS: usize = 20;

choice! {
    /// What a run does when the loss of a batch spikes.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum OnSpike {
        /// Report it. A loss that is not finite ends the run.
        #[default]
        Warn = "warn",
        /// Leave the batch out.
        Skip = "skip",
        /// Return to the weights of the newest snapshot, and leave out the batches since.
        Rollback = "rollback",
        /// Save the state before the batch, and end the run.
        Stop = "stop",
    }
}

/// A spike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::experiment) struct Spike {
    /// Task loss of the batch, or its penalty if that is not finite.
    pub loss: f64,
    /// Median of the recent task losses; `None` before there are enough.
    pub median: Option<f64>,
}

impl fmt::Display for Spike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.median {
            Some(median) if self.loss.is_finite() => {
                write!(
                    f,
                    "the loss is {:.4}, {:.1} times its running median {median:.4}",
                    self.loss,
                    self.loss / median
                )
            }
            _ => write!(f, "the loss is {}", self.loss),
        }
    }
}

/// The recent losses of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::experiment) struct RecentLosses {
    losses: VecDeque<f64>,
    /// Number of spikes since the last loss that was none.
    in_a_row: usize,
    /// Number of spikes of the run.
    count: usize,
}

impl RecentLosses {
    /// Judges the loss of a batch: a spike exceeds `factor` times the median, or is not finite. A
    /// loss that is no spike is added.
    pub fn judge(&mut self, loss: f64, factor: f64) -> Option<Spike> {
        let median = self.median();
        if !loss.is_finite() || median.is_some_and(|median| loss > factor * median) {
            self.in_a_row += 1;
            self.count += 1;
            return Some(Spike { loss, median });
        }
        self.in_a_row = 0;
        self.add(loss);
        None
    }

    /// Adds a loss that the run trains on although it is a spike, so that a lasting rise is reported
    /// only until it is usual.
    pub fn accept(&mut self, loss: f64) {
        if loss.is_finite() {
            self.add(loss);
        }
    }

    /// Number of spikes since the last loss that was none.
    pub fn in_a_row(&self) -> usize {
        self.in_a_row
    }

    /// Number of spikes of the run.
    pub fn count(&self) -> usize {
        self.count
    }

    fn add(&mut self, loss: f64) {
        self.losses.push_back(loss);
        if self.losses.len() > RECENT {
            self.losses.pop_front();
        }
    }

    fn median(&self) -> Option<f64> {
        if self.losses.len() < LEAST {
            return None;
        }
        let mut sorted: Vec<f64> = self.losses.iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        Some(if sorted.len().is_multiple_of(2) {
            (sorted[middle - 1] + sorted[middle]) / 2.0
        } else {
            sorted[middle]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_far_above_the_median_is_a_spike_and_does_not_move_it() {
        let mut recent = RecentLosses::default();
        for step in 0..LEAST {
            assert_eq!(
                recent.judge(if step == 3 { 90.0 } else { 1.0 }, 5.0),
                None,
                "too few losses to judge {step}"
            );
        }
        assert_eq!(recent.judge(5.0, 5.0), None);
        let spike = recent.judge(5.1, 5.0).unwrap();
        assert_eq!((spike.loss, spike.median), (5.1, Some(1.0)));
        assert_eq!(
            spike.to_string(),
            "the loss is 5.1000, 5.1 times its running median 1.0000"
        );
        recent.judge(f64::NAN, 5.0).unwrap();
        assert_eq!((recent.in_a_row(), recent.count()), (2, 2));
        assert_eq!(recent.judge(1.0, 5.0), None);
        assert_eq!((recent.in_a_row(), recent.count()), (0, 2));
    }

    #[test]
    fn a_loss_that_is_not_finite_is_a_spike_from_the_first_step() {
        let spike = RecentLosses::default().judge(f64::INFINITY, 5.0).unwrap();
        assert_eq!(spike.to_string(), "the loss is inf");
    }

    #[test]
    fn a_lasting_rise_becomes_usual() {
        let mut recent = RecentLosses::default();
        (0..RECENT).for_each(|_| recent.accept(1.0));
        let spikes = (0..RECENT)
            .filter(|_| {
                recent.judge(10.0, 5.0).is_some_and(|spike| {
                    recent.accept(spike.loss);
                    true
                })
            })
            .count();
        assert!(spikes <= RECENT / 2 + 1, "{spikes}");
    }
}
