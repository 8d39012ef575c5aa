//! One pass over a loader: its batches, in their order.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;

use super::{BatchLoader, Order, Sample};
use crate::data::BatchSource;
use crate::data::order;
use crate::data::streams::DropoutStreams;

impl<S: BatchSource> BatchLoader<S> {
    /// Starts the next pass.
    fn next_pass(&self) -> Pass<'_, S> {
        let mut dropout = None;
        let mut left_out = 0;
        let batches = match &self.order {
            Order::Training {
                batching,
                seed,
                next_epoch,
                skipped,
            } => {
                let epoch = next_epoch.fetch_add(1, Ordering::Relaxed);
                left_out = skipped.swap(0, Ordering::Relaxed);
                dropout = self
                    .device
                    .is_autodiff()
                    .then_some(DropoutStreams { seed: *seed, epoch });
                order::batches(&self.lengths, self.batch_size, *batching, *seed, epoch)
            }
            Order::Sample {
                what,
                seed,
                next_epoch,
            } => {
                let epoch = next_epoch.fetch_add(1, Ordering::Relaxed);
                match *what {
                    Sample::Rows {
                        max_tokens,
                        in_random_order,
                    } => {
                        let mut batches =
                            self.by_length(&order::sample(&self.lengths, max_tokens, *seed, epoch));
                        if in_random_order {
                            order::shuffle_batches(&mut batches, *seed, epoch);
                        }
                        batches
                    }
                    Sample::Batches {
                        batching,
                        max_positions,
                    } => order::sample_batches(
                        &self.lengths,
                        self.batch_size,
                        batching,
                        max_positions,
                        *seed,
                        epoch,
                    ),
                }
            }
            Order::ByLength => order::by_length(&self.lengths, self.batch_size),
        };
        let items_processed = batches.iter().take(left_out).map(Vec::len).sum();
        let mut batches = batches.into_iter();
        batches.by_ref().take(left_out).for_each(drop);
        Pass {
            loader: self,
            batches,
            items_processed,
            dropout,
        }
    }

    /// Batches of a sample, longest rows first; input and output are positions in `self.rows`.
    fn by_length(&self, sample: &[u32]) -> Vec<Vec<u32>> {
        let lengths: Vec<u32> = sample
            .iter()
            .map(|&position| self.lengths[position as usize])
            .collect();
        let batches = order::by_length(&lengths, self.batch_size).into_iter();
        batches
            .map(|batch| batch.into_iter().map(|at| sample[at as usize]).collect())
            .collect()
    }
}

impl<S: BatchSource> DataLoader<S::Batch> for BatchLoader<S> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<S::Batch> + 'a> {
        Box::new(self.next_pass())
    }

    fn num_items(&self) -> usize {
        self.rows.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<S::Batch>> {
        Arc::new(self.on_device(device))
    }

    /// Loader over the rows `start..end`, with its own order: the share of one of several devices.
    ///
    /// Slices with different numbers of rows may have different numbers of batches. Strategies that
    /// synchronize all devices at every step fail in that case; use a number of rows that is
    /// divisible by the number of devices. If a backend has one generator for all of its devices,
    /// as flex does, slices that train concurrently share it, and their dropout depends on the
    /// scheduling.
    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<S::Batch>> {
        Arc::new(Self {
            rows_before: self.rows_before + start,
            ..self.pick(start..end)
        })
    }
}

/// One pass over a loader; batches are made lazily.
struct Pass<'a, S> {
    loader: &'a BatchLoader<S>,
    /// Positions in the rows of the loader.
    batches: std::vec::IntoIter<Vec<u32>>,
    items_processed: usize,
    /// `None` if the pass is not for training.
    dropout: Option<DropoutStreams>,
}

impl<S: BatchSource> Iterator for Pass<'_, S> {
    type Item = Result<S::Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let BatchLoader {
            examples,
            rows,
            rows_before,
            device,
            ..
        } = self.loader;
        let positions = self.batches.next()?;
        if let Some(dropout) = self.dropout {
            dropout.start_step(rows_before + self.items_processed, device);
        }
        self.items_processed += positions.len();
        let rows = positions
            .into_iter()
            .map(|position| rows[position as usize])
            .collect();
        Some(Ok(examples.batch(rows, device)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.batches.size_hint()
    }
}

impl<S: BatchSource> DataLoaderIterator<S::Batch> for Pass<'_, S> {
    fn progress(&self) -> Progress {
        Progress::new(
            self.items_processed,
            self.loader.rows.len(),
            Some("items".into()),
        )
    }
}
