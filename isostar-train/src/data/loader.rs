//! Data loaders for training with burn-train's Learner, for evaluation and for calibration.

mod pass;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Device;
use isostar_core::Padding;

use super::order::{self, Batching};
use super::{BatchSource, Examples};

/// Settings of the order in which a training loader visits its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingOrder {
    /// Rows per batch; one batch of an epoch may have fewer.
    pub batch_size: usize,
    /// How rows are grouped into batches.
    pub batching: Batching,
    /// Seed of the run.
    pub seed: u64,
    /// Epoch of the first pass: 0, or the number of completed epochs when a run is resumed.
    pub first_epoch: usize,
}

impl TrainingOrder {
    /// Fraction of padding positions in the batches of `epoch` (counted from 0), in `[0, 1)`.
    ///
    /// # Arguments
    /// - `lengths`: length of every row, in tokens
    ///
    /// # Panics
    /// If the batch size is 0.
    pub fn padding_share(&self, lengths: &[u32], epoch: usize) -> f64 {
        order::padding_share(
            lengths,
            &order::batches(lengths, self.batch_size, self.batching, self.seed, epoch),
        )
    }
}

/// Data loader that pads batches and moves them to a device.
///
/// A [`training`](Self::training) loader uses the order of epoch `first_epoch + e` in pass *e* (the
/// *e*-th call of [`iter`](burn::data::dataloader::DataLoader::iter), counted from 0). The order
/// depends only on the seed and the epoch, so a resumed run sees the same batches as an
/// uninterrupted one.
///
/// On a device with autodiff, each batch of a training loader also seeds the device's random number
/// generator, which makes dropout reproducible: every combination of seed, epoch and step has its
/// own stream, independent of earlier draws. Without autodiff, the loader does not touch the
/// generator; a [`Hook`](crate::hook::Hook) calibrates from such a copy during a training step.
///
/// An [`evaluation`](Self::evaluation) loader visits rows from the longest to the shortest in every
/// pass.
#[derive(Debug)]
pub struct BatchLoader<S = Examples> {
    examples: Arc<S>,
    /// Rows of this loader: all rows, or those of a slice.
    rows: Arc<[u32]>,
    /// Length of each of these rows, in tokens.
    lengths: Arc<[u32]>,
    /// Number of rows of the unsliced loader that precede this slice.
    rows_before: usize,
    order: Order,
    batch_size: usize,
    device: Device,
}

#[derive(Debug)]
enum Order {
    Training {
        batching: Batching,
        seed: u64,
        next_epoch: AtomicUsize,
        skipped: AtomicUsize,
    },
    Sample {
        what: Sample,
        seed: u64,
        next_epoch: AtomicUsize,
    },
    ByLength,
}

/// What a calibration pass draws.
#[derive(Debug, Clone, Copy)]
enum Sample {
    Rows {
        max_tokens: usize,
        in_random_order: bool,
    },
    Batches {
        batching: Batching,
        max_positions: usize,
    },
}

impl Clone for Order {
    /// The copy continues from the current pass and then counts its passes separately.
    fn clone(&self) -> Self {
        match self {
            Self::Training {
                batching,
                seed,
                next_epoch,
                skipped,
            } => Self::Training {
                batching: *batching,
                seed: *seed,
                next_epoch: next_epoch.load(Ordering::Relaxed).into(),
                skipped: skipped.load(Ordering::Relaxed).into(),
            },
            Self::Sample {
                what,
                seed,
                next_epoch,
            } => Self::Sample {
                what: *what,
                seed: *seed,
                next_epoch: next_epoch.load(Ordering::Relaxed).into(),
            },
            Self::ByLength => Self::ByLength,
        }
    }
}

impl<S: BatchSource> BatchLoader<S> {
    /// Loader over all rows, in a new random order in every pass.
    ///
    /// # Panics
    /// If the batch size is 0.
    pub fn training(examples: Arc<S>, order: TrainingOrder, device: &Device) -> Self {
        let TrainingOrder {
            batch_size,
            batching,
            seed,
            first_epoch,
        } = order;
        Self::over_all(
            examples,
            Order::Training {
                batching,
                seed,
                next_epoch: first_epoch.into(),
                skipped: 0.into(),
            },
            batch_size,
            device,
        )
    }

