//! The numbers of the last steps, and the first of them that is not finite.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, OnceLock};

use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::{Penalty, StepNumbers};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::lock::lock;

/// Number of recent finite values that a [`Divergence`] holds.
const REMEMBERED: usize = 5;

/// Maximum number of rows named in a message; a [`Divergence`] holds all of them.
const NAMED_ROWS: usize = 8;

/// First quantity that was not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotFinite {
    /// Task loss of a training batch.
    TaskLoss,
    /// Penalty of a training batch whose task loss was finite.
    Penalty,
    /// Reference covariance, before the first step that uses it.
    Reference,
    /// Parameter of the model, after the last step of an epoch.
    Parameters,
    /// Task loss of the validation rows, after the last epoch.
    ValidationLoss,
}

/// Where and why a training diverged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Error)]
pub struct Divergence {
    /// Quantity that was not finite.
    pub cause: NotFinite,
    /// Epoch, from 1. A [`Hook`](super::Hook) counts the epochs that this training has begun; a run
    /// also counts the epochs before it was resumed.
    pub epoch: usize,
    /// Step (batch) of the epoch, from 1; `None` if the divergence was found outside of a step.
    pub step: Option<usize>,
    /// Rows of the batch, as returned by [`HiddenStateModel::rows`](super::HiddenStateModel::rows).
    #[serde(default)]
    pub rows: Vec<u32>,
    /// Last finite task losses, oldest first; at most five.
    #[serde(default)]
    pub task_losses: Vec<f64>,
    /// Last finite penalties, including the weight, oldest first; at most five.
    #[serde(default)]
    pub penalties: Vec<f64>,
}

impl Divergence {
    /// Returns a divergence found outside of a step, without earlier losses and penalties.
    #[cfg(feature = "experiment")]
    pub(crate) fn after_epoch(cause: NotFinite, epoch: usize) -> Self {
        Self {
            cause,
            epoch,
            step: None,
            rows: Vec::new(),
            task_losses: Vec::new(),
            penalties: Vec::new(),
        }
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = self.epoch;
        let step = self
            .step
            .map_or(String::new(), |step| format!("step {step} of "));
        match self.cause {
            NotFinite::TaskLoss => write!(f, "the task loss is not finite in {step}epoch {epoch}")?,
            NotFinite::Penalty => write!(f, "the penalty is not finite in {step}epoch {epoch}")?,
            NotFinite::Reference => write!(f, "the reference of epoch {epoch} is not finite")?,
            NotFinite::Parameters => write!(
                f,
                "parameters of the model are not finite after {step}epoch {epoch}"
            )?,
            NotFinite::ValidationLoss => {
                write!(f, "the validation loss is not finite after epoch {epoch}")?
            }
        }
        if !self.rows.is_empty() {
            let named: Vec<String> = self
                .rows
                .iter()
                .take(NAMED_ROWS)
                .map(u32::to_string)
                .collect();
            let more = self.rows.len().saturating_sub(NAMED_ROWS);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let rows = if self.rows.len() == 1 { "row" } else { "rows" };
            write!(f, ", {rows} {}{more}", named.join(", "))?;
        }
        let (name, numbers) = match self.cause {
            NotFinite::Penalty => ("penalties", &self.penalties),
            _ => ("task losses", &self.task_losses),
        };
        if !numbers.is_empty() {
            let numbers: Vec<String> = numbers.iter().map(|number| short(*number)).collect();
            write!(f, "; the last finite {name}: {}", numbers.join(", "))?;
        }
        Ok(())
    }
}

/// Formats a number with four decimals, or with four digits and an exponent.
fn short(number: f64) -> String {
    if number == 0.0 || (1e-3..1e5).contains(&number.abs()) {
        format!("{number:.4}")
    } else {
        format!("{number:.3e}")
    }
}

/// Numbers of one training, shared by the tap and all clones of the wrapped model.
#[derive(Default)]
pub(super) struct Guard {
    pub(super) watch: Mutex<Watch>,
    pub(super) divergence: OnceLock<Divergence>,
}

