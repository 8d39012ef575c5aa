//! The hook of a run: where it calibrates, how many states, and whom it tells.

use std::sync::Arc;

use burn::train::Interrupter;
use isostar_core::Padding;

use super::evaluate::EVALUATION_BATCH;
use super::hook_events::HookEvents;
use super::limits::Limits;
use super::measured::OF_LAYERS;
use super::prepare::Prepared;
use super::run::Run;
use super::snapshot::Parts;
use super::step_log::{StepLog, StepLogs};
use super::training::Stopwatch;
use crate::data::{BatchLoader, BatchSource, TrainingOrder};
use crate::hook::{Hook, HookConfig, MonitorConfig, StepGeometry};
use crate::task::TaskModel;

impl Run {
    /// Returns the hook of a run that begins, or goes on from a snapshot. Without logs, as in a
    /// replay, steps are neither written nor monitored.
    pub fn hook<M: TaskModel>(
        &self,
        prepared: &Prepared<M>,
        parts: Option<&Parts>,
        stopwatch: &Arc<Stopwatch>,
        logs: Option<StepLogs>,
    ) -> Hook<M::Batch> {
        let (control, geometry) = logs.map_or((None, None), StepLogs::split);
        let hook = self.hook_of_regularizer(prepared, parts, stopwatch, control);
        if let (Some(every), Some(log)) = (self.settings.monitor, geometry) {
            let config = MonitorConfig {
                every: every as u64,
                seed: self.settings.seed,
                ..Default::default()
            };
            let (observer, limits) = (self.observer.clone(), self.limits.clone());
            hook.monitor(config, move |geometry| {
                log.add(geometry, observer.as_ref());
                check_geometry(geometry, &limits);
            });
        }
        hook
    }

    fn hook_of_regularizer<M: TaskModel>(
        &self,
        prepared: &Prepared<M>,
        parts: Option<&Parts>,
        stopwatch: &Arc<Stopwatch>,
        log: Option<StepLog>,
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

/// Compares the measures of every layer with the limits of a run.
fn check_geometry(geometry: &StepGeometry, limits: &Limits) {
    for (index, layer) in geometry.layers.iter().enumerate() {
        let place = format!("layer {} in step {}", index + 1, geometry.step);
        let values = [
            Some(layer.trace),
            Some(layer.frobenius_squared),
            Some(layer.mean_norm),
            layer.isoscore,
            layer.effective_rank,
            Some(layer.outlier_share),
        ];
        for (name, value) in OF_LAYERS.into_iter().zip(values) {
            limits.check(name, value.unwrap_or(f64::NAN), &place);
        }
    }
}
