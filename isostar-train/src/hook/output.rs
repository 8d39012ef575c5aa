use burn::prelude::*;
use burn::tensor::{ExecutionError, TensorReadError};
use burn::train::ItemLazy;
use burn::train::metric::{
    AccuracyInput, Adaptor, BleuInput, CerInput, ConfusionStatsInput, HammingScoreInput, LossInput, PerplexityInput, RougeLInput,
    TopKAccuracyInput, WerInput,
};
use isostar_core::{HiddenStates, Moments, Penalty, StateSelection};

/// What a step tells the metrics, part by part, so that runs compare across weights.
///
/// Burn's metrics of the model's own output work unchanged, except those behind Burn's features `vision` and `rl`: wrap such a metric in one of
/// your own whose input is [`ModelOutput`]. [`LossMetric`](burn::train::metric::LossMetric) shows the loss that the model itself reports, never
/// the penalty.
#[derive(Clone, Debug)]
pub struct RegularizedOutput<O> {
    /// The loss of the task alone. Shape `[1]`.
    pub task_loss: Tensor<1>,
    /// The penalty and the measure behind it, in training.
    pub penalty: Option<Penalty>,
    /// How many states the penalty is taken of, in training, where the regularizer tells.
    pub states: Option<StateCount>,
    /// The moments of the batch's states, all layers, padding left out, in validation, if a metric wants them.
    pub moments: Option<Moments>,
    /// What the model gave.
    pub output: O,
}

/// How many states of which width a batch has; they are counted when someone asks.
#[derive(Clone, Debug)]
pub struct StateCount {
    /// The width d of the states.
    pub width: usize,
    layers: usize,
    positions: usize,
    mask: Option<Tensor<2, Bool>>,
}

impl StateCount {
    /// The count of the selected states.
    ///
    /// # Panics
    /// If a selected layer does not exist.
    pub fn of(selection: &StateSelection, states: &HiddenStates) -> Self {
        let layers = selection.layers(states);
        let [sequences, tokens, width] = layers[0].dims();
        let mask = selection.mask(states).map(|mask| mask.clone().without_autodiff());
        Self { width, layers: layers.len(), positions: sequences * tokens, mask }
    }

    /// The number of states: the tokens that count, times the layers.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn count(&self) -> Result<usize, TensorReadError> {
        let tokens = match &self.mask {
            Some(mask) => mask.clone().int().sum().try_into_scalar::<i64>()? as usize,
            None => self.positions,
        };
        Ok(tokens * self.layers)
    }
}

impl<O: ItemLazy> ItemLazy for RegularizedOutput<O> {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(Self {
            task_loss: self.task_loss.without_autodiff(),
            penalty: self
                .penalty
                .map(|penalty| Penalty { value: penalty.value.without_autodiff(), measure: penalty.measure.without_autodiff() }),
            states: self.states,
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

/// The regularizer's measure of a batch.
pub struct MeasureInput {
    /// The measure, shape `[1]`; `None` in validation.
    pub measure: Option<Tensor<1>>,
    /// How many states it was taken of, where that is known.
    pub states: Option<StateCount>,
}

/// The moments of a batch's states; `None` in training, and where [`Hook::isoscore_metric`](super::Hook::isoscore_metric) has not been called.
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
        MeasureInput { measure: self.penalty.as_ref().map(|penalty| penalty.measure.clone()), states: self.states.clone() }
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

delegate!(
    LossInput,
    AccuracyInput,
    TopKAccuracyInput,
    ConfusionStatsInput,
    PerplexityInput,
    HammingScoreInput,
    CerInput,
    WerInput,
    BleuInput,
    RougeLInput,
);
