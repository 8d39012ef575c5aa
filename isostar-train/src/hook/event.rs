//! What a hook reports while a training runs.

use isostar_core::{HeldStep, StepNumbers};

use super::Divergence;

/// Event that a hook reports to its observer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum HookEvent {
    /// Calibration begins; it uses at most `limit` states.
    CalibrationStarted {
        /// Number of epochs that this training has begun, including this one.
        epoch: usize,
        /// Maximum number of states.
        limit: usize,
    },
    /// A calibration batch has been merged.
    CalibrationProgress {
        /// Number of epochs that this training has begun, including this one.
        epoch: usize,
        /// Number of states merged so far.
        states: usize,
    },
    /// The reference has been estimated.
    CalibrationFinished {
        /// Number of epochs that this training has begun, including this one.
        epoch: usize,
        /// Total number of states merged.
        states: usize,
        /// Share of padding among the states, in `[0, 1)`; `None` if padding is excluded or the
        /// states have no mask.
        padding: Option<f64>,
        /// IsoScore of the states; `None` if no direction has variance.
        isoscore: Option<f64>,
        /// Relative change of the covariance over the last doubling of the states, if it was below
        /// the tolerance and ended the calibration.
        settled: Option<f64>,
        /// Duration of the calibration.
        seconds: f64,
    },
    /// Calibration failed. The training ends without a further step.
    CalibrationFailed {
        /// Number of epochs that this training has begun, including this one.
        epoch: usize,
        /// Reason, in one line.
        reason: String,
    },
    /// The regularizer's measure of a batch fell below its threshold: the states lie nearly on a
    /// line. Reported once per training, for a batch with enough states for its measure to be
    /// reliable.
    Collapsed {
        /// Measure of the batch; it may be NaN.
        score: f64,
        /// Threshold of the regularizer.
        threshold: f64,
    },
    /// A step has ended whose penalty has [details](isostar_core::Penalty::details). Reported when
    /// the next step begins, or when the state is read.
    StepEnded {
        /// Numbers of the step.
        numbers: StepNumbers,
        /// Scores that are held at a target.
        held: Vec<HeldStep>,
    },
    /// A [monitor](super::Hook::monitor) measures nothing, because each step is that of several
    /// devices. Reported once per training.
    NotMonitored,
    /// A number of the training is not finite, so the training stops.
    Diverged(Divergence),
}

pub(super) type Observer = Box<dyn Fn(&HookEvent) + Send + Sync>;

impl HookEvent {
    /// Logs the event, for a hook without an observer.
    pub(super) fn log(&self) {
        match self {
            Self::Collapsed { score, threshold } => tracing::warn!(
                "the states have collapsed: a batch scores {score:.4}, under {threshold}; a weight nearer to 0 may help"
            ),
            Self::CalibrationFinished {
                epoch,
                states,
                seconds,
                ..
            } => tracing::info!(
                "reference of epoch {epoch} estimated from {states} states in {seconds:.1} s"
            ),
            Self::StepEnded { held, .. } => {
                for held in held.iter().filter(|held| held.is_turn) {
                    tracing::warn!("{held}");
                }
            }
            Self::CalibrationFailed { reason, .. } => tracing::error!("{reason}"),
            Self::Diverged(divergence) => {
                tracing::error!("the training diverged and stops: {divergence}")
            }
            Self::NotMonitored => tracing::warn!(
                "the geometry is not measured: the steps are those of several devices, and a monitor measures those of one"
            ),
            Self::CalibrationStarted { .. } | Self::CalibrationProgress { .. } => {}
        }
    }
}
