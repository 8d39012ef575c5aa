//! Statistics of the states of a part of a batch, which can be merged.

use burn::prelude::*;

use crate::{Moments, SequenceStates};

/// One statistic of the states of a part of a batch.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a step has a handful of them")]
pub enum Statistic {
    /// Count, mean and scatter; merged by [`Moments::union`].
    Moments(Moments),
    /// Sums over the states or over the sequences of the part; merged by adding. Shape `[k]`.
    Sum(Tensor<1>),
    /// States of the part, for estimators that tell sequences apart; merged by joining the sequences,
    /// see [`SequenceStates::union`].
    States(SequenceStates),
    /// Statistics of one of several regularizers, or several of one group of layers.
    Several(Statistics),
}

/// Statistics of the states of a part of a batch: all that a penalty needs to know of them.
///
/// The statistics of all parts have the same form, whatever the number and the length of their
/// sequences.
#[derive(Clone, Debug)]
pub struct Statistics(pub Vec<Statistic>);

/// A function of tensors of any rank.
pub(super) trait TensorMap {
    fn apply<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D>;
}

/// As a constant.
struct Constant;

impl TensorMap for Constant {
    fn apply<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D> {
        tensor.without_autodiff()
    }
}

/// On another device.
struct Moved<'a>(&'a Device);

impl TensorMap for Moved<'_> {
    fn apply<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D> {
        tensor.to_device(self.0)
    }
}

/// As a leaf of a graph of its own.
struct Leaf;

impl TensorMap for Leaf {
    fn apply<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D> {
        tensor.without_autodiff().autodiff().require_grad()
    }
}

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
        self.map(&Constant, &Constant)
    }

    /// These statistics on another device.
    pub fn to_device(self, device: &Device) -> Self {
        self.map(&Moved(device), &Moved(device))
    }

    /// These statistics as leaves of a graph of their own. Numbers of states are constants.
    pub(super) fn leaves(self) -> Self {
        self.map(&Leaf, &Constant)
    }

    /// The device of these statistics; `None` if there are none.
    pub fn device(&self) -> Option<Device> {
        self.0.first().and_then(|statistic| match statistic {
            Statistic::Moments(moments) => Some(moments.scatter.device()),
            Statistic::Sum(sum) => Some(sum.device()),
            Statistic::States(states) => Some(states.states.device()),
            Statistic::Several(statistics) => statistics.device(),
        })
    }

    /// Applies a map to the values, and another to the numbers of states.
    fn map(self, values: &impl TensorMap, counts: &impl TensorMap) -> Self {
        let mapped = self.0.into_iter().map(|statistic| match statistic {
            Statistic::Moments(moments) => Statistic::Moments(Moments {
                count: counts.apply(moments.count),
                mean: values.apply(moments.mean),
                scatter: values.apply(moments.scatter),
            }),
            Statistic::Sum(sum) => Statistic::Sum(values.apply(sum)),
            Statistic::States(states) => Statistic::States(SequenceStates {
                states: values.apply(states.states),
                counted: counts.apply(states.counted),
            }),
            Statistic::Several(statistics) => Statistic::Several(statistics.map(values, counts)),
        });
        Self(mapped.collect())
    }
}

impl Statistic {
    fn merge(parts: Vec<Self>) -> Self {
        let count = parts.len();
        let (mut moments, mut sums) = (Vec::new(), Vec::new());
        let (mut states, mut several) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Self::Moments(part) => moments.push(part),
                Self::Sum(part) => sums.push(part),
                Self::States(part) => states.push(part),
                Self::Several(part) => several.push(part),
            }
        }
        let found = [moments.len(), sums.len(), states.len(), several.len()];
        match found.map(|found| found == count) {
            [true, ..] => Self::Moments(Moments::union(moments)),
            [_, true, ..] => {
                let sum = sums.into_iter().reduce(|sum, part| sum + part);
                Self::Sum(sum.expect("there is at least one part"))
            }
            [_, _, true, _] => Self::States(SequenceStates::union(states)),
            [.., true] => Self::Several(Statistics::merge(several)),
            _ => panic!("Statistics::merge: the parts have different statistics"),
        }
    }
}
