//! The estimate of a reference: calibration batches through the model, their moments merged.

use std::sync::Arc;
use std::time::Instant;

use burn::data::dataloader::DataLoader;
use burn::prelude::*;
use burn::tensor::TensorReadError;
use isostar_core::{HiddenStates, Padding, StateSelection};

use super::{Calibration, Source};
use crate::hook::groups::{GroupStreams, reference_of};
use crate::hook::lock::lock;
use crate::hook::{CalibrationError, HiddenStateModel, HookEvent};

/// Bytes of moments that may wait on the device: enough for a dozen batches of width 384 or more, and
/// little beside a training step.
const PENDING: usize = 8 << 20;

impl<B: Send + 'static> Calibration<B> {
    /// Loader of the calibration batches and its device, which the first call sets to `device`.
    fn place_source(&self, device: &Device) -> (Arc<dyn DataLoader<B>>, Device) {
        let mut source = lock(&self.source);
        let Source { loader, placed, .. } = source.as_mut().expect("a tapped loader is a source");
        let device = placed.get_or_insert_with(|| {
            *loader = loader.to_device(device);
            device.clone()
        });
        (loader.clone(), device.clone())
    }

    /// Estimates the reference of an epoch from the states of the calibration batches.
    ///
    /// # Errors
    /// If a batch cannot be loaded, the device fails, the training is interrupted, or there are
    /// fewer than two states.
    pub(super) fn estimate<M: HiddenStateModel<Batch = B>>(
        &self,
        model: &M,
        states: &StateSelection,
        device: &Device,
        epoch: usize,
    ) -> Result<Tensor<2>, CalibrationError> {
        let (loader, device) = self.place_source(device);
        let limit = self.limit;
        let start = Instant::now();
        self.tell(HookEvent::CalibrationStarted { epoch, limit });

        let unreadable = |source| CalibrationError::Device { epoch, source };
        let model = model.valid().fork(&device);
        let mut streams = GroupStreams::new(PENDING, self.tolerance);
        let mut count = 0;
        let mut positions = Positions::default();
        for (index, batch) in loader.iter().enumerate() {
            if self.interrupter.should_stop() {
                return Err(CalibrationError::Interrupted { epoch });
            }
            let batch = batch.map_err(|source| CalibrationError::Loader {
                epoch,
                batch: index + 1,
                source,
            })?;
            let hidden_states =
                without_autodiff(self.precision.scope(|| model.hidden_states(batch)));
            let moments = states.group_moments(&hidden_states);
            // Only the count is read back; the moments stay on the device.
            let counts = moments.iter().map(|group| group.count.clone());
            let added = Tensor::cat(counts.collect(), 0).sum();
            let added = added.try_into_scalar::<f64>().map_err(unreadable)? as usize;
            // The first batch is used even if it alone exceeds the limit: a reference needs some
            // states.
            if count + added > limit && count > 0 {
                break;
            }
            count += added;
            streams.add(moments).map_err(unreadable)?;
            if states.padding == Padding::Keep {
                positions.add(&hidden_states).map_err(unreadable)?;
            }
            self.tell(HookEvent::CalibrationProgress {
                epoch,
                states: count,
            });
            if count >= limit || streams.have_settled(count).map_err(unreadable)? {
                break;
            }
        }

        let running = streams.read().map_err(unreadable)?;
        if running.is_empty() || running.iter().any(|group| group.count() < 2) {
            return Err(CalibrationError::TooFewStates {
                epoch,
                states: count,
            });
        }
        let (covariance, isoscore) = reference_of(&running, &device);
        let seconds = start.elapsed().as_secs_f64();
        *lock(&self.seconds) += seconds;
        let (padding, settled) = (positions.padding_share(), streams.change());
        self.tell(HookEvent::CalibrationFinished {
            epoch,
            states: count,
            padding,
            isoscore,
            settled,
            seconds,
        });
        for group in &running {
            self.check_reference(group, epoch);
        }
        Ok(covariance)
    }
}

/// Number of positions in the batches, and how many of them are tokens.
#[derive(Default)]
struct Positions {
    all: f64,
    tokens: f64,
}

impl Positions {
    /// Adds a batch if its states have a mask.
    fn add(&mut self, states: &HiddenStates) -> Result<(), TensorReadError> {
        if let Some(mask) = &states.mask {
            self.tokens += mask.clone().int().sum().try_into_scalar::<f64>()?;
            self.all += mask.shape().num_elements() as f64;
        }
        Ok(())
    }

    fn padding_share(&self) -> Option<f64> {
        (self.all > 0.0).then(|| 1.0 - self.tokens / self.all)
    }
}

/// Removes the autodiff context that batches may carry even when the model is in evaluation mode.
fn without_autodiff(states: HiddenStates) -> HiddenStates {
    HiddenStates {
        embedding_output: states.embedding_output.map(Tensor::without_autodiff),
        layers: states
            .layers
            .into_iter()
            .map(Tensor::without_autodiff)
            .collect(),
        mask: states.mask,
    }
}
