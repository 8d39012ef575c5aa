use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry, SerializedEntry,
};

use crate::hook::ModelOutput;
use crate::task::{Judge, TaskMetric};

/// A task's score of a whole split, known at its end.
#[derive(Clone)]
pub struct SplitScoreMetric<J> {
    name: MetricName,
    metric: TaskMetric,
    judge: J,
}

impl<J: Judge> SplitScoreMetric<J> {
    /// The score `metric` of what `judge` gathers.
    pub fn new(metric: TaskMetric, judge: J) -> Self {
        Self { name: Arc::new(metric.name().into()), metric, judge }
    }
}

impl<J: Judge> Metric for SplitScoreMetric<J> {
    type Input = ModelOutput<J::Output>;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: true }.into()
    }

    fn update(&mut self, input: &Self::Input, _metadata: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        self.judge.add(&input.0)?;
        // Sorting all answers for every batch would cost more than the batch.
        Ok(SerializedEntry::new(String::new(), NumericEntry::Value(f64::NAN).serialize()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        let score = self.judge.score(self.metric);
        Ok(SerializedEntry::new(format!("split {score:.4}"), NumericEntry::Final(score).serialize()))
    }

    fn clear(&mut self) {
        self.judge.clear();
    }
}

impl<J: Judge> Numeric for SplitScoreMetric<J> {
    fn value(&self) -> Option<NumericEntry> {
        None
    }

    fn running_value(&self) -> Option<NumericEntry> {
        None
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.judge.score(self.metric))
    }
}
