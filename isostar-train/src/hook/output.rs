use burn::prelude::*;
use burn::tensor::{ExecutionError, Transaction};
use burn::train::ItemLazy;
use burn::train::metric::{
    AccuracyInput, Adaptor, BleuInput, CerInput, ConfusionStatsInput, HammingScoreInput, LossInput,
    PerplexityInput, RougeLInput, TopKAccuracyInput, WerInput,
};
use isostar_core::{Detail, Moments, Penalty};

use crate::metric::{MeasureInput, MomentsInput, PenaltyInput, StateCount};
use crate::readback::{Gathered, host_for, next};

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

impl<O> RegularizedOutput<O> {
    /// Output of a step without a penalty.
    pub(super) fn without_penalty(task_loss: Tensor<1>, output: O) -> Self {
        Self {
            task_loss,
            penalty: None,
            states: None,
            moments: None,
            output,
        }
    }

    /// Adds the numbers of the step to a transaction; not the output, nor the moments, which stay on
    /// the device until those of many batches are read.
    fn register_numbers(&self, transaction: Transaction) -> Transaction {
        let mut transaction = transaction.register(self.task_loss.clone().without_autodiff());
        if let Some(penalty) = &self.penalty {
            transaction = transaction
                .register(penalty.value.clone().without_autodiff())
                .register(penalty.measure.clone().without_autodiff());
            for detail in &penalty.details {
                transaction = transaction.register(detail.value.clone().without_autodiff());
            }
        }
        match self.states.as_ref().and_then(StateCount::masked) {
            Some(masked) => transaction.register(masked),
            None => transaction,
        }
    }

    fn with_numbers(self, read: &mut dyn Iterator<Item = TensorData>, host: &Device) -> Self {
        let task_loss = next(read, host);
        let penalty = self.penalty.map(|penalty| Penalty {
            value: next(read, host),
            measure: next(read, host),
            details: penalty
                .details
                .into_iter()
                .map(|detail| Detail {
                    value: next(read, host),
                    ..detail
                })
                .collect(),
        });
        let states = self.states.map(|states| match states.is_masked() {
            true => {
                let masked = read.next().and_then(|masked| masked.iter::<i64>().next());
                states.read(masked.unwrap_or(0) as usize)
            }
            false => states,
        });
        Self {
            task_loss,
            penalty,
            states,
            ..self
        }
    }

    /// The numbers and the moments without autodiff.
    fn detached(self) -> Self {
        Self {
            task_loss: self.task_loss.without_autodiff(),
            penalty: self.penalty.map(Penalty::without_autodiff),
            moments: self.moments.map(|moments| Moments {
                count: moments.count.without_autodiff(),
                mean: moments.mean.without_autodiff(),
                scatter: moments.scatter.without_autodiff(),
            }),
            ..self
        }
    }
}

impl<O: ItemLazy> ItemLazy for RegularizedOutput<O> {
    /// Moves the numbers of the step to the CPU, in one transfer, and the output as its own type
    /// does. Moments stay on the device, where those of all batches are summed.
    fn sync(self) -> Result<Self, ExecutionError> {
        let moved = match host_for(&self.task_loss.device()) {
            Some(host) => {
                let read = self
                    .register_numbers(Transaction::default())
                    .try_execute()?;
                self.with_numbers(&mut read.into_iter(), &host)
            }
            None => self,
        };
        let detached = moved.detached();
        Ok(Self {
            output: detached.output.sync()?,
            ..detached
        })
    }
}

impl<O: Gathered> Gathered for RegularizedOutput<O> {
    fn register(&self, transaction: Transaction) -> Transaction {
        self.output.register(self.register_numbers(transaction))
    }

    fn placed(self, read: &mut dyn Iterator<Item = TensorData>, host: &Device) -> Self {
        let placed = self.with_numbers(read, host);
        Self {
            output: placed.output.placed(read, host),
            ..placed
        }
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
