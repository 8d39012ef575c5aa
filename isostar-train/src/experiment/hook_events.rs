//! What a hook reports, for the observer of a run.

use std::sync::Arc;

use burn::train::Interrupter;
use isostar_core::Padding;

use super::Observer;
use super::step_log::{ControlLine, StepLog};
use super::training::Stopwatch;
use crate::hook::HookEvent;
use crate::progress::Phase;

/// Passes the events of a hook on to the observer of a run.
pub(super) struct HookEvents<F> {
    pub observer: Arc<dyn Observer>,
    /// Receives the duration of each calibration.
    pub stopwatch: Arc<Stopwatch>,
    /// Ends a calibration if the observer asks to stop.
    pub interrupter: Interrupter,
    /// Receives the steps of a regularizer that adapts; `None` for a replay.
    pub log: Option<StepLog>,
    /// The number of epochs before this training.
    pub done: usize,
    /// Whether the hidden states of padding count.
    pub padding: Padding,
    /// The share of padding in the training batches of an epoch, counted from 0.
    pub training_padding: F,
}

impl<F: Fn(usize) -> f64> HookEvents<F> {
    pub fn tell(&self, event: &HookEvent) {
        if self.observer.stop().is_some() {
            self.interrupter.stop(None);
        }
        let phase = |epoch: &usize| Phase::Calibration {
            epoch: self.done + epoch,
        };
        match event {
            HookEvent::CalibrationStarted { epoch, limit } => {
                self.observer.begin(phase(epoch), *limit)
            }
            HookEvent::CalibrationProgress { epoch, states } => {
                self.observer.advance(&phase(epoch), *states)
            }
            HookEvent::CalibrationFinished {
                epoch,
                states,
                padding,
                isoscore,
                settled,
                seconds,
            } => {
                self.observer.end(&phase(epoch));
                self.stopwatch.calibrated(*seconds);
                let score = isoscore.map_or("none".into(), |score| format!("{score:.4}"));
                let share = padding.map_or(String::new(), |share| {
                    let training = 100.0 * (self.training_padding)(self.done + epoch - 1);
                    format!(
                        ", {:.1}% padding (training batches: {training:.1}%)",
                        100.0 * share
                    )
                });
                let settled = settled.map_or(String::new(), |change| {
                    format!(
                        ", settled: the second half of them changed the covariance by {:.1}%",
                        100.0 * change
                    )
                });
                self.observer.note(&format!("reference from {states} states{share}{settled} in {seconds:.1} s, IsoScore {score}"));
            }
            HookEvent::CalibrationFailed { epoch, .. } => self.observer.end(&phase(epoch)),
            HookEvent::Collapsed { score, .. } if score.is_nan() => self
                .observer
                .note("the states have collapsed: the score of a batch is not a number"),
            HookEvent::Collapsed { score, threshold } => {
                let published = match self.padding {
                    Padding::Mask => {
                        "; the published weights belong to states that include padding"
                    }
                    Padding::Keep => "",
                };
                self.observer.note(&format!(
                    "the states have collapsed: a batch scores {score:.4}, below {threshold}; choose a weight nearer to 0{published}"
                ));
            }
            HookEvent::StepEnded { numbers, held } => {
                for held in held.iter().filter(|held| held.is_turn) {
                    self.observer.note(&held.to_string());
                }
                if let Some(log) = &self.log {
                    log.add(&ControlLine::new(numbers, held), self.observer.as_ref());
                }
            }
            // A run with a monitor has no such steps.
            HookEvent::NotMonitored => {}
            // The error of the run contains all details.
            HookEvent::Diverged(_) => {}
        }
    }
}
