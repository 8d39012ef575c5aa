//! The hook of a run: where it calibrates, how many states, and whom it tells.

use std::sync::Arc;

use burn::train::Interrupter;
use isostar_core::Padding;

use super::control_log::ControlLog;
use super::hook_events::HookEvents;
use super::prepare::Prepared;
use super::run::{EVALUATION_BATCH, Run};
use super::snapshot::Parts;
use super::training::Stopwatch;
use crate::data::{BatchLoader, BatchSource, TrainingOrder};
use crate::hook::{Hook, HookConfig};
use crate::task::TaskModel;

impl Run {
    /// Returns the hook of a run that begins, or goes on from a snapshot. Without a log, as in a
    /// replay, the steps of the regularizer are not written.
    pub fn hook<M: TaskModel>(
        &self,
        prepared: &Prepared<M>,
        parts: Option<&Parts>,
        stopwatch: &Arc<Stopwatch>,
        log: Option<ControlLog>,
    ) -> Hook<M::Batch> {
        let config = HookConfig::new().with_precision(self.settings.precision.into());
        let Some(regularizer) = self.regularizer.clone() else {
            return config.init_without_regularizer();
        };
        let layers = self
            .settings
            .layers
            .indices(prepared.model.config.sizes().layers)
            .map_or(1, |layers| layers.len());
        let done = parts.map_or(0, |parts| parts.state.place.epochs);
        // A snapshot within an epoch holds its reference; the next one is that of the next epoch.
        let first = done + usize::from(parts.is_some_and(|parts| parts.reference.is_some()));
        let (limit, padding, order, source) = (
            self.settings.calibration_states,
            self.settings.padding,
            self.order(first),
            &prepared.train.source,
        );
        // If padding is included, the batch size matters: the longest row of a batch determines its
        // padding.
        let batch_size = if padding == Padding::Keep {
            order.batch_size
        } else {
            EVALUATION_BATCH
        };
        let plain = self.device.clone().without_autodiff();
        let sample = BatchLoader::calibration(
            source.clone(),
            TrainingOrder {
                batch_size,
                ..order
            },
            padding,
            limit / layers,
            &plain,
        );
        let tolerance = self.settings.calibration_tolerance;
        let sample = if tolerance > 0.0 {
            sample.in_random_order()
        } else {
            sample
        };
        let interrupter = Interrupter::new();
        let lengths = source.lengths();
        let events = HookEvents {
            observer: self.observer.clone(),
            stopwatch: stopwatch.clone(),
            log,
            done,
            padding,
            interrupter: interrupter.clone(),
            training_padding: move |epoch| order.padding_share(&lengths, epoch),
        };
        config
            .with_interrupter(interrupter.clone())
            .with_limit(limit)
            .with_tolerance(tolerance)
            .with_calibration_loader(Arc::new(sample))
            .with_observer(move |event| events.tell(event))
            .init(regularizer)
    }
}
