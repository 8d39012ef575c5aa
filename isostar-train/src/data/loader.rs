//! Data loaders for training with burn-train's Learner, for evaluation and for calibration.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use isostar_core::Padding;

use super::order::{self, Batching};
use super::streams::DropoutStreams;
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
        order::padding_share(lengths, &order::batches(lengths, self.batch_size, self.batching, self.seed, epoch))
    }
}

/// Data loader that pads batches and moves them to a device.
///
/// A [`training`](Self::training) loader uses the order of epoch `first_epoch + e` in pass *e* (the
/// *e*-th call of [`iter`](DataLoader::iter), counted from 0). The order depends only on the seed
/// and the epoch, so a resumed run sees the same batches as an uninterrupted one.
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
    Training { batching: Batching, seed: u64, next_epoch: AtomicUsize, skipped: AtomicUsize },
    Sample { what: Sample, seed: u64, next_epoch: AtomicUsize },
    ByLength,
}

/// What a calibration pass draws.
#[derive(Debug, Clone, Copy)]
enum Sample {
    Rows { max_tokens: usize },
    Batches { batching: Batching, max_positions: usize },
}

impl Clone for Order {
    /// The copy continues from the current pass and then counts its passes separately.
    fn clone(&self) -> Self {
        match self {
            Self::Training { batching, seed, next_epoch, skipped } => Self::Training {
                batching: *batching,
                seed: *seed,
                next_epoch: next_epoch.load(Ordering::Relaxed).into(),
                skipped: skipped.load(Ordering::Relaxed).into(),
            },
            Self::Sample { what, seed, next_epoch } => {
                Self::Sample { what: *what, seed: *seed, next_epoch: next_epoch.load(Ordering::Relaxed).into() }
            }
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
        let TrainingOrder { batch_size, batching, seed, first_epoch } = order;
        Self::over_all(examples, Order::Training { batching, seed, next_epoch: first_epoch.into(), skipped: 0.into() }, batch_size, device)
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
    pub fn calibration(examples: Arc<S>, order: TrainingOrder, padding: Padding, limit: usize, device: &Device) -> Self {
        let TrainingOrder { batch_size, batching, seed, first_epoch } = order;
        let what = match padding {
            Padding::Mask => Sample::Rows { max_tokens: limit },
            Padding::Keep => Sample::Batches { batching, max_positions: limit },
        };
        Self::over_all(examples, Order::Sample { what, seed, next_epoch: first_epoch.into() }, batch_size, device)
    }

    /// Returns a copy of this loader that moves its batches to another device.
    pub fn on_device(&self, device: &Device) -> Self {
        Self { device: device.clone(), ..self.pick(0..self.rows.len()) }
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
        Self { examples, rows, lengths, rows_before: 0, order, batch_size, device: device.clone() }
    }

    /// Copy of this loader restricted to the rows at the given positions.
    fn pick(&self, positions: impl Iterator<Item = usize> + Clone) -> Self {
        Self {
            examples: self.examples.clone(),
            rows: positions.clone().map(|position| self.rows[position]).collect(),
            lengths: positions.map(|position| self.lengths[position]).collect(),
            rows_before: self.rows_before,
            order: self.order.clone(),
            batch_size: self.batch_size,
            device: self.device.clone(),
        }
    }

    /// Starts the next pass.
    fn next_pass(&self) -> Pass<'_, S> {
        let mut dropout = None;
        let mut left_out = 0;
        let batches = match &self.order {
            Order::Training { batching, seed, next_epoch, skipped } => {
                let epoch = next_epoch.fetch_add(1, Ordering::Relaxed);
                left_out = skipped.swap(0, Ordering::Relaxed);
                dropout = self.device.is_autodiff().then_some(DropoutStreams { seed: *seed, epoch });
                order::batches(&self.lengths, self.batch_size, *batching, *seed, epoch)
            }
            Order::Sample { what, seed, next_epoch } => {
                let epoch = next_epoch.fetch_add(1, Ordering::Relaxed);
                match *what {
                    Sample::Rows { max_tokens } => self.by_length(&order::sample(&self.lengths, max_tokens, *seed, epoch)),
                    Sample::Batches { batching, max_positions } => {
                        order::sample_batches(&self.lengths, self.batch_size, batching, max_positions, *seed, epoch)
                    }
                }
            }
            Order::ByLength => order::by_length(&self.lengths, self.batch_size),
        };
        let items_processed = batches.iter().take(left_out).map(Vec::len).sum();
        let mut batches = batches.into_iter();
        batches.by_ref().take(left_out).for_each(drop);
        Pass { loader: self, batches, items_processed, dropout }
    }

    /// Batches of a sample, longest rows first; input and output are positions in `self.rows`.
    fn by_length(&self, sample: &[u32]) -> Vec<Vec<u32>> {
        let lengths: Vec<u32> = sample.iter().map(|&position| self.lengths[position as usize]).collect();
        let batches = order::by_length(&lengths, self.batch_size).into_iter();
        batches.map(|batch| batch.into_iter().map(|at| sample[at as usize]).collect()).collect()
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
        Arc::new(Self { rows_before: self.rows_before + start, ..self.pick(start..end) })
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
        let BatchLoader { examples, rows, rows_before, device, .. } = self.loader;
        let positions = self.batches.next()?;
        if let Some(dropout) = self.dropout {
            dropout.start_step(rows_before + self.items_processed, device);
        }
        self.items_processed += positions.len();
        let rows = positions.into_iter().map(|position| rows[position as usize]).collect();
        Some(Ok(examples.batch(rows, device)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.batches.size_hint()
    }
}

impl<S: BatchSource> DataLoaderIterator<S::Batch> for Pass<'_, S> {
    fn progress(&self) -> Progress {
        Progress::new(self.items_processed, self.loader.rows.len(), Some("items".into()))
    }
}

#[cfg(test)]
mod tests {
    use burn::data::dataloader::split::split_dataloader;

    use super::super::{DEFAULT_TOKENIZER, SequenceBatch, TextEncoder, default_rows};
    use super::*;

    const ORDER: TrainingOrder = TrainingOrder { batch_size: 8, batching: Batching::Length, seed: 1, first_epoch: 0 };

    fn examples(count: usize) -> Arc<Examples> {
        let rows = &default_rows().train.rows[..count];
        let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 32).unwrap();
        encoder.encode(rows, (0..count as u32).collect()).unwrap().into()
    }

    fn training(count: usize, first_epoch: usize) -> BatchLoader {
        BatchLoader::training(examples(count), TrainingOrder { first_epoch, ..ORDER }, &Device::default())
    }

    /// Row indices of the batches of one pass.
    fn pass(loader: &dyn DataLoader<SequenceBatch>) -> Vec<Vec<u32>> {
        loader.iter().map(|batch| batch.unwrap().rows).collect()
    }

    fn sorted(batches: &[Vec<u32>]) -> Vec<u32> {
        let mut rows = batches.concat();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn a_resumed_run_sees_the_batches_of_an_uninterrupted_one() {
        let whole = training(50, 0);
        let epochs: Vec<_> = (0..4).map(|_| pass(&whole)).collect();
        let resumed = training(50, 2);
        assert_eq!(pass(&resumed), epochs[2]);
        assert_eq!(pass(&resumed), epochs[3]);
        assert_ne!(epochs[2], epochs[3]);
    }

    #[test]
    fn a_pass_that_begins_within_an_epoch_gives_the_remaining_batches_and_the_next_all() {
        let whole = training(50, 0);
        let (first, second) = (pass(&whole), pass(&whole));
        let resumed = training(50, 0).skipping(3);
        let iterator = resumed.iter();
        assert_eq!(iterator.progress().items_processed, first[..3].concat().len());
        drop(iterator);
        let resumed = training(50, 0).skipping(3);
        assert_eq!(pass(&resumed), first[3..]);
        assert_eq!(pass(&resumed), second);
        assert!(pass(&training(50, 0).skipping(first.len())).is_empty());
    }

    #[test]
    fn progress_counts_rows() {
        let loader = training(20, 0);
        assert_eq!((loader.num_items(), loader.batches()), (20, 3));
        let mut pass = loader.iter();
        let mut seen = 0;
        while let Some(batch) = pass.next() {
            let batch = batch.unwrap();
            seen += batch.len();
            assert_eq!(batch.input.ids.dims()[0], batch.len());
            assert_eq!((pass.progress().items_processed, pass.progress().items_total), (seen, 20));
        }
        assert!(pass.progress().is_completed());
    }

    #[test]
    fn evaluation_visits_every_row_in_the_same_order_each_pass() {
        let loader = BatchLoader::evaluation(examples(50), 8, &Device::default());
        let first = pass(&loader);
        assert_eq!(sorted(&first), (0..50).collect::<Vec<u32>>());
        assert_eq!(pass(&loader), first);
        let lengths = loader.examples().lengths();
        assert!(first.concat().is_sorted_by_key(|row| std::cmp::Reverse(lengths[*row as usize])));
    }

    #[test]
    fn labels_and_tokens_stay_with_their_row() {
        let loader = training(50, 0);
        for batch in loader.iter() {
            let batch = batch.unwrap();
            let labels: Vec<u32> = batch.targets.classes().into_data().iter::<u32>().collect();
            assert_eq!(labels, batch.rows, "in this test, labels equal row indices");
            let tokens: Vec<usize> = batch.input.mask.int().sum_dim(1).into_data().iter::<i64>().map(|count| count as usize).collect();
            let expected: Vec<usize> = batch.rows.iter().map(|row| loader.examples().ids(*row).len()).collect();
            assert_eq!(tokens, expected);
        }
    }

    #[test]
    fn slices_partition_the_rows_and_follow_the_order_of_their_epoch() {
        let device = Device::default();
        let loader: Arc<dyn DataLoader<SequenceBatch>> = Arc::new(training(51, 3));
        let shares = split_dataloader(loader, &[device.clone(), device]);
        let rows: Vec<Vec<u32>> = shares.iter().map(|share| sorted(&pass(share.as_ref()))).collect();
        assert_eq!(rows, [(0..25).collect::<Vec<u32>>(), (25..51).collect()]);
        let first = order::batches(&examples(25).lengths(), 8, Batching::Length, 1, 4);
        assert_eq!(pass(shares[0].as_ref()), first, "the second pass of a slice is epoch 3 + 1");
    }

    #[test]
    fn calibration_respects_its_limit_and_changes_with_the_epoch() {
        let calibration = |first_epoch| {
            BatchLoader::calibration(examples(200), TrainingOrder { first_epoch, ..ORDER }, Padding::Mask, 500, &Device::default())
        };
        let loader = calibration(0);
        let (first, second) = (pass(&loader), pass(&loader));
        let tokens: u32 = first.concat().iter().map(|&row| loader.lengths[row as usize]).sum();
        assert!((500 - 32..=500).contains(&tokens), "{tokens}");
        assert!(first.iter().all(|batch| batch.len() <= 8));
        assert_ne!(sorted(&first), sorted(&second));
        assert_eq!(pass(&calibration(1)), second, "a resumed run draws the sample of an uninterrupted one");
    }

    #[test]
    fn calibration_with_padding_has_the_padding_of_training_batches() {
        for batching in [Batching::Length, Batching::Random] {
            let order = TrainingOrder { batching, ..ORDER };
            let loader = BatchLoader::calibration(examples(400), order, Padding::Keep, 3_000, &Device::default());
            for epoch in 0..3 {
                let training = order.padding_share(&loader.lengths, epoch);
                let sample = pass(&loader);
                assert!(sample.iter().all(|batch| batch.len() == 8), "every batch is full");
                let share = order::padding_share(&loader.lengths, &sample);
                assert!(
                    (share - training).abs() < 0.02,
                    "{batching:?}: padding is {share} of the sample and {training} of the training batches"
                );
            }
        }
    }
}
