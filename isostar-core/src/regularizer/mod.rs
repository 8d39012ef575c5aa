//! Penalties on the hidden states of a batch, which are added to the task loss.

mod cosreg;
mod istar;
mod pooled;
mod sum;

use core::fmt::Debug;
use std::sync::Arc;

use burn::prelude::*;

use crate::{HiddenStates, StateSelection};

pub use cosreg::{CosReg, CosRegConfig};
pub use istar::{IStar, IStarConfig};
pub use pooled::{PooledPenalty, PooledRegularizer, Statistic, Statistics};
pub use sum::Sum;

/// A penalty on hidden states: loss = task loss + penalty. Several are added up by [`Sum`].
///
/// A custom regularizer implements [`penalty`](Self::penalty) and
/// [`measure_name`](Self::measure_name). The training loop computes the states and the reference
/// and calls these methods:
///
/// ```
/// use burn::prelude::*;
/// use isostar_core::{HiddenStates, Penalty, Regularizer};
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
///     fn penalty(&self, states: &HiddenStates, _reference: Option<&Tensor<2>>) -> Penalty {
///         let norm = states.layer(states.depth()).clone().square().sum_dim(2).sqrt().mean();
///         Penalty { value: (norm.clone() - 1.0).square(), measure: norm }
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
    /// # Shapes
    /// - `reference`: `[d, d]`; present if [`reference_states`](Self::reference_states) returns a
    ///   selection
    ///
    /// # Panics
    /// If the shapes of the states or the reference are not those that the regularizer expects.
    fn penalty(&self, states: &HiddenStates, reference: Option<&Tensor<2>>) -> Penalty;
}

/// The penalty of one batch, and the measure that it is based on.
#[derive(Clone, Debug)]
pub struct Penalty {
    /// The term added to the task loss, weight included. Shape `[1]`.
    pub value: Tensor<1>,
    /// The measure of this batch, without the weight. Shape `[1]`.
    pub measure: Tensor<1>,
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

            fn penalty(&self, states: &HiddenStates, reference: Option<&Tensor<2>>) -> Penalty {
                self.as_ref().penalty(states, reference)
            }
        }
    )*};
}

delegate!(Arc, Box);