#[derive(Default)]
pub(super) struct Watch {
    pub epoch: usize,
    pub step: usize,
    unread: VecDeque<Unread>,
    task_losses: VecDeque<f64>,
    penalties: VecDeque<f64>,
    /// Whether parameters may have changed since they were last checked.
    pub trained: bool,
}

/// Numbers of a step that have not been checked.
struct Unread {
    /// Number of steps of the training before it.
    before: u64,
    epoch: usize,
    step: usize,
    rows: Vec<u32>,
    numbers: Numbers,
    /// Names of the penalty's details.
    names: Vec<String>,
}

impl Unread {
    /// The numbers for the regularizer.
    fn step_numbers(&self, numbers: &[f64]) -> StepNumbers {
        let details = numbers.iter().skip(2).copied();
        StepNumbers {
            step: self.before,
            task_loss: numbers[0],
            details: self.names.iter().cloned().zip(details).collect(),
        }
    }
}

/// Task loss and, with a regularizer, the penalty of a step and its details.
#[expect(clippy::large_enum_variant, reason = "a few steps wait at a time")]
enum Numbers {
    /// On the device.
    There(Tensor<1>),
    /// The training loop reads them with its own numbers, see [`Watch::defer`].
    Deferred,
    /// Read.
    Here(Vec<f64>),
}

impl Watch {
    /// Forgets the last step.
    pub(super) fn discard(&mut self) {
        self.unread.pop_back();
    }

    /// Leaves the numbers of the last step to the training loop: until it passes them to
    /// [`accept`](Self::accept), neither this step nor a later one is checked.
    #[cfg(feature = "experiment")]
    pub(super) fn defer(&mut self) {
        if let Some(last) = self.unread.back_mut() {
            last.numbers = Numbers::Deferred;
        }
    }

    /// Takes the numbers of the first deferred step.
    #[cfg(feature = "experiment")]
    pub(super) fn accept(&mut self, numbers: Vec<f64>) {
        let is_deferred = |unread: &&mut Unread| matches!(unread.numbers, Numbers::Deferred);
        if let Some(first) = self.unread.iter_mut().find(is_deferred) {
            first.numbers = Numbers::Here(numbers);
        }
    }

    pub fn divergence(
        &self,
        cause: NotFinite,
        epoch: usize,
        step: Option<usize>,
        rows: Vec<u32>,
    ) -> Divergence {
        let list = |numbers: &VecDeque<f64>| numbers.iter().copied().collect();
        Divergence {
            cause,
            epoch,
            step,
            rows,
            task_losses: list(&self.task_losses),
            penalties: list(&self.penalties),
        }
    }

    /// Reads all unread numbers, up to the first that is deferred or not finite. Returns those of the
    /// finite steps, and the divergence.
    pub fn read(&mut self) -> (Vec<StepNumbers>, Option<Divergence>) {
        let mut steps = Vec::new();
        while let Some(mut unread) = self
            .unread
            .pop_front_if(|unread| !matches!(unread.numbers, Numbers::Deferred))
        {
            let numbers = match std::mem::replace(&mut unread.numbers, Numbers::Deferred) {
                // If the device cannot be read, the metrics report it.
                Numbers::There(numbers) => numbers.try_into_vec_as::<f64>().unwrap_or_default(),
                Numbers::Here(numbers) => numbers,
                Numbers::Deferred => unreachable!("deferred numbers stay"),
            };
            let cause = match numbers[..] {
                [task_loss, ..] if !task_loss.is_finite() => NotFinite::TaskLoss,
                [_, penalty, ..] if !penalty.is_finite() => NotFinite::Penalty,
                _ => {
                    remember(&mut self.task_losses, numbers.first());
                    remember(&mut self.penalties, numbers.get(1));
                    if !numbers.is_empty() {
                        steps.push(unread.step_numbers(&numbers));
                    }
                    continue;
                }
            };
            let Unread {
                epoch, step, rows, ..
            } = unread;
            self.unread.clear();
            return (steps, Some(self.divergence(cause, epoch, Some(step), rows)));
        }
        (steps, None)
    }
}

