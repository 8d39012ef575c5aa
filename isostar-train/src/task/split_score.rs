use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};

use super::{Evaluator, TaskMetric};
use crate::hook::ModelOutput;

/// Metric of a task's score of a whole split, computed at the end of the split.
#[derive(Clone)]
pub struct SplitScoreMetric<J> {
    name: MetricName,
    metric: TaskMetric,
    evaluator: J,
}

impl<J: Evaluator> SplitScoreMetric<J> {
    /// Creates a metric that computes `metric` from the predictions that `evaluator` accumulates.
    pub fn new(metric: TaskMetric, evaluator: J) -> Self {
        Self {
            name: Arc::new(metric.name().into()),
            metric,
            evaluator,
        }
    }
}

impl<J: Evaluator> Metric for SplitScoreMetric<J> {
    type Input = ModelOutput<J::Output>;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes {
            unit: None,
            higher_is_better: true,
        }
        .into()
    }

    fn update(
        &mut self,
        input: &Self::Input,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        self.evaluator.add(&input.0)?;
        // The score is not computed per batch: sorting all answers would cost more than the batch.
        Ok(SerializedEntry::new(
            String::new(),
            NumericEntry::Value(f64::NAN).serialize(),
        ))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        let score = self.evaluator.score(self.metric);
        Ok(SerializedEntry::new(
            format!("split {score:.4}"),
            NumericEntry::Final(score).serialize(),
        ))
    }

    fn clear(&mut self) {
        self.evaluator.clear();
    }
}

impl<J: Evaluator> Numeric for SplitScoreMetric<J> {
    fn value(&self) -> Option<NumericEntry> {
        None
    }

    fn running_value(&self) -> Option<NumericEntry> {
        None
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.evaluator.score(self.metric))
    }
}
