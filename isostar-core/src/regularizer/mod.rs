//! Penalties on the hidden states of a batch, to be added to a task's loss.

mod cosreg;
mod istar;
mod sum;

use core::fmt::Debug;
use std::sync::Arc;

use burn::prelude::*;

use crate::{HiddenStates, StateSelection};

pub use cosreg::{CosReg, CosRegConfig};
pub use istar::{IStar, IStarConfig};
pub use sum::Sum;

/// A penalty on hidden states: loss = task loss + penalty. Several are added up by [`Sum`].
///
/// A regularizer of one's own implements [`penalty`](Self::penalty) and [`measure_name`](Self::measure_name); whoever computes the states and the
/// reference, a training hook or a hand-written loop, calls them:
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
    /// What the measure behind the penalty is called in logs, in letters, digits and spaces: it becomes a file name.
    fn measure_name(&self) -> &str;

    /// The states whose covariance the regularizer wants as a reference, re-estimated at the start of every epoch; `None` if it needs none.
    fn reference_states(&self) -> Option<&StateSelection> {
        None
    }

    /// The states that the penalty is taken of, from which a training hook counts how many a batch has; by default those of the reference.
    fn states(&self) -> Option<&StateSelection> {
        self.reference_states()
    }

    /// The measure of a batch under which its states count as collapsed, about which a training hook warns; `None` if there is no such thing.
    fn collapsed_below(&self) -> Option<f64> {
        None
    }

    /// The penalty on the hidden states of one batch.
    ///
    /// # Shapes
    /// - `reference`: `[d, d]`, given if [`reference_states`](Self::reference_states) asks for it
    ///
    /// # Panics
    /// If the states or the reference do not have the shapes that the regularizer expects.
    fn penalty(&self, states: &HiddenStates, reference: Option<&Tensor<2>>) -> Penalty;
}

/// What a regularizer says of one batch.
#[derive(Clone, Debug)]
pub struct Penalty {
    /// What is added to the task's loss, weight included. Shape `[1]`.
    pub value: Tensor<1>,
    /// The measure behind it, without weight: the score of this batch. Shape `[1]`.
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

            fn penalty(&self, states: &HiddenStates, reference: Option<&Tensor<2>>) -> Penalty {
                self.as_ref().penalty(states, reference)
            }
        }
    )*};
}

delegate!(Arc, Box);
