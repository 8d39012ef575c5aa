//! Penalties of a batch whose states are never together: on several devices, or in several
//! micro-batches.

use core::fmt::Debug;

use burn::prelude::*;
use burn::tensor::Gradients;

use super::context::StepContext;
use super::penalty::Penalty;
use crate::{HiddenStates, Moments};

/// One statistic of the states of a part of a batch.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a step has a handful of them")]
pub enum Statistic {
    /// Count, mean and scatter; merged by [`Moments::union`].
    Moments(Moments),
    /// Sums over the states or over the sequences of the part; merged by adding. Shape `[k]`.
    Sum(Tensor<1>),
    /// Statistics of one of several regularizers.
    Several(Statistics),
}

/// Statistics of the states of a part of a batch: all that a penalty needs to know of them.
///
/// The statistics of all parts have the same form, whatever the number and the length of their
/// sequences.
#[derive(Clone, Debug)]
pub struct Statistics(pub Vec<Statistic>);

impl Statistics {
    /// The statistics of the union of disjoint parts, differentiable with respect to those of each.
    ///
    /// # Panics
    /// If there is no part, or if the parts differ in form.
    pub fn merge(parts: Vec<Self>) -> Self {
        let forms: Vec<usize> = parts.iter().map(|part| part.0.len()).collect();
        let count = *forms
            .first()
            .expect("Statistics::merge: there must be at least one part");
        assert!(
            forms.iter().all(|form| *form == count),
            "Statistics::merge: the parts have {forms:?} statistics"
        );
        let mut parts: Vec<_> = parts.into_iter().map(|part| part.0.into_iter()).collect();
        let merged = (0..count).map(|_| {
            let of_parts = parts.iter_mut().filter_map(Iterator::next);
            Statistic::merge(of_parts.collect())
        });
        Self(merged.collect())
    }

    /// These statistics as constants.
    pub fn without_autodiff(self) -> Self {
        self.map(&Tensor::without_autodiff, &Tensor::without_autodiff)
    }

    /// These statistics on another device.
    pub fn to_device(self, device: &Device) -> Self {
        self.map(&|vector| vector.to_device(device), &|matrix| {
            matrix.to_device(device)
        })
    }

    /// The device of these statistics; `None` if there are none.
    pub fn device(&self) -> Option<Device> {
        self.0.first().and_then(|statistic| match statistic {
            Statistic::Moments(moments) => Some(moments.scatter.device()),
            Statistic::Sum(sum) => Some(sum.device()),
            Statistic::Several(statistics) => statistics.device(),
        })
    }

    fn map(
        self,
        vector: &dyn Fn(Tensor<1>) -> Tensor<1>,
        matrix: &dyn Fn(Tensor<2>) -> Tensor<2>,
    ) -> Self {
        let mapped = self.0.into_iter().map(|statistic| match statistic {
            Statistic::Moments(moments) => Statistic::Moments(Moments {
                count: vector(moments.count),
                mean: vector(moments.mean),
                scatter: matrix(moments.scatter),
            }),
            Statistic::Sum(sum) => Statistic::Sum(vector(sum)),
            Statistic::Several(statistics) => Statistic::Several(statistics.map(vector, matrix)),
        });
        Self(mapped.collect())
    }
}

impl Statistic {
    fn merge(parts: Vec<Self>) -> Self {
        let count = parts.len();
        let (mut moments, mut sums, mut several) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            match part {
                Self::Moments(part) => moments.push(part),
                Self::Sum(part) => sums.push(part),
                Self::Several(part) => several.push(part),
            }
        }
        match [moments.len(), sums.len(), several.len()].map(|found| found == count) {
            [true, ..] => Self::Moments(Moments::union(moments)),
            [_, true, _] => {
                let sum = sums.into_iter().reduce(|sum, part| sum + part);
                Self::Sum(sum.expect("there is at least one part"))
            }
            [.., true] => Self::Several(Statistics::merge(several)),
            _ => panic!("Statistics::merge: the parts have different statistics"),
        }
    }
}

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
    /// A step of the optimizer may call it twice for a part: it changes no state and draws no random
    /// numbers.
    ///
    /// # Panics
    /// See [`Regularizer::penalty`](crate::Regularizer::penalty).
    fn statistics(&self, states: &HiddenStates, context: &StepContext) -> Statistics;

    /// The penalty of a batch with these statistics. A step of the optimizer calls it once.
    ///
    /// # Panics
    /// See [`Regularizer::penalty`](crate::Regularizer::penalty).
    fn penalty_of(&self, statistics: &Statistics, context: &StepContext) -> Penalty;
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
    Several(Slopes),
}

fn slopes(statistics: &Statistics, gradients: &Gradients) -> Slopes {
    let slope = |statistic: &Statistic| match statistic {
        Statistic::Moments(moments) => Slope::Moments {
            mean: moments.mean.grad(gradients),
            scatter: moments.scatter.grad(gradients),
        },
        Statistic::Sum(sum) => Slope::Sum(sum.grad(gradients)),
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
            part.map(&|vector| vector.autodiff().require_grad(), &|matrix| {
                matrix.autodiff().require_grad()
            })
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