fn remember(numbers: &mut VecDeque<f64>, number: Option<&f64>) {
    numbers.extend(number);
    if numbers.len() > REMEMBERED {
        numbers.pop_front();
    }
}

impl Guard {
    /// Number of steps in `epoch`, and the last finite task losses and penalties.
    pub(super) fn numbers(&self, epoch: usize) -> (usize, Vec<f64>, Vec<f64>) {
        let watch = lock(&self.watch);
        let step = if watch.epoch == epoch { watch.step } else { 0 };
        (
            step,
            watch.task_losses.iter().copied().collect(),
            watch.penalties.iter().copied().collect(),
        )
    }

    /// Continues after `step` steps of the first epoch of this training.
    pub(super) fn restore(&self, step: usize, task_losses: Vec<f64>, penalties: Vec<f64>) {
        let mut watch = lock(&self.watch);
        (watch.epoch, watch.step, watch.trained) = (1, step, step > 0);
        (watch.task_losses, watch.penalties) = (task_losses.into(), penalties.into());
    }

    /// Keeps the numbers of a training step until the next one begins. `before` is the number of
    /// steps of the training before it.
    pub(super) fn keep(
        &self,
        before: u64,
        epoch: usize,
        rows: Vec<u32>,
        task_loss: &Tensor<1>,
        penalty: Option<&Penalty>,
    ) {
        // Half precision would round the numbers that the regularizer learns from.
        let dtype = match task_loss.dtype() {
            DType::F64 => DType::F64,
            _ => DType::F32,
        };
        let of_penalty = penalty.into_iter().flat_map(|penalty| {
            let details = penalty.details.iter().map(|detail| &detail.value);
            std::iter::once(&penalty.value).chain(details)
        });
        let parts = std::iter::once(task_loss)
            .chain(of_penalty)
            .map(|part| part.clone().without_autodiff().cast(dtype));
        let numbers = Tensor::cat(parts.collect(), 0);
        let details = penalty.map_or(&[][..], |penalty| &penalty.details);
        let names = details.iter().map(|detail| detail.name.clone()).collect();
        let mut watch = lock(&self.watch);
        if watch.epoch != epoch {
            (watch.epoch, watch.step) = (epoch, 0);
        }
        watch.step += 1;
        watch.trained = true;
        let step = watch.step;
        watch.unread.push_back(Unread {
            before,
            epoch,
            step,
            rows,
            numbers: Numbers::There(numbers),
            names,
        });
    }
}

#[cfg(all(test, feature = "experiment"))]
mod tests {
    use super::*;

    fn keep(guard: &Guard, loss: f32) {
        let loss = Tensor::<1>::from_floats([loss], &Device::default());
        guard.keep(0, 1, vec![7, 8], &loss, None);
    }

    #[test]
    fn a_deferred_step_is_checked_once_its_numbers_come_and_later_steps_wait_for_it() {
        let guard = Guard::default();
        let found = || lock(&guard.watch).read().1;
        keep(&guard, 1.0);
        keep(&guard, 2.0);
        lock(&guard.watch).defer();
        keep(&guard, f32::NAN);
        assert_eq!(found(), None, "step 3 waits for step 2");
        assert_eq!(guard.numbers(1), (3, vec![1.0], vec![]));

        lock(&guard.watch).accept(vec![2.0]);
        let divergence = found().unwrap();
        assert_eq!(
            (divergence.step, divergence.task_losses),
            (Some(3), vec![1.0, 2.0])
        );
        assert_eq!(found(), None);

        keep(&guard, 1.0);
        lock(&guard.watch).defer();
        lock(&guard.watch).discard();
        lock(&guard.watch).accept(vec![f64::NAN]);
        assert_eq!(found(), None, "the step was left out");
        keep(&guard, 1.0);
        lock(&guard.watch).defer();
        lock(&guard.watch).accept(vec![1.0, f64::INFINITY]);
        assert_eq!(found().map(|found| found.cause), Some(NotFinite::Penalty));
    }
}
