//! Penalties of a batch whose states are never together: on several devices, or in several
//! micro-batches.

use core::fmt::Debug;

use burn::prelude::*;
use burn::tensor::Gradients;

use super::context::StepContext;
use super::penalty::Penalty;
use super::statistics::{Statistic, Statistics};
use crate::HiddenStates;

/// A regularizer whose penalty is a function of statistics that can be merged.
///
/// ```text
///   P = f(T)        T = merge(T₁ … T_K)        T_k = statistics of part k
/// ```
///
/// A batch can then be computed in parts, of which no device holds the states of two, and its
/// penalty is still that of the whole batch: see [`PooledPenalty`].
pub trait PooledRegularizer: Debug + Send + Sync {
    /// The statistics of the states of a part of a batch, differentiable with respect to the states.
    ///
    /// A step of the optimizer may call it twice for a part: it changes no state, and draws random
    /// numbers only as a function of the [step](StepContext::step) and of the place of the part in the
    /// batch.
    ///
    /// # Panics
    /// See [`Regularizer::penalty`](crate::Regularizer::penalty).
    fn statistics(&self, states: &HiddenStates, context: &StepContext) -> Statistics;

    /// The penalty of a batch with these statistics. A step of the optimizer calls it once.
    ///
    /// # Panics
    /// See [`Regularizer::penalty`](crate::Regularizer::penalty).
    fn penalty_of(&self, statistics: &Statistics, context: &StepContext) -> Penalty;

    /// Whether the statistics depend on where the part lies in the batch, because they are those of a
    /// sample of the whole: [`StepContext::first_sequence`], [`StepContext::batch_sequences`] and
    /// [`StepContext::batch_tokens`] must then be known to [`statistics`](Self::statistics).
    fn draws(&self) -> bool {
        false
    }
}

/// The penalty of a batch, and its gradient with respect to the statistics of each part.
///
/// ```text
///   s_k = ⟨∂P/∂T_k, T_k⟩        Σ_k ∂s_k/∂θ = ∂P/∂θ
/// ```
///
/// The gradients ∂P/∂T_k are constants, so each part can compute its [`surrogate`](Self::surrogate)
/// s_k and differentiate it alone; the sum of the parts' gradients is that of the penalty of the
/// whole batch. Penalties of the parts instead of the whole are biased: the score of few states is
/// lower than that of many, and its gradient has another direction.
///
/// ```
/// use burn::prelude::*;
/// use burn::tensor::Distribution;
/// use isostar_core::{
///     HiddenStates, IStarConfig, PooledPenalty, PooledRegularizer, StepContext,
/// };
///
/// let istar = IStarConfig::new(-0.1).with_shrinkage(0.0).init()?;
/// let device = Device::flex().autodiff();
/// let states = [(); 2].map(|()| {
///     Tensor::<3>::random([4, 16, 32], Distribution::Default, &device).require_grad()
/// });
///
/// let context = StepContext::default();
/// let states = states.map(|part| HiddenStates::from_layers(vec![part]));
/// let parts = states.map(|part| istar.statistics(&part, &context));
/// let whole = PooledPenalty::new(&istar, parts.to_vec(), &context);
/// for (k, part) in parts.iter().enumerate() {
///     let surrogate = whole.surrogate(k, part).expect("the penalty depends on the states");
///     let gradients = surrogate.backward();
///     # let _ = gradients;
/// }
/// # Ok::<(), isostar_core::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PooledPenalty {
    /// The penalty of the whole batch and its measure, without gradient.
    pub penalty: Penalty,
    slopes: Vec<Slopes>,
}

/// Gradient of the penalty with respect to the statistics of one part.
type Slopes = Vec<Slope>;

