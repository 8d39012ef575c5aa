use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry, SerializedEntry,
};
use isostar_core::RunningMoments;

use crate::hook::MomentsInput;

/// IsoScore of all the states of a split, from moments merged over its batches: not a mean of batch scores, which would be biased low.
///
/// All layers but the embedding output, padding left out. NaN where no direction has variance.
#[derive(Clone)]
pub struct IsoScoreMetric {
    name: MetricName,
    moments: Option<RunningMoments>,
}

impl IsoScoreMetric {
    /// A metric called `IsoScore`.
    pub fn new() -> Self {
        Self { name: Arc::new("IsoScore".into()), moments: None }
    }

    fn score(&self) -> f64 {
        self.moments.as_ref().and_then(RunningMoments::isoscore).unwrap_or(f64::NAN)
    }

    fn entry(&self, number: impl FnOnce(f64) -> NumericEntry) -> SerializedEntry {
        let score = self.score();
        SerializedEntry::new(format!("split {score:.4}"), number(score).serialize())
    }
}

impl Default for IsoScoreMetric {
    fn default() -> Self {
        Self::new()
    }
}

impl Metric for IsoScoreMetric {
    type Input = MomentsInput;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: true }.into()
    }

    fn update(&mut self, input: &MomentsInput, _metadata: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        if let Some(batch) = &input.0 {
            self.moments.get_or_insert_with(|| RunningMoments::new(batch.width())).update(batch)?;
        }
        Ok(self.entry(NumericEntry::Value))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.entry(NumericEntry::Final))
    }

    fn clear(&mut self) {
        self.moments = None;
    }
}

impl Numeric for IsoScoreMetric {
    fn value(&self) -> Option<NumericEntry> {
        Some(NumericEntry::Value(self.score()))
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.value()
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.score())
    }
}
