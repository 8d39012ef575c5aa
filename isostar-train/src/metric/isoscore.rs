use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use isostar_core::{DeviceMoments, RunningMoments};

use super::input::MomentsInput;

/// Metric of the IsoScore of all states of a split; created by
/// [`Hook::isoscore_metric`](crate::hook::Hook::isoscore_metric).
///
/// The moments of the batches stay on the device and are read many at a time, see [`DeviceMoments`]. The
/// score is not a mean of batch scores, which would be biased low. It covers all layers except the
/// embedding output, without padding. It is NaN if no direction has variance or the split has no
/// moments.
#[derive(Clone)]
pub struct IsoScoreMetric {
    name: MetricName,
    moments: Option<DeviceMoments>,
    /// Score of the whole split, once it has been read.
    score: Option<f64>,
}

impl IsoScoreMetric {
    /// Creates a metric named `IsoScore`.
    pub(crate) fn new() -> Self {
        Self {
            name: Arc::new("IsoScore".into()),
            moments: None,
            score: None,
        }
    }

    fn read(&self) -> Result<f64, TensorReadError> {
        let moments = self.moments.as_ref().map(DeviceMoments::read).transpose()?;
        Ok(moments
            .as_ref()
            .and_then(RunningMoments::isoscore)
            .unwrap_or(f64::NAN))
    }
}

impl Metric for IsoScoreMetric {
    type Input = MomentsInput;

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
        input: &MomentsInput,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        if let Some(batch) = input.0.clone() {
            self.moments
                .get_or_insert_with(|| DeviceMoments::new(batch.width()))
                .add(batch)?;
        }
        Ok(SerializedEntry::not_available(None))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        if self.moments.is_none() {
            return Ok(SerializedEntry::not_available(None));
        }
        let score = self.read()?;
        self.score = Some(score);
        Ok(SerializedEntry::new(
            format!("split {score:.4}"),
            NumericEntry::Final(score).serialize(),
        ))
    }

    fn clear(&mut self) {
        (self.moments, self.score) = (None, None);
    }
}

impl Numeric for IsoScoreMetric {
    fn value(&self) -> Option<NumericEntry> {
        None
    }

    fn running_value(&self) -> Option<NumericEntry> {
        None
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(
            self.score
                .unwrap_or_else(|| self.read().unwrap_or(f64::NAN)),
        )
    }
}