/// Gradient of the penalty with respect to one statistic of one part; `None` where the penalty does
/// not depend on it.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a step has a handful of them")]
enum Slope {
    Moments {
        mean: Option<Tensor<1>>,
        scatter: Option<Tensor<2>>,
    },
    Sum(Option<Tensor<1>>),
    States(Option<Tensor<3>>),
    Several(Slopes),
}

fn slopes(statistics: &Statistics, gradients: &Gradients) -> Slopes {
    let slope = |statistic: &Statistic| match statistic {
        Statistic::Moments(moments) => Slope::Moments {
            mean: moments.mean.grad(gradients),
            scatter: moments.scatter.grad(gradients),
        },
        Statistic::Sum(sum) => Slope::Sum(sum.grad(gradients)),
        Statistic::States(states) => Slope::States(states.states.grad(gradients)),
        Statistic::Several(statistics) => Slope::Several(slopes(statistics, gradients)),
    };
    statistics.0.iter().map(slope).collect()
}

/// The products of all slopes with their statistics.
fn products(slopes: &[Slope], statistics: &Statistics, found: &mut Vec<Tensor<1>>) {
    for (slope, statistic) in slopes.iter().zip(&statistics.0) {
        match (slope, statistic) {
            (Slope::Moments { mean, scatter }, Statistic::Moments(moments)) => {
                found.extend(product(mean, &moments.mean));
                found.extend(product(scatter, &moments.scatter));
            }
            (Slope::Sum(slope), Statistic::Sum(sum)) => found.extend(product(slope, sum)),
            (Slope::States(slope), Statistic::States(states)) => {
                found.extend(product(slope, &states.states));
            }
            (Slope::Several(slopes), Statistic::Several(statistics)) => {
                products(slopes, statistics, found);
            }
            _ => panic!("PooledPenalty::surrogate: the statistics have another form"),
        }
    }
}

/// ⟨slope, statistic⟩ on the device of the statistic. Shape `[1]`.
fn product<const D: usize>(slope: &Option<Tensor<D>>, statistic: &Tensor<D>) -> Option<Tensor<1>> {
    let device = statistic.device().without_autodiff();
    let slope = slope.clone()?.to_device(&device);
    Some((statistic.clone() * slope).sum())
}

impl PooledPenalty {
    /// The penalty of the batch whose parts have these statistics, computed on the device of the
    /// first part. The sums are taken in the order of the parts.
    ///
    /// # Panics
    /// If there is no part, or if the parts differ in form.
    pub fn new(
        regularizer: &(impl PooledRegularizer + ?Sized),
        parts: Vec<Statistics>,
        context: &StepContext,
    ) -> Self {
        let device = parts.first().and_then(Statistics::device);
        let leaf = |part: Statistics| {
            let part = part.without_autodiff();
            let part = match &device {
                Some(device) => part.to_device(&device.clone().without_autodiff()),
                None => part,
            };
            part.leaves()
        };
        let leaves: Vec<Statistics> = parts.into_iter().map(leaf).collect();
        let penalty = regularizer.penalty_of(&Statistics::merge(leaves.clone()), context);
        let value = &penalty.value;
        let slopes = match value.is_tracked() {
            true => {
                let gradients = value.backward();
                leaves.iter().map(|part| slopes(part, &gradients)).collect()
            }
            false => vec![Vec::new(); leaves.len()],
        };
        let penalty = penalty.without_autodiff();
        Self { penalty, slopes }
    }

    /// The surrogate s_k of part `part`, whose gradient is the part's share of that of the penalty;
    /// `None` if the penalty does not depend on the states. Its value has no meaning. Shape `[1]`.
    ///
    /// # Arguments
    /// - `statistics`: those of the part, on its own device and with its graph
    ///
    /// # Panics
    /// If there is no such part.
    pub fn surrogate(&self, part: usize, statistics: &Statistics) -> Option<Tensor<1>> {
        let mut found = Vec::new();
        products(&self.slopes[part], statistics, &mut found);
        found.into_iter().reduce(|sum, product| sum + product)
    }
}