    /// Returns this loader with the first `batches` batches of its next pass left out: a run that
    /// was stopped within an epoch goes on there, with the rows and the dropout of an uninterrupted
    /// one. Only a training loader leaves batches out.
    pub fn skipping(self, batches: usize) -> Self {
        if let Order::Training { skipped, .. } = &self.order {
            skipped.store(batches, Ordering::Relaxed);
        }
        self
    }

    /// Loader over all rows, from the longest to the shortest in every pass; each batch lists its
    /// row indices.
    ///
    /// # Panics
    /// If the batch size is 0.
    pub fn evaluation(examples: Arc<S>, batch_size: usize, device: &Device) -> Self {
        Self::over_all(examples, Order::ByLength, batch_size, device)
    }

    /// Loader over a random sample of the rows, drawn anew in every pass: pass *e* is the
    /// calibration of epoch `first_epoch + e`.
    ///
    /// The sample represents the hidden states that the penalty sees in training:
    ///
    /// - [`Padding::Mask`]: rows are drawn until their tokens would exceed `limit`, and are visited
    ///   from the longest to the shortest. Their grouping into batches has no effect, because
    ///   padding is masked out.
    /// - [`Padding::Keep`]: whole batches are drawn from the batches that a training loader with
    ///   the same `order` makes in that epoch, as many as fit into `limit` positions. Padding then
    ///   makes up the same fraction of the states as in training.
    ///
    /// At least one row or batch is drawn. The number of hidden states is the number of tokens or
    /// positions times the number of layers: to limit the states, divide their limit by the number
    /// of layers.
    ///
    /// # Panics
    /// If the batch size is 0.
    pub fn calibration(
        examples: Arc<S>,
        order: TrainingOrder,
        padding: Padding,
        limit: usize,
        device: &Device,
    ) -> Self {
        let TrainingOrder {
            batch_size,
            batching,
            seed,
            first_epoch,
        } = order;
        let what = match padding {
            Padding::Mask => Sample::Rows {
                max_tokens: limit,
                in_random_order: false,
            },
            Padding::Keep => Sample::Batches {
                batching,
                max_positions: limit,
            },
        };
        Self::over_all(
            examples,
            Order::Sample {
                what,
                seed,
                next_epoch: first_epoch.into(),
            },
            batch_size,
            device,
        )
    }

    /// The same loader, whose calibration passes visit their batches in random order instead of
    /// starting with the longest rows, so that the first batches represent all of them.
    pub fn in_random_order(mut self) -> Self {
        if let Order::Sample {
            what: Sample::Rows {
                in_random_order, ..
            },
            ..
        } = &mut self.order
        {
            *in_random_order = true;
        }
        self
    }

    /// Returns a copy of this loader that moves its batches to another device.
    pub fn on_device(&self, device: &Device) -> Self {
        Self {
            device: device.clone(),
            ..self.pick(0..self.rows.len())
        }
    }

    /// Tokenized rows that this loader draws from.
    pub fn examples(&self) -> &Arc<S> {
        &self.examples
    }

    /// Number of rows in one pass.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Number of tokens in one pass, without padding.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().map(|length| *length as usize).sum()
    }

    /// Number of batches in one pass.
    pub fn batches(&self) -> usize {
        self.rows.len().div_ceil(self.batch_size)
    }

    fn over_all(examples: Arc<S>, order: Order, batch_size: usize, device: &Device) -> Self {
        assert!(batch_size > 0, "a batch holds at least one row");
        let lengths: Arc<[u32]> = examples.lengths().into();
        let rows = (0..lengths.len() as u32).collect();
        Self {
            examples,
            rows,
            lengths,
            rows_before: 0,
            order,
            batch_size,
            device: device.clone(),
        }
    }

    /// Copy of this loader restricted to the rows at the given positions.
    fn pick(&self, positions: impl Iterator<Item = usize> + Clone) -> Self {
        Self {
            examples: self.examples.clone(),
            rows: positions
                .clone()
                .map(|position| self.rows[position])
                .collect(),
            lengths: positions.map(|position| self.lengths[position]).collect(),
            rows_before: self.rows_before,
            order: self.order.clone(),
            batch_size: self.batch_size,
            device: self.device.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
