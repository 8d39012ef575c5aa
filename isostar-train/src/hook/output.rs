use burn::prelude::*;
use burn::tensor::ExecutionError;
use burn::train::ItemLazy;
use burn::train::metric::{AccuracyInput, Adaptor, ConfusionStatsInput, LossInput, PerplexityInput, TopKAccuracyInput};
use isostar_core::{Moments, Penalty};

/// What a step tells the metrics, part by part, so that runs compare across weights.
///
/// Burn's metrics of the model's own output work unchanged; [`LossMetric`](burn::train::metric::LossMetric) shows the loss that the model itself reports,
/// never the penalty.
#[derive(Clone, Debug)]
pub struct RegularizedOutput<O> {
    /// The loss of the task alone. Shape `[1]`.
    pub task_loss: Tensor<1>,
    /// The penalty and the measure behind it, in training.
    pub penalty: Option<Penalty>,
    /// The moments of the batch's states, all layers, padding left out, in validation.
    pub moments: Option<Moments>,
    /// What the model gave.
    pub output: O,
}

impl<O: ItemLazy> ItemLazy for RegularizedOutput<O> {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(Self {
            task_loss: self.task_loss.without_autodiff(),
            penalty: self
                .penalty
                .map(|penalty| Penalty { value: penalty.value.without_autodiff(), measure: penalty.measure.without_autodiff() }),
            moments: self.moments.map(|moments| Moments {
                count: moments.count.without_autodiff(),
                mean: moments.mean.without_autodiff(),
                scatter: moments.scatter.without_autodiff(),
            }),
            output: self.output.sync()?,
        })
    }
}

/// What the model gave, whole.
pub struct ModelOutput<O>(pub O);

/// The penalty of a batch, weight included, shape `[1]`; `None` in validation.
pub struct PenaltyInput(pub Option<Tensor<1>>);

/// The regularizer's measure of a batch, shape `[1]`; `None` in validation.
pub struct MeasureInput(pub Option<Tensor<1>>);

/// The moments of a batch's states; `None` in training.
pub struct MomentsInput(pub Option<Moments>);

impl<O: Clone> Adaptor<ModelOutput<O>> for RegularizedOutput<O> {
    fn adapt(&self) -> ModelOutput<O> {
        ModelOutput(self.output.clone())
    }
}

impl<O> Adaptor<PenaltyInput> for RegularizedOutput<O> {
    fn adapt(&self) -> PenaltyInput {
        PenaltyInput(self.penalty.as_ref().map(|penalty| penalty.value.clone()))
    }
}

impl<O> Adaptor<MeasureInput> for RegularizedOutput<O> {
    fn adapt(&self) -> MeasureInput {
        MeasureInput(self.penalty.as_ref().map(|penalty| penalty.measure.clone()))
    }
}

impl<O> Adaptor<MomentsInput> for RegularizedOutput<O> {
    fn adapt(&self) -> MomentsInput {
        MomentsInput(self.moments.clone())
    }
}

/// Burn implements `Adaptor<()>` for every type, so one impl for all inputs of the model's output would overlap with it.
macro_rules! delegate {
    ($($input:ty),* $(,)?) => {$(
        impl<O: Adaptor<$input>> Adaptor<$input> for RegularizedOutput<O> {
            fn adapt(&self) -> $input {
                self.output.adapt()
            }
        }
    )*};
}

delegate!(LossInput, AccuracyInput, ConfusionStatsInput, PerplexityInput, TopKAccuracyInput);
