//! Batches for burn-train's Learner, for evaluation and for calibration.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use isostar_core::Padding;

use super::order::{self, Batching};
use super::streams::DropoutStreams;
use super::{BatchSource, Examples};

/// How a training loader orders its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingOrder {
    /// Rows of a batch; the last one to be cut may have fewer.
    pub batch_size: usize,
    /// How rows are cut into batches.
    pub batching: Batching,
    /// The seed of the run.
    pub seed: u64,
    /// The epoch of the first pass: 0, or how many epochs a resumed run has done.
    pub first_epoch: usize,
}

impl TrainingOrder {
    /// The share of padding among the positions of the batches of `epoch`, counted from 0. In `[0, 1)`.
    ///
    /// # Arguments
    /// - `lengths`: of every row, in tokens
    ///
    /// # Panics
    /// If the batch size is 0.
    pub fn padding_share(&self, lengths: &[u32], epoch: usize) -> f64 {
        order::padding_share(lengths, &order::batches(lengths, self.batch_size, self.batching, self.seed, epoch))
    }
}

/// Pads and moves one batch after the other to a device.
///
/// Made by [`training`](Self::training), pass *e* over the loader (the *e*-th call of [`iter`](DataLoader::iter), from 0) has the order of
/// epoch `first_epoch + e`, which depends on the seed and the epoch alone: a resumed run sees the batches that an uninterrupted one would.
///
/// On a device with autodiff, each batch of a training loader seeds the device's generator, so that dropout repeats as well: every seed, epoch and step
/// has a stream of its own, whatever was drawn before. Without autodiff the loader leaves the generator alone; such a copy is what a
/// [`Hook`](crate::hook::Hook) calibrates from in the middle of a step.
///
/// Made by [`evaluation`](Self::evaluation), every pass goes from the longest row to the shortest.
#[derive(Debug)]
pub struct BatchLoader<S = Examples> {
    examples: Arc<S>,
    /// The rows of this loader, and the length of each: all of them, a slice or a sample.
    rows: Arc<[u32]>,
    lengths: Arc<[u32]>,
    /// How many rows of the whole loader come before a slice.
    rows_before: usize,
    order: Order,
    batch_size: usize,
    device: Device,
}

#[derive(Debug)]
enum Order {
    Training { batching: Batching, seed: u64, next_epoch: AtomicUsize },
    Sample { what: Sample, seed: u64, next_epoch: AtomicUsize },
    ByLength,
}

/// What a calibration draws.
#[derive(Debug, Clone, Copy)]
enum Sample {
    Rows { max_tokens: usize },
    Batches { batching: Batching, max_positions: usize },
}

impl Clone for Order {
    /// A loader and its copy count their passes separately, starting from the same one.
    fn clone(&self) -> Self {
        match self {
            Self::Training { batching, seed, next_epoch } => {
                Self::Training { batching: *batching, seed: *seed, next_epoch: next_epoch.load(Ordering::Relaxed).into() }
            }
            Self::Sample { what, seed, next_epoch } => {
                Self::Sample { what: *what, seed: *seed, next_epoch: next_epoch.load(Ordering::Relaxed).into() }
            }
            Self::ByLength => Self::ByLength,
        }
    }
}

impl<S: BatchSource> BatchLoader<S> {
    /// A loader over all rows, in a new random order every pass.
    ///
    /// # Panics
    /// If the batch size is 0.
    pub fn training(examples: Arc<S>, order: TrainingOrder, device: &Device) -> Self {
        let TrainingOrder { batch_size, batching, seed, first_epoch } = order;
        Self::over_all(examples, Order::Training { batching, seed, next_epoch: first_epoch.into() }, batch_size, device)
    }

    /// A loader over all rows, from the longest to the shortest in every pass; a batch tells which is which.
    ///
    /// # Panics
    /// If the batch size is 0.
    pub fn evaluation(examples: Arc<S>, batch_size: usize, device: &Device) -> Self {
        Self::over_all(examples, Order::ByLength, batch_size, device)
    }

    /// A loader over a random sample of the rows, drawn afresh every pass: pass *e* is the calibration of epoch `first_epoch + e`.
    ///
    /// The sample is of the states that the penalty sees in training:
    ///
    /// - [`Padding::Mask`]: rows are drawn until their tokens would exceed `limit`, and go from the longest to the shortest. Which rows share a
    ///   batch changes nothing, as padding is left out.
    /// - [`Padding::Keep`]: whole batches are drawn from those that a training loader of the same `order` makes of the epoch, as many as have at most
    ///   `limit` positions. Padding then has the share of the states that it has in training.
    ///
    /// At least one row or batch is drawn. Hidden states number the tokens or positions times the layers, so a limit on states is `limit` times the
    /// layers taken.
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

    /// This loader with its batches on another device.
    pub fn on_device(&self, device: &Device) -> Self {
        Self { device: device.clone(), ..self.pick(0..self.rows.len()) }
    }

    /// The tokenized rows that this loader draws from.
    pub fn examples(&self) -> &Arc<S> {
        &self.examples
    }

