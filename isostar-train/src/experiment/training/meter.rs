//! Metrics of a split.

use std::collections::BTreeMap;

use burn::prelude::Device;
use burn::tensor::TensorReadError;
use burn::train::metric::{Adaptor, Metric, MetricMetadata, Numeric};
use isostar_core::{DeviceMoments, RunningMoments};

use super::display::{Display, ShownMetric};
use super::step::Outputs;
use super::sums::{Sum, Sums};
use crate::experiment::turns::Evaluated;
use crate::experiment::waiting::Waiting;
use crate::hook::{Hook, RegularizedOutput};
use crate::metric::{MeasureInput, MeasureMetric};
use crate::progress::Phase;
use crate::task::{Evaluator, TaskMetric, TaskModel};

/// Metrics of the training rows of an epoch.
pub(super) struct TrainingMeter<M: TaskModel> {
    pub sums: Sums,
    /// Predictions on the rows so far; `None` if training rows are not scored.
    pub answers: Option<M::Evaluator>,
    metrics: Vec<TaskMetric>,
    measure: MeasureMetric,
}

impl<M: TaskModel> TrainingMeter<M> {
    pub fn new(
        metrics: &[TaskMetric],
        answers: Option<M::Evaluator>,
        hook: &Hook<M::Batch>,
    ) -> Self {
        Self {
            sums: Sums::default(),
            answers,
            metrics: metrics.to_vec(),
            measure: hook.measure_metric(),
        }
    }

    /// Adds a step whose numbers have been read, and shows them; returns its task loss.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn add(
        &mut self,
        item: RegularizedOutput<Outputs<M::Output>>,
        phase: &Phase,
        display: &mut Display,
    ) -> Result<f64, TensorReadError> {
        let mut show = |name: &str, value, sum: &Sum| {
            display.metric(phase, name, value, sum.mean().unwrap_or(f64::NAN))
        };
        let loss = add_losses::<M>(&mut self.sums.loss, &item.output)?;
        show("task_loss", loss, &self.sums.loss);
        if let Some(penalty) = &item.penalty {
            let value = penalty.value.clone().try_into_scalar::<f64>()?;
            self.sums.penalty.add(value, 1);
            show("penalty", value, &self.sums.penalty);
            let input: MeasureInput = item.adapt();
            self.measure.update(&input, &metadata())?;
            let value = self
                .measure
                .value()
                .map_or(f64::NAN, |value| value.current());
            self.sums.measure.add(value, 1);
            show(&self.measure_name(), value, &self.sums.measure);
        }
        for output in &item.output.0 {
            if let Some(answers) = &mut self.answers {
                answers.add(output)?;
            }
        }
        Ok(loss)
    }

    fn measure_name(&self) -> String {
        ShownMetric::new(self.measure.name().as_str(), true).name()
    }

    /// Returns the metrics so far.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let measure = self.measure_name();
        let means = [
            ("task_loss", self.sums.loss),
            ("penalty", self.sums.penalty),
            (measure.as_str(), self.sums.measure),
        ];
        let means = means
            .into_iter()
            .filter_map(|(name, sum)| Some((name.to_string(), sum.mean()?)));
        means
            .chain(
                self.answers
                    .iter()
                    .flat_map(|answers| scores(&self.metrics, answers)),
            )
            .collect()
    }

    /// Begins an epoch.
    pub fn clear(&mut self) {
        self.sums = Sums::default();
        if let Some(answers) = &mut self.answers {
            answers.clear();
        }
    }
}

/// Metrics of the validation rows.
pub(super) struct ValidationMeter<M: TaskModel> {
    loss: Sum,
    moments: Option<DeviceMoments>,
    waiting: Waiting<M::Output>,
    answers: M::Evaluator,
    metrics: Vec<TaskMetric>,
}

impl<M: TaskModel> ValidationMeter<M> {
    pub fn new(metrics: &[TaskMetric], answers: M::Evaluator, device: &Device) -> Self {
        Self {
            loss: Sum::default(),
            moments: None,
            waiting: Waiting::new(device),
            answers,
            metrics: metrics.to_vec(),
        }
    }

    /// Adds a batch. Shows its loss, if it is on the CPU.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn add(
        &mut self,
        evaluated: Evaluated<M::Output>,
        phase: &Phase,
        display: &mut Display,
    ) -> Result<(), TensorReadError> {
        for batch in evaluated.moments {
            self.moments
                .get_or_insert_with(|| DeviceMoments::new(batch.width()))
                .add(batch)?;
        }
        for output in self.waiting.add(evaluated.output)? {
            let loss = self.judge(&output)?;
            let mean = self.loss.mean().unwrap_or(f64::NAN);
            display.metric(phase, "task_loss", loss, mean);
        }
        Ok(())
    }

    fn judge(&mut self, output: &M::Output) -> Result<f64, TensorReadError> {
        self.answers.add(output)?;
        add_loss::<M>(&mut self.loss, output)
    }

    /// Returns the metrics of all rows. Reads what is on the device in one transfer.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn metrics(mut self) -> Result<BTreeMap<String, f64>, TensorReadError> {
        let mut moments: Vec<DeviceMoments> = self.moments.take().into_iter().collect();
        for output in self.waiting.finish(&mut moments)? {
            self.judge(&output)?;
        }
        let mut metrics: BTreeMap<String, f64> = scores(&self.metrics, &self.answers).collect();
        metrics.extend(self.loss.mean().map(|loss| ("task_loss".to_string(), loss)));
        let moments = moments.first().map(DeviceMoments::read).transpose()?;
        let isoscore = moments.as_ref().and_then(RunningMoments::isoscore);
        metrics.insert("isoscore".into(), isoscore.unwrap_or(f64::NAN));
        Ok(metrics)
    }
}

/// Scores of the metrics that are computed in every epoch.
fn scores<E: Evaluator>(
    metrics: &[TaskMetric],
    answers: &E,
) -> impl Iterator<Item = (String, f64)> {
    metrics
        .iter()
        .filter(|metric| !metric.is_of_part())
        .map(|metric| (metric.name().to_string(), answers.score(*metric)))
}

/// Adds the losses of the parts of a batch; returns the mean of all.
fn add_losses<M: TaskModel>(
    sum: &mut Sum,
    outputs: &Outputs<M::Output>,
) -> Result<f64, TensorReadError> {
    let mut own = Sum::default();
    let mut mean = f64::NAN;
    for output in &outputs.0 {
        let count = M::losses(output).dims()[0];
        mean = add_loss::<M>(sum, output)?;
        own.add(mean, count);
    }
    // One mean as it is: its product with a count, divided by the count, may differ.
    Ok(match outputs.0.len() {
        1 => mean,
        _ => own.mean().unwrap_or(f64::NAN),
    })
}

/// Adds the losses of a batch; returns their mean.
fn add_loss<M: TaskModel>(sum: &mut Sum, output: &M::Output) -> Result<f64, TensorReadError> {
    let losses = M::losses(output);
    let [count] = losses.dims();
    let mean = losses.mean().try_into_scalar::<f64>()?;
    sum.add(mean, count);
    Ok(mean)
}

/// The metrics of this crate use no metadata.
fn metadata() -> MetricMetadata {
    MetricMetadata {
        progress: burn::data::dataloader::Progress::new(0, 0, None),
        iteration: None,
        lr: None,
    }
}
