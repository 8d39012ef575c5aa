use std::sync::Arc;

use burn::prelude::Tensor;
use burn::tensor::TensorReadError;
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};

use super::input::{MeasureInput, PenaltyInput, StateCount};

/// Mean over batches of a value that exists only in training with a regularizer. A split without
/// values leaves no entry in Burn's logs.
#[derive(Clone)]
struct BatchMean {
    name: MetricName,
    higher_is_better: bool,
    state: NumericMetricState,
    is_empty: bool,
}

impl BatchMean {
    fn new(name: &str, higher_is_better: bool) -> Self {
        Self {
            name: Arc::new(name.into()),
            higher_is_better,
            state: NumericMetricState::new(),
            is_empty: true,
        }
    }

    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name.clone()).precision(4)
    }

    /// Adds the value of one batch, if there is one.
    fn update(
        &mut self,
        number: Option<&Tensor<1>>,
    ) -> Result<(Option<f64>, SerializedEntry), TensorReadError> {
        let number = match number {
            Some(number) => Some(number.clone().try_into_scalar::<f64>()?),
            None => None,
        };
        if let Some(number) = number {
            self.state.update(number, 1);
            self.is_empty = false;
        }
        Ok((
            number,
            self.entry(|mean| mean.state.compute_update(mean.format())),
        ))
    }

    fn entry(&self, entry: impl FnOnce(&Self) -> SerializedEntry) -> SerializedEntry {
        if self.is_empty {
            SerializedEntry::not_available(None)
        } else {
            entry(self)
        }
    }

    fn compute(&self) -> SerializedEntry {
        self.entry(|mean| mean.state.compute_final(mean.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
        self.is_empty = true;
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes {
            unit: None,
            higher_is_better: self.higher_is_better,
        }
        .into()
    }
}

/// Minimum number of states per dimension for detecting a collapse.
///
/// Even for an isotropic model, N states of width d score at most about N/(N + d), so small batches
/// score low because of their size. For N ≥ 2d, a batch scores at least two thirds of the score of
/// many such states; shrinkage towards their covariance reduces the gap further.
const STATES_PER_DIMENSION: usize = 2;

fn are_enough(states: &StateCount) -> Result<bool, TensorReadError> {
    Ok(states.count()? >= STATES_PER_DIMENSION * states.width)
}

/// Callback for a measure below its threshold; receives the measure and the threshold.
type Watch = Arc<dyn Fn(f64, f64) + Send + Sync>;

/// Metric of the regularizer's measure of each training batch; IsoScore* for I-STAR.
#[derive(Clone)]
pub struct MeasureMetric {
    mean: BatchMean,
    threshold: Option<f64>,
    watch: Watch,
}

impl MeasureMetric {
    pub(crate) fn new(name: &str, threshold: Option<f64>, watch: Watch) -> Self {
        Self {
            mean: BatchMean::new(name, true),
            threshold,
            watch,
        }
    }
}

/// Metric of the penalty of each training batch, including the weight.
#[derive(Clone)]
pub struct PenaltyMetric {
    mean: BatchMean,
}

impl PenaltyMetric {
    pub(crate) fn new() -> Self {
        Self {
            mean: BatchMean::new("Penalty", false),
        }
    }
}

impl Metric for MeasureMetric {
    type Input = MeasureInput;

    fn name(&self) -> MetricName {
        self.mean.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        self.mean.attributes()
    }

    fn update(
        &mut self,
        input: &MeasureInput,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let (measure, entry) = self.mean.update(input.measure.as_ref())?;
        if let (Some(measure), Some(threshold)) = (measure, self.threshold) {
            let is_low =
                measure < threshold && input.states.as_ref().map_or(Ok(true), are_enough)?;
            if is_low || measure.is_nan() {
                (self.watch)(measure, threshold);
            }
        }
        Ok(entry)
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.mean.compute())
    }

    fn clear(&mut self) {
        self.mean.clear();
    }
}

impl Metric for PenaltyMetric {
    type Input = PenaltyInput;

    fn name(&self) -> MetricName {
        self.mean.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        self.mean.attributes()
    }

    fn update(
        &mut self,
        input: &PenaltyInput,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.mean.update(input.0.as_ref())?.1)
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.mean.compute())
    }

    fn clear(&mut self) {
        self.mean.clear();
    }
}

macro_rules! numeric_by_mean {
    ($($metric:ty),*) => {$(
        impl Numeric for $metric {
            fn value(&self) -> Option<NumericEntry> {
                (!self.mean.is_empty).then(|| self.mean.state.current_value())
            }

            fn running_value(&self) -> Option<NumericEntry> {
                (!self.mean.is_empty).then(|| self.mean.state.running_value())
            }

            fn final_value(&self) -> NumericEntry {
                self.mean.state.final_value()
            }
        }
    )*};
}

numeric_by_mean!(MeasureMetric, PenaltyMetric);
