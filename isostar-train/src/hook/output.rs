use burn::prelude::*;
use burn::tensor::{ExecutionError, TensorReadError, Transaction};
use burn::train::ItemLazy;
use burn::train::metric::{
    AccuracyInput, Adaptor, BleuInput, CerInput, ConfusionStatsInput, HammingScoreInput, LossInput,
    PerplexityInput, RougeLInput, TopKAccuracyInput, WerInput,
};
use isostar_core::{HiddenStates, Moments, Penalty, StateSelection};

use crate::readback::{host_for, read_all};

/// Output of a step for the metrics, with loss and penalty apart, so that runs with different
/// weights can be compared.
///
/// Burn's metrics work on the model's output without changes, except those behind Burn's features
/// `vision` and `rl`: wrap such a metric in a custom one whose input is [`ModelOutput`].
/// [`LossMetric`](burn::train::metric::LossMetric) shows the loss that the model itself reports,
/// never the penalty.
#[derive(Clone, Debug)]
pub struct RegularizedOutput<O> {
    /// Task loss without the penalty, shape `[1]`.
    pub task_loss: Tensor<1>,
    /// Penalty and its measure; `None` in validation or without a regularizer.
    pub penalty: Option<Penalty>,
    /// Number of states behind the penalty; `None` in validation, or if the regularizer does not
    /// select states.
    pub states: Option<StateCount>,
    /// Moments of the batch's states in all layers, without padding; `None` in training, or if no
    /// metric uses them.
    pub moments: Option<Moments>,
    /// Output of the model.
    pub output: O,
}

/// Width and number of a batch's states; the number is computed on demand.
#[derive(Clone, Debug)]
pub struct StateCount {
    /// Width d of the states.
    pub width: usize,
    layers: usize,
    /// Number of selected tokens that are known.
    tokens: usize,
    /// Masks of further tokens, whose number is not read yet; one per part of the batch.
    masks: Vec<Tensor<2, Bool>>,
}

impl StateCount {
    /// Describes the selected states of a batch.
    ///
    /// # Panics
    /// If a selected layer does not exist.
    pub fn of(selection: &StateSelection, states: &HiddenStates) -> Self {
        let layers = selection.layers(states);
        let [sequences, tokens, width] = layers[0].dims();
        let mask = selection
            .mask(states)
            .map(|mask| mask.clone().without_autodiff());
        let tokens = match mask {
            Some(_) => 0,
            None => sequences * tokens,
        };
        Self {
            width,
            layers: layers.len(),
            tokens,
            masks: mask.into_iter().collect(),
        }
    }

    /// The states of all parts of a batch; `None` if there is no part, or nothing is known of one.
    #[cfg(feature = "experiment")]
    pub(crate) fn sum(parts: Vec<Option<Self>>) -> Option<Self> {
        let parts = parts.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
        parts.reduce(|mut sum, part| {
            sum.tokens += part.tokens;
            sum.masks.extend(part.masks);
            sum
        })
    }

    /// Number of states: selected tokens times layers.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn count(&self) -> Result<usize, TensorReadError> {
        let masked = match self.masked() {
            Some(masked) => masked.try_into_scalar::<i64>()? as usize,
            None => 0,
        };
        Ok((self.tokens + masked) * self.layers)
    }

    /// Number of tokens under the masks, shape `[1]`; `None` if there is no mask.
    fn masked(&self) -> Option<Tensor<1, Int>> {
        let device = self.masks.first()?.device();
        let counts = self.masks.iter().map(|mask| mask.clone().int().sum());
        counts
            .map(|count| count.to_device(&device))
            .reduce(|sum, count| sum + count)
    }
}

/// Reads the numbers of a step in one transfer, and places them on `host`.
fn moved(
    task_loss: Tensor<1>,
    penalty: Option<Penalty>,
    states: Option<StateCount>,
    host: &Device,
) -> Result<(Tensor<1>, Option<Penalty>, Option<StateCount>), ExecutionError> {
    let on_host = |data| Tensor::from_data(data, host);
    let Some(penalty) = penalty else {
        let [task_loss] = read_all(Transaction::default().register(task_loss))?;
        return Ok((on_host(task_loss), None, states));
    };
    let transaction = Transaction::default()
        .register(task_loss)
        .register(penalty.value)
        .register(penalty.measure);
    match states.as_ref().and_then(StateCount::masked) {
        None => {
            let [task_loss, value, measure] = read_all(transaction)?;
            Ok((
                on_host(task_loss),
                Some(Penalty {
                    value: on_host(value),
                    measure: on_host(measure),
                }),
                states,
            ))
        }
        Some(masked) => {
            let [task_loss, value, measure, masked] = read_all(transaction.register(masked))?;
            let masked = masked.iter::<i64>().next().unwrap_or(0) as usize;
            let states = states.map(|states| StateCount {
                tokens: states.tokens + masked,
                masks: Vec::new(),
                ..states
            });
            Ok((
                on_host(task_loss),
                Some(Penalty {
                    value: on_host(value),
                    measure: on_host(measure),
                }),
                states,
            ))
        }
    }
}

impl<O: ItemLazy> ItemLazy for RegularizedOutput<O> {
    /// Moves the numbers of the step to the CPU, in one transfer, and the output as its own type
    /// does. Moments stay on the device, where those of all batches are summed.
    fn sync(self) -> Result<Self, ExecutionError> {
        let task_loss = self.task_loss.without_autodiff();
        let penalty = self.penalty.map(|penalty| Penalty {
            value: penalty.value.without_autodiff(),
            measure: penalty.measure.without_autodiff(),
        });
        let (task_loss, penalty, states) = match host_for(&task_loss.device()) {
            Some(host) => moved(task_loss, penalty, self.states, &host)?,
            None => (task_loss, penalty, self.states),
        };
        Ok(Self {
            task_loss,
            penalty,
            states,
            moments: self.moments.map(|moments| Moments {
                count: moments.count.without_autodiff(),
                mean: moments.mean.without_autodiff(),
                scatter: moments.scatter.without_autodiff(),
            }),
            output: self.output.sync()?,
        })
    }
}

/// Output of the model, unchanged.
pub struct ModelOutput<O>(pub O);

/// Penalty of a batch, including the weight, shape `[1]`; `None` in validation or without a
/// regularizer.
pub struct PenaltyInput(pub Option<Tensor<1>>);

/// Regularizer's measure of a batch.
pub struct MeasureInput {
    /// Measure, shape `[1]`; `None` in validation or without a regularizer.
    pub measure: Option<Tensor<1>>,
    /// Number of states behind the measure, if known.
    pub states: Option<StateCount>,
}

/// Moments of a batch's states; `None` in training, or if
/// [`Hook::isoscore_metric`](super::Hook::isoscore_metric) has not been called.
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
        MeasureInput {
            measure: self.penalty.as_ref().map(|penalty| penalty.measure.clone()),
            states: self.states.clone(),
        }
    }
}

impl<O> Adaptor<MomentsInput> for RegularizedOutput<O> {
    fn adapt(&self) -> MomentsInput {
        MomentsInput(self.moments.clone())
    }
}

/// Implements the adaptors input by input: Burn implements `Adaptor<()>` for every type, so a
/// generic impl would overlap with it.
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
