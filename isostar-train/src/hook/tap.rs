use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::prelude::Device;

use super::calibration::Calibration;
use super::exchange::Given;

/// Number of batches that a tapped loader yields at most before a wrapped model takes its first
/// step. The strategies of burn-train take a step after every batch; a custom strategy may collect
/// several batches first.
const UNUSED_BATCHES: usize = 64;

/// Training loader that requests a new reference whenever it is iterated, which every strategy of
/// burn-train does once per epoch. After a step with numbers that are not finite, or after a failed
/// calibration, it yields an error instead of a batch, and every strategy stops.
///
/// With several devices, each worker iterates its own slice. Every slice counts its epochs, and the
/// reference follows the highest count, so that the request of a fast worker also serves slower
/// ones.
pub(super) struct EpochTap<B> {
    inner: Arc<dyn DataLoader<B>>,
    calibration: Arc<Calibration<B>>,
    epoch: AtomicUsize,
}

impl<B: Send + 'static> EpochTap<B> {
    pub(super) fn wrap(
        inner: Arc<dyn DataLoader<B>>,
        calibration: Arc<Calibration<B>>,
    ) -> Arc<dyn DataLoader<B>> {
        Arc::new(Self {
            inner,
            calibration,
            epoch: AtomicUsize::new(0),
        })
    }
}

impl<B: Send + 'static> DataLoader<B> for EpochTap<B> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<B> + 'a> {
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        self.calibration.request(epoch);
        let number = self.calibration.exchange.begin_pass();
        Box::new(TappedPass {
            number,
            inner: self.inner.iter(),
            calibration: &self.calibration,
            given: 0,
            stopped: false,
        })
    }

    fn num_items(&self) -> usize {
        self.inner.num_items()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<B>> {
        Self::wrap(self.inner.to_device(device), self.calibration.clone())
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<B>> {
        Self::wrap(self.inner.slice(start, end), self.calibration.clone())
    }
}

/// Iterator over one pass of a tapped loader.
struct TappedPass<'a, B> {
    inner: Box<dyn DataLoaderIterator<B> + 'a>,
    calibration: &'a Calibration<B>,
    /// Number of the pass in the exchange of the workers.
    number: u64,
    given: usize,
    stopped: bool,
}

impl<B: Send + 'static> TappedPass<'_, B> {
    /// Returns the next batch of the loader.
    ///
    /// # Panics
    /// If no wrapped model has taken a step by the end of the pass or after [`UNUSED_BATCHES`]
    /// batches.
    fn give(&mut self) -> Option<Result<B, DatasetError>> {
        let batch = self.inner.next();
        let is_due = self.given == UNUSED_BATCHES || (batch.is_none() && self.given > 0);
        assert!(
            !is_due || self.calibration.has_stepped(),
            "a tapped loader has given {} batches, but no model that its hook wrapped has taken a training step: pass hook.wrap(model) to the \
             Learner, with the hook that tapped the loader",
            self.given
        );
        self.given += 1;
        batch
    }

    /// Returns the next batch, or the error that ends the training.
    fn take(&mut self) -> Option<Result<B, DatasetError>> {
        // The error is returned once, so that a caller who skips errors reaches the end.
        if self.stopped {
            return None;
        }
        self.calibration.check_steps();
        let divergence = self
            .calibration
            .divergence()
            .map(|divergence| DatasetError::new(divergence.clone()));
        let error = divergence.or_else(|| self.calibration.failure().map(DatasetError::new));
        self.stopped = error.is_some();
        error.map_or_else(|| self.give(), |error| Some(Err(error)))
    }
}

impl<B: Send + 'static> Iterator for TappedPass<'_, B> {
    type Item = Result<B, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.take();
        let given = match &item {
            Some(Ok(_)) => Given::Batch,
            Some(Err(_)) => Given::Error,
            None => Given::Nothing,
        };
        self.calibration.exchange.ask(self.number, given);
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (
            0,
            self.inner
                .size_hint()
                .1
                .map(|batches| batches.saturating_add(1)),
        )
    }
}

impl<B> Drop for TappedPass<'_, B> {
    fn drop(&mut self) {
        self.calibration.exchange.end_pass(self.number);
    }
}

impl<B: Send + 'static> DataLoaderIterator<B> for TappedPass<'_, B> {
    fn progress(&self) -> Progress {
        self.inner.progress()
    }
}