    /// The number of rows of one pass.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The number of tokens of one pass, padding not counted.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().map(|length| *length as usize).sum()
    }

    /// The number of batches of one pass.
    pub fn batches(&self) -> usize {
        self.rows.len().div_ceil(self.batch_size)
    }

    fn over_all(examples: Arc<S>, order: Order, batch_size: usize, device: &Device) -> Self {
        assert!(batch_size > 0, "a batch holds at least one row");
        let lengths: Arc<[u32]> = examples.lengths().into();
        let rows = (0..lengths.len() as u32).collect();
        Self { examples, rows, lengths, rows_before: 0, order, batch_size, device: device.clone() }
    }

    /// This loader with only the rows at some of its positions.
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

    /// The next pass.
    fn next_pass(&self) -> Pass<'_, S> {
        let mut dropout = None;
        let batches = match &self.order {
            Order::Training { batching, seed, next_epoch } => {
                let epoch = next_epoch.fetch_add(1, Ordering::Relaxed);
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
        Pass { loader: self, batches: batches.into_iter(), items_processed: 0, dropout }
    }

    /// Batches of a sample, the longest rows first; all as positions in `self.rows`.
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

    /// The rows from `start` to before `end`, in an order of their own: the share of one of several devices.
    ///
    /// Shares that differ in their number of rows may differ in their number of batches, which strategies that wait for every device at every
    /// step do not survive: give such a strategy a number of rows that the devices divide evenly. Where a backend has one generator for all of
    /// its devices, as flex has, shares that train at once draw from it in turn, and their dropout depends on which comes first.
    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<S::Batch>> {
        Arc::new(Self { rows_before: self.rows_before + start, ..self.pick(start..end) })
    }
}

/// One pass over a loader; a batch is made when it is asked for.
struct Pass<'a, S> {
    loader: &'a BatchLoader<S>,
    /// As positions in the rows of the loader.
    batches: std::vec::IntoIter<Vec<u32>>,
    items_processed: usize,
    /// `None` where the pass trains nothing.
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

    /// The row indices of the batches of one pass.
    fn pass(loader: &dyn DataLoader<SequenceBatch>) -> Vec<Vec<u32>> {
        loader.iter().map(|batch| batch.unwrap().rows).collect()
    }

    fn sorted(batches: &[Vec<u32>]) -> Vec<u32> {
        let mut rows = batches.concat();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn a_resumed_run_sees_what_an_uninterrupted_one_would() {
        let whole = training(50, 0);
        let epochs: Vec<_> = (0..4).map(|_| pass(&whole)).collect();
        let resumed = training(50, 2);
        assert_eq!(pass(&resumed), epochs[2]);
        assert_eq!(pass(&resumed), epochs[3]);
        assert_ne!(epochs[2], epochs[3]);
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
    fn labels_and_tokens_follow_their_row() {
        let loader = training(50, 0);
        for batch in loader.iter() {
            let batch = batch.unwrap();
            let labels: Vec<u32> = batch.targets.classes().into_data().iter::<u32>().collect();
            assert_eq!(labels, batch.rows, "the labels of this test are the row indices");
            let tokens: Vec<usize> = batch.input.mask.int().sum_dim(1).into_data().iter::<i64>().map(|count| count as usize).collect();
            let expected: Vec<usize> = batch.rows.iter().map(|row| loader.examples().ids(*row).len()).collect();
            assert_eq!(tokens, expected);
        }
    }

    #[test]
    fn devices_share_the_rows_and_each_has_an_order_of_its_own_epoch() {
        let device = Device::default();
        let loader: Arc<dyn DataLoader<SequenceBatch>> = Arc::new(training(51, 3));
        let shares = split_dataloader(loader, &[device.clone(), device]);
        let rows: Vec<Vec<u32>> = shares.iter().map(|share| sorted(&pass(share.as_ref()))).collect();
        assert_eq!(rows, [(0..25).collect::<Vec<u32>>(), (25..51).collect()]);
        let first = order::batches(&examples(25).lengths(), 8, Batching::Length, 1, 4);
        assert_eq!(pass(shares[0].as_ref()), first, "the second pass of a share is epoch 3 + 1");
    }

    #[test]
    fn calibration_keeps_to_its_budget_and_changes_with_the_epoch() {
        let calibration = |first_epoch| {
            BatchLoader::calibration(examples(200), TrainingOrder { first_epoch, ..ORDER }, Padding::Mask, 500, &Device::default())
        };
        let loader = calibration(0);
        let (first, second) = (pass(&loader), pass(&loader));
        let tokens: u32 = first.concat().iter().map(|&row| loader.lengths[row as usize]).sum();
        assert!((500 - 32..=500).contains(&tokens), "{tokens}");
        assert!(first.iter().all(|batch| batch.len() <= 8));
        assert_ne!(sorted(&first), sorted(&second));
        assert_eq!(pass(&calibration(1)), second, "a resumed run draws the sample that an uninterrupted one would");
    }

    #[test]
    fn calibration_with_padding_draws_batches_like_those_of_training() {
        for batching in [Batching::Length, Batching::Random] {
            let order = TrainingOrder { batching, ..ORDER };
            let loader = BatchLoader::calibration(examples(400), order, Padding::Keep, 3_000, &Device::default());
            for epoch in 0..3 {
                let training = order.padding_share(&loader.lengths, epoch);
                let sample = pass(&loader);
                assert!(sample.iter().all(|batch| batch.len() == 8), "no batch is cut short");
                let share = order::padding_share(&loader.lengths, &sample);
                assert!((share - training).abs() < 0.02, "{batching:?}: {share} of the sample, {training} of the training batches");
            }
        }
    }
}
