//! [`Hook::training`], and the metrics of a hook as one value.

use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::train::{MetricRegistration, SupervisedTraining};

use super::{HiddenStateModel, Hook, Regularized};
use crate::metric::{IsoScoreMetric, MeasureMetric, PenaltyMetric};

impl<B: Send + 'static> Hook<B> {
    /// Creates a training for a model that this hook wraps: [taps](Self::tap) the training loader,
    /// sets the [interrupter](Self::interrupter) and registers the [metrics](Self::metrics).
    /// Configure the returned [`SupervisedTraining`] further as needed, and pass the
    /// [wrapped](Self::wrap) model to `launch`:
    ///
    /// ```ignore
    /// let training = hook.training(directory, train_loader, valid_loader).num_epochs(3);
    /// let result = training.launch(Learner::new(hook.wrap(model), optimizer, learning_rate));
    /// ```
    pub fn training<M: HiddenStateModel<Batch = B> + 'static>(
        &self,
        directory: impl AsRef<Path>,
        train: Arc<dyn DataLoader<B>>,
        valid: Arc<dyn DataLoader<B>>,
    ) -> SupervisedTraining<Regularized<M>> {
        SupervisedTraining::new(directory, self.tap(train), valid)
            .with_interrupter(self.interrupter())
            .metrics(self.metrics())
    }

    /// Metrics of this hook for [`SupervisedTraining::metrics`]: the
    /// [IsoScore](Self::isoscore_metric) of the validation split and, with a regularizer, its
    /// [penalty](Self::penalty_metric) and [measure](Self::measure_metric) in training.
    pub fn metrics(&self) -> HookMetrics {
        let of_batches = self
            .regularizer
            .as_ref()
            .map(|_| (self.penalty_metric(), self.measure_metric()));
        HookMetrics {
            isoscore: self.isoscore_metric(),
            of_batches,
        }
    }
}

/// Metrics of a hook, as returned by [`Hook::metrics`]; each is registered for the split it applies
/// to.
pub struct HookMetrics {
    isoscore: IsoScoreMetric,
    of_batches: Option<(PenaltyMetric, MeasureMetric)>,
}

impl<M: HiddenStateModel + 'static> MetricRegistration<Regularized<M>> for HookMetrics {
    fn register(
        self,
        training: SupervisedTraining<Regularized<M>>,
    ) -> SupervisedTraining<Regularized<M>> {
        let training = training.metric_valid_numeric(self.isoscore);
        match self.of_batches {
            Some((penalty, measure)) => training
                .metric_train_numeric(penalty)
                .metric_train_numeric(measure),
            None => training,
        }
    }
}
