//! The workers of a step, and where each one's sequences lie in its batch.

use std::cmp::Ordering;

use burn::prelude::*;

/// What tells a worker of a step from the others.
#[derive(Clone)]
pub(in super::super) struct Worker {
    pub(super) seat: usize,
    /// Indices of its rows, if the model says them.
    pub(super) rows: Vec<u32>,
    /// Its task loss without gradient. Shape `[1]`.
    pub(super) task_loss: Tensor<1>,
}

/// What a worker has of the batch of a step.
#[derive(Clone, Copy)]
pub(in super::super) struct Size {
    pub sequences: usize,
    /// Number of tokens to which they are padded.
    pub tokens: usize,
}

/// Where the sequences of a worker lie in the batch of a step.
#[derive(Clone, Copy)]
pub(in super::super) struct Place {
    /// Number of sequences before them.
    pub first: usize,
    /// Size of the whole.
    pub whole: Size,
}

impl Worker {
    /// The worker on this seat.
    pub(super) fn new(seat: usize, rows: &[u32], task_loss: &Tensor<1>) -> Self {
        Self {
            seat,
            rows: rows.to_vec(),
            task_loss: task_loss.clone().without_autodiff(),
        }
    }

    /// By device, rows and task loss: workers on one device are told apart by their batches.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let device = |worker: &Self| format!("{:?}", worker.task_loss.device());
        let loss = |worker: &Self| {
            let loss = worker.task_loss.clone().try_into_scalar::<f64>();
            loss.unwrap_or(f64::NAN)
        };
        device(self)
            .cmp(&device(other))
            .then_with(|| self.rows.cmp(&other.rows))
            .then_with(|| loss(self).total_cmp(&loss(other)))
    }
}

impl Place {
    /// The place of the worker on this seat among all.
    pub(super) fn of(seat: usize, all: &[(Worker, Size)]) -> Self {
        let mut all: Vec<&(Worker, Size)> = all.iter().collect();
        all.sort_by(|(one, _), (other, _)| one.order(other));
        let before = all.iter().take_while(|(worker, _)| worker.seat != seat);
        Self {
            first: before.map(|(_, size)| size.sequences).sum(),
            whole: Size {
                sequences: all.iter().map(|(_, size)| size.sequences).sum(),
                tokens: all.iter().map(|(_, size)| size.tokens).max().unwrap_or(0),
            },
        }
    }
}
