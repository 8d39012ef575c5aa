//! Statistics as the data of their tensors, for processes that share a batch.

use burn::prelude::*;
use burn::tensor::Transaction;

use super::statistics::{Statistic, Statistics};
use crate::{Moments, SequenceStates};

const MOMENTS: u8 = 0;
const SUM: u8 = 1;
const SEVERAL: u8 = 2;
const STATES: u8 = 3;

impl Statistics {
    /// The kinds of the statistics in preorder: 0 for [`Statistic::Moments`], 1 for
    /// [`Statistic::Sum`], 2 and their number for [`Statistic::Several`], 3 for
    /// [`Statistic::States`].
    ///
    /// # Panics
    /// If one of several regularizers has more than 255 statistics.
    pub fn form(&self) -> Vec<u8> {
        let mut form = Vec::new();
        for statistic in &self.0 {
            match statistic {
                Statistic::Moments(_) => form.push(MOMENTS),
                Statistic::Sum(_) => form.push(SUM),
                Statistic::States(_) => form.push(STATES),
                Statistic::Several(inner) => {
                    let count = u8::try_from(inner.0.len());
                    form.extend([SEVERAL, count.expect("at most 255 statistics")]);
                    form.extend(inner.form());
                }
            }
        }
        form
    }

    /// Adds the tensors to a transaction, without autodiff: count, mean and scatter of moments, states
    /// and what is counted of them, in the order of the [`form`](Self::form).
    pub fn register(&self, transaction: Transaction) -> Transaction {
        self.0.iter().fold(transaction, |transaction, statistic| {
            match statistic.clone() {
                Statistic::Moments(moments) => transaction
                    .register(moments.count.without_autodiff())
                    .register(moments.mean.without_autodiff())
                    .register(moments.scatter.without_autodiff()),
                Statistic::Sum(sum) => transaction.register(sum.without_autodiff()),
                Statistic::States(states) => transaction
                    .register(states.states.without_autodiff())
                    .register(states.counted.without_autodiff()),
                Statistic::Several(inner) => inner.register(transaction),
            }
        })
    }

    /// The statistics of this form with the tensors that [`register`](Self::register) has added,
    /// without gradient; `None` if they do not fit.
    pub fn from_data(
        form: &[u8],
        data: &mut dyn Iterator<Item = TensorData>,
        device: &Device,
    ) -> Option<Self> {
        let mut rest = form;
        let mut statistics = Vec::new();
        while !rest.is_empty() {
            statistics.push(statistic(&mut rest, data, device)?);
        }
        Some(Self(statistics))
    }
}

fn statistic(
    form: &mut &[u8],
    data: &mut dyn Iterator<Item = TensorData>,
    device: &Device,
) -> Option<Statistic> {
    let (kind, rest) = form.split_first()?;
    *form = rest;
    Some(match *kind {
        MOMENTS => Statistic::Moments(Moments {
            count: tensor(data.next()?, device)?,
            mean: tensor(data.next()?, device)?,
            scatter: tensor(data.next()?, device)?,
        }),
        SUM => Statistic::Sum(tensor(data.next()?, device)?),
        STATES => Statistic::States(SequenceStates {
            states: tensor(data.next()?, device)?,
            counted: tensor(data.next()?, device)?,
        }),
        SEVERAL => {
            let (count, rest) = form.split_first()?;
            *form = rest;
            let inner = (0..*count).map(|_| statistic(form, data, device));
            Statistic::Several(Statistics(inner.collect::<Option<_>>()?))
        }
        _ => return None,
    })
}

fn tensor<const D: usize>(data: TensorData, device: &Device) -> Option<Tensor<D>> {
    let dtype = data.dtype();
    let is_fit = data.shape().num_dims() == D && dtype.is_float();
    is_fit.then(|| Tensor::from_data(data, (device, dtype)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(seed: f32) -> Moments {
        let points = (0..12).map(|at| (at as f32 * seed).sin()).collect();
        let points = TensorData::new(points, [4, 3]);
        Moments::from_points(Tensor::from_data(points, &Device::default()))
    }

    fn numbers(statistics: &Statistics) -> Vec<TensorData> {
        statistics.register(Transaction::default()).execute()
    }

    #[test]
    fn statistics_are_rebuilt_from_their_form_and_data() {
        let sum = Statistic::Sum(Tensor::from_floats([1.5, -2.0], &Device::default()));
        let inner = Statistics(vec![Statistic::Moments(moments(0.7)), sum.clone()]);
        let statistics = Statistics(vec![
            Statistic::Several(inner),
            sum,
            Statistic::Several(Statistics(Vec::new())),
            Statistic::Moments(moments(1.3)),
            Statistic::States(SequenceStates {
                states: Tensor::ones([2, 3, 4], &Device::default()),
                counted: Tensor::ones([2, 3], &Device::default()),
            }),
        ]);
        let (form, data) = (statistics.form(), numbers(&statistics));
        assert_eq!(form, [2, 2, 0, 1, 1, 2, 0, 0, 3]);
        let mut read = data.clone().into_iter();
        let found = Statistics::from_data(&form, &mut read, &Device::default()).unwrap();
        assert_eq!(read.next(), None);
        assert_eq!((found.form(), numbers(&found)), (form, data));
    }

    #[test]
    fn data_of_another_form_is_refused() {
        let statistics = Statistics(vec![Statistic::Moments(moments(0.7))]);
        let data = numbers(&statistics);
        for form in [&[1, 1, 0][..], &[0, 1], &[2, 2, 0], &[2], &[3], &[4]] {
            let read = &mut data.clone().into_iter();
            let found = Statistics::from_data(form, read, &Device::default());
            assert!(found.is_none(), "{form:?}");
        }
    }
}
