use burn::prelude::*;
use burn::tensor::{ExecutionError, Transaction};
use burn::train::ItemLazy;
use burn::train::metric::{
    AccuracyInput, Adaptor, BleuInput, CerInput, ConfusionStatsInput, HammingScoreInput, LossInput,
    PerplexityInput, RougeLInput, TopKAccuracyInput, WerInput,
};
use isostar_core::{Detail, Moments, Penalty};

use crate::metric::{MeasureInput, MomentsInput, PenaltyInput, StateCount};
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
    let mut transaction = Transaction::default()
        .register(task_loss)
        .register(penalty.value)
        .register(penalty.measure);
    for detail in &penalty.details {
        transaction = transaction.register(detail.value.clone());
    }
    let masked = states.as_ref().and_then(StateCount::masked);
    let counts = masked.is_some();
    if let Some(masked) = masked {
        transaction = transaction.register(masked);
    }
    let mut read = transaction.try_execute()?.into_iter();
    let mut next = || read.next().expect("as many numbers as were registered");
    let (task_loss, value, measure) = (next(), next(), next());
    let details = penalty.details.into_iter().map(|detail| Detail {
        value: on_host(next()),
        ..detail
    });
    let penalty = Penalty {
        value: on_host(value),
        measure: on_host(measure),
        details: details.collect(),
    };
    let states = match counts {
        true => {
            let tokens = next().iter::<i64>().next().map(|tokens| tokens as usize);
            states.map(|states| states.read(tokens))
        }
        false => states,
    };
    Ok((on_host(task_loss), Some(penalty), states))
}

impl<O: ItemLazy> ItemLazy for RegularizedOutput<O> {
    /// Moves the numbers of the step to the CPU, in one transfer, and the output as its own type
    /// does. Moments stay on the device, where those of all batches are summed.
    fn sync(self) -> Result<Self, ExecutionError> {
        let task_loss = self.task_loss.without_autodiff();
        let penalty = self.penalty.map(Penalty::without_autodiff);
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
