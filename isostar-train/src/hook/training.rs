//! What [`Hook::training`] sets up, and the metrics of a hook as one value.

use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::train::{MetricRegistration, SupervisedTraining};

use super::{HiddenStateModel, Hook, Regularized};
use crate::metric::{IsoScoreMetric, MeasureMetric, PenaltyMetric};

impl<B: Send + 'static> Hook<B> {
    /// A training of a model that this hook wraps: the training loader is [tapped](Self::tap), the [interrupter](Self::interrupter) set, and
    /// the [metrics](Self::metrics) are registered. The rest is [`SupervisedTraining`]'s to set, and `launch` takes the
    /// [wrapped](Self::wrap) model:
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
        SupervisedTraining::new(directory, self.tap(train), valid).with_interrupter(self.interrupter()).metrics(self.metrics())
    }

    /// The metrics of this hook, to be passed to [`SupervisedTraining::metrics`]: the [IsoScore](Self::isoscore_metric) of the validation
    /// split, and, if there is a regularizer, its [penalty](Self::penalty_metric) and [measure](Self::measure_metric) in training.
    pub fn metrics(&self) -> HookMetrics {
        let of_batches = self.regularizer.as_ref().map(|_| (self.penalty_metric(), self.measure_metric()));
        HookMetrics { isoscore: self.isoscore_metric(), of_batches }
    }
}

/// The metrics of a hook, each registered for the split that has its numbers: [`Hook::metrics`].
pub struct HookMetrics {
    isoscore: IsoScoreMetric,
    of_batches: Option<(PenaltyMetric, MeasureMetric)>,
}

impl<M: HiddenStateModel + 'static> MetricRegistration<Regularized<M>> for HookMetrics {
    fn register(self, training: SupervisedTraining<Regularized<M>>) -> SupervisedTraining<Regularized<M>> {
        let training = training.metric_valid_numeric(self.isoscore);
        match self.of_batches {
            Some((penalty, measure)) => training.metric_train_numeric(penalty).metric_train_numeric(measure),
            None => training,
        }
    }
}
