//! Penalties on the hidden states of a batch, which are added to the task loss.

mod context;
mod cosreg;
mod estimate;
mod istar;
mod penalty;
mod pooled;
mod ramp;
mod scorer;
mod sigreg;
mod state;
mod statistics;
mod statistics_data;
mod sum;
mod target;
mod vicreg;

use core::fmt::Debug;
use std::sync::Arc;

use burn::prelude::*;
use burn::tensor::TensorReadError;

use crate::{HiddenStates, StateSelection};

pub use context::StepContext;
pub use cosreg::{CosReg, CosRegConfig};
pub use estimate::Estimator;
pub use istar::{IStar, IStarConfig};
pub use penalty::{Detail, Penalty};
pub use pooled::{PooledPenalty, PooledRegularizer};
pub use ramp::Ramp;
pub use scorer::{IsoScorer, Scores};
pub use sigreg::{SigReg, SigRegConfig, SigRegPreset};
pub use state::{HeldStep, RegularizerState, StepNumbers};
pub use statistics::{Statistic, Statistics};
pub use sum::Sum;
pub use target::{Hold, Target};
pub use vicreg::{VicReg, VicRegConfig};

/// A penalty on hidden states: loss = task loss + penalty. Several are added up by [`Sum`].
///
/// A custom regularizer implements [`penalty`](Self::penalty) and
/// [`measure_name`](Self::measure_name). The training loop computes the states and the reference
/// and calls these methods:
///
/// ```
/// use burn::prelude::*;
/// use isostar_core::{HiddenStates, Penalty, Regularizer, StepContext};
///
/// /// Pulls the mean norm of the last layer's states towards 1.
/// #[derive(Debug)]
/// struct UnitNorm;
///
/// impl Regularizer for UnitNorm {
///     fn measure_name(&self) -> &str {
///         "Mean norm"
///     }
///
///     fn penalty(&self, states: &HiddenStates, _context: &StepContext) -> Penalty {
///         let norm = states.layer(states.depth()).clone().square().sum_dim(2).sqrt().mean();
///         Penalty::new((norm.clone() - 1.0).square(), norm)
///     }
/// }
/// ```
pub trait Regularizer: Debug + Send + Sync {
    /// The name of the measure in logs. It is used as a file name, so it must consist of letters,
    /// digits and spaces.
    fn measure_name(&self) -> &str;

    /// The states whose covariance is the reference, which is estimated again at the start of every
    /// epoch; `None` if the regularizer needs no reference.
    fn reference_states(&self) -> Option<&StateSelection> {
        None
    }

    /// The states that are penalized. A training hook counts them in each batch. By default those
    /// of [`reference_states`](Self::reference_states).
    fn states(&self) -> Option<&StateSelection> {
        self.reference_states()
    }

    /// The threshold for collapsed states: a training hook warns if the measure of a batch is below
    /// it. `None` if there is no threshold.
    fn collapsed_below(&self) -> Option<f64> {
        None
    }

    /// This regularizer as a function of statistics that can be merged, if it is one. Only then can
    /// the penalty of a batch be computed in parts; [`PooledPenalty`] says how.
    fn pooled(&self) -> Option<&dyn PooledRegularizer> {
        None
    }

    /// The penalty on the hidden states of one batch.
    ///
    /// # Panics
    /// If the shapes of the states or the reference are not those that the regularizer expects, or
    /// if [`reference_states`](Self::reference_states) returns a selection and the context has no
    /// reference.
    fn penalty(&self, states: &HiddenStates, context: &StepContext) -> Penalty;

    /// Takes in the numbers of a step whose loss was finite, before the next step begins. Returns
    /// what is to be logged of it. A regularizer that adapts during a training implements this and
    /// the three methods below.
    fn after_step(&self, _numbers: &StepNumbers) -> Vec<HeldStep> {
        Vec::new()
    }

    /// Forgets the last [`penalty`](Self::penalty): its step is not taken, and
    /// [`after_step`](Self::after_step) is not called for it.
    fn discard_step(&self) {}

    /// What the regularizer remembers between steps; nothing by default.
    ///
    /// # Errors
    /// If the device cannot be read.
    fn state(&self) -> Result<RegularizerState, TensorReadError> {
        Ok(RegularizerState::default())
    }

    /// Continues from a state that [`state`](Self::state) has returned.
    fn restore(&self, _state: RegularizerState, _device: &Device) {}
}

/// A regularizer behind a pointer is a regularizer, whether its type is known or not.
macro_rules! delegate {
    ($($pointer:ident),*) => {$(
        impl<R: Regularizer + ?Sized> Regularizer for $pointer<R> {
            fn measure_name(&self) -> &str {
                self.as_ref().measure_name()
            }

            fn reference_states(&self) -> Option<&StateSelection> {
                self.as_ref().reference_states()
            }

            fn states(&self) -> Option<&StateSelection> {
                self.as_ref().states()
            }

            fn collapsed_below(&self) -> Option<f64> {
                self.as_ref().collapsed_below()
            }

            fn pooled(&self) -> Option<&dyn PooledRegularizer> {
                self.as_ref().pooled()
            }

            fn penalty(&self, states: &HiddenStates, context: &StepContext) -> Penalty {
                self.as_ref().penalty(states, context)
            }

            fn after_step(&self, numbers: &StepNumbers) -> Vec<HeldStep> {
                self.as_ref().after_step(numbers)
            }

            fn discard_step(&self) {
                self.as_ref().discard_step();
            }

            fn state(&self) -> Result<RegularizerState, TensorReadError> {
                self.as_ref().state()
            }

            fn restore(&self, state: RegularizerState, device: &Device) {
                self.as_ref().restore(state, device);
            }
        }
    )*};
}

delegate!(Arc, Box);
