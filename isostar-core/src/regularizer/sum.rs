use burn::prelude::*;
use burn::tensor::TensorReadError;

use super::estimate::ANOTHER;
use super::{
    HeldStep, Penalty, PooledRegularizer, Regularizer, RegularizerState, Statistic, Statistics,
    StepContext, StepNumbers,
};
use crate::{HiddenStates, StateSelection};

/// Several regularizers at once: the penalty is the sum of theirs.
///
/// The parts share one reference, so the parts that want one must want that of the same states. The first part gives the measure: its
/// name, its value, the states it is taken of, and the score under which they count as collapsed. Put the part first whose measure you
/// want to see.
///
/// ```
/// use isostar_core::{CosRegConfig, IStarConfig, Regularizer, Sum};
///
/// let istar = IStarConfig::new(-0.1).init()?;
/// let cosine = CosRegConfig::new().init()?;
/// let both = Sum(vec![Box::new(istar), Box::new(cosine)]);
/// assert_eq!(both.measure_name(), "IsoScore star");
/// # Ok::<(), isostar_core::ConfigError>(())
/// ```
///
/// # Panics
/// Every method panics if there is no part. [`reference_states`](Regularizer::reference_states) panics if two parts want references of
/// different states; a training hook calls it when it is made.
#[derive(Debug)]
pub struct Sum(pub Vec<Box<dyn Regularizer>>);

impl Sum {
    fn first(&self) -> &dyn Regularizer {
        self.0
            .first()
            .expect("Sum: there must be at least one regularizer")
            .as_ref()
    }
}

impl Regularizer for Sum {
    fn measure_name(&self) -> &str {
        self.first().measure_name()
    }

    fn reference_states(&self) -> Option<&StateSelection> {
        assert!(
            !self.0.is_empty(),
            "Sum: there must be at least one regularizer"
        );
        let mut wanted = self.0.iter().filter_map(|part| part.reference_states());
        let states = wanted.next()?;
        if let Some(other) = wanted.find(|other| *other != states) {
            panic!(
                "Sum: the parts share one reference but want it of different states, {states:?} and {other:?}; give both the same states"
            );
        }
        Some(states)
    }

    fn states(&self) -> Option<&StateSelection> {
        self.first().states()
    }

    fn collapsed_below(&self) -> Option<f64> {
        self.first().collapsed_below()
    }

    fn pooled(&self) -> Option<&dyn PooledRegularizer> {
        let are_pooled = self.0.iter().all(|part| part.pooled().is_some());
        are_pooled.then_some(self)
    }

    fn penalty(&self, states: &HiddenStates, context: &StepContext) -> Penalty {
        let parts = self.0.iter().map(|part| part.penalty(states, context));
        added(parts.collect())
    }

    fn after_step(&self, numbers: &StepNumbers) -> Vec<HeldStep> {
        let parts = self.0.iter();
        parts.flat_map(|part| part.after_step(numbers)).collect()
    }

    fn discard_step(&self) {
        self.0.iter().for_each(|part| part.discard_step());
    }

    fn state(&self) -> Result<RegularizerState, TensorReadError> {
        let parts = self.0.iter().map(|part| part.state());
        Ok(RegularizerState {
            parts: parts.collect::<Result<_, _>>()?,
            ..Default::default()
        })
    }

    fn restore(&self, state: RegularizerState, device: &Device) {
        for (part, state) in self.0.iter().zip(state.parts) {
            part.restore(state, device);
        }
    }
}

impl PooledRegularizer for Sum {
    /// The statistics of each part.
    ///
    /// # Panics
    /// If a part is not [pooled](Regularizer::pooled).
    fn statistics(&self, states: &HiddenStates, context: &StepContext) -> Statistics {
        let parts = self.0.iter().map(|part| pooled(part.as_ref()));
        let of_parts = parts.map(|part| Statistic::Several(part.statistics(states, context)));
        Statistics(of_parts.collect())
    }

    fn penalty_of(&self, statistics: &Statistics, context: &StepContext) -> Penalty {
        let parts = self.0.iter().map(|part| pooled(part.as_ref()));
        let of_parts = parts
            .zip(&statistics.0)
            .map(|(part, statistic)| match statistic {
                Statistic::Several(statistics) => part.penalty_of(statistics, context),
                _ => panic!("{ANOTHER}"),
            });
        added(of_parts.collect())
    }

    fn draws(&self) -> bool {
        self.0.iter().any(|part| pooled(part.as_ref()).draws())
    }
}

fn pooled(part: &dyn Regularizer) -> &dyn PooledRegularizer {
    part.pooled()
        .unwrap_or_else(|| panic!("Sum: {} is not pooled", part.measure_name()))
}

/// The sum of penalties, with the measure of the first.
fn added(penalties: Vec<Penalty>) -> Penalty {
    let mut penalties = penalties.into_iter();
    let mut sum = penalties
        .next()
        .expect("Sum: there must be at least one regularizer");
    // Parts may compute in different precisions: I-STAR's penalty of states in half precision is in
    // f32.
    let dtype = sum.value.dtype();
    for penalty in penalties {
        sum.value = sum.value + penalty.value.cast(dtype);
        sum.details.extend(penalty.details);
    }
    sum
}
