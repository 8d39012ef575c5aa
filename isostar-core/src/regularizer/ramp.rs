use burn::prelude::*;
use burn::tensor::TensorReadError;

use super::{
    HeldStep, Penalty, PooledRegularizer, Regularizer, RegularizerState, Statistics, StepContext,
    StepNumbers,
};
use crate::{HiddenStates, StateSelection};

/// Scales the penalty of a regularizer up from 0 over the first steps of a training.
///
/// ```text
///   penalty in step k = min(1, k/n)·penalty of the regularizer,    k = 1, 2, …
/// ```
///
/// The measure is unchanged. k counts the steps of the whole training, see
/// [`StepContext::step`]: a resumed training continues its ramp.
///
/// ```
/// use isostar_core::{IStarConfig, Ramp, Regularizer};
///
/// let ramp = Ramp::new(IStarConfig::new(-0.1).init()?, 100);
/// assert_eq!(ramp.measure_name(), "IsoScore star");
/// # Ok::<(), isostar_core::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ramp<R> {
    inner: R,
    steps: u64,
}

impl<R: Regularizer> Ramp<R> {
    /// Reaches the whole penalty in step `steps`, counted from 1; 0 and 1 change nothing.
    pub fn new(inner: R, steps: u64) -> Self {
        Self { inner, steps }
    }

    /// The factor in a step, counted from 0.
    fn factor(&self, step: u64) -> f64 {
        if step + 1 >= self.steps {
            1.0
        } else {
            (step + 1) as f64 / self.steps as f64
        }
    }

    fn scaled(&self, penalty: Penalty, context: &StepContext) -> Penalty {
        Penalty {
            value: penalty.value * self.factor(context.step),
            ..penalty
        }
    }

    /// The regularizer in parts.
    ///
    /// # Panics
    /// If it is not pooled.
    fn pooled_inner(&self) -> &dyn PooledRegularizer {
        let pooled = self.inner.pooled();
        pooled.unwrap_or_else(|| panic!("Ramp: {} is not pooled", self.measure_name()))
    }
}

impl<R: Regularizer> PooledRegularizer for Ramp<R> {
    /// Those of the regularizer.
    fn statistics(&self, states: &HiddenStates, context: &StepContext) -> Statistics {
        self.pooled_inner().statistics(states, context)
    }

    fn penalty_of(&self, statistics: &Statistics, context: &StepContext) -> Penalty {
        let penalty = self.pooled_inner().penalty_of(statistics, context);
        self.scaled(penalty, context)
    }

    fn draws(&self) -> bool {
        self.pooled_inner().draws()
    }
}

impl<R: Regularizer> Regularizer for Ramp<R> {
    fn measure_name(&self) -> &str {
        self.inner.measure_name()
    }

    fn reference_states(&self) -> Option<&StateSelection> {
        self.inner.reference_states()
    }

    fn states(&self) -> Option<&StateSelection> {
        self.inner.states()
    }

    fn collapsed_below(&self) -> Option<f64> {
        self.inner.collapsed_below()
    }

    fn pooled(&self) -> Option<&dyn PooledRegularizer> {
        self.inner.pooled()?;
        Some(self)
    }

    fn penalty(&self, states: &HiddenStates, context: &StepContext) -> Penalty {
        self.scaled(self.inner.penalty(states, context), context)
    }

    fn after_step(&self, numbers: &StepNumbers) -> Vec<HeldStep> {
        self.inner.after_step(numbers)
    }

    fn discard_step(&self) {
        self.inner.discard_step();
    }

    fn state(&self) -> Result<RegularizerState, TensorReadError> {
        self.inner.state()
    }

    fn restore(&self, state: RegularizerState, device: &Device) {
        self.inner.restore(state, device);
    }
}

#[cfg(test)]
mod tests {
    use super::super::CosRegConfig;
    use super::*;

    #[test]
    fn the_penalty_rises_over_the_ramp_and_the_measure_does_not() {
        let cosreg = || CosRegConfig::new().init().unwrap();
        let device = Device::flex();
        let states = HiddenStates::from_vectors(vec![Tensor::ones([3, 2], &device)]);
        let ramp = Ramp::new(cosreg(), 4);
        let at = |regularizer: &dyn Regularizer, step: u64| -> [f64; 2] {
            let penalty = regularizer.penalty(&states, &StepContext::default().with_step(step));
            [penalty.value, penalty.measure].map(|number| number.into_scalar())
        };
        let [whole, measure] = at(&cosreg(), 0);
        for (step, share) in [(0, 0.25), (1, 0.5), (2, 0.75), (3, 1.0), (9, 1.0)] {
            let [value, measured] = at(&ramp, step);
            assert!((value - share * whole).abs() < 1e-6, "step {step}: {value}");
            assert_eq!(measured, measure);
        }
        for steps in [0, 1] {
            assert_eq!(at(&Ramp::new(cosreg(), steps), 0), [whole, measure]);
        }
    }
}
