//! Operations on flex that record a gradient of their own on Burn's tape.
//!
//! Burn's attribute `backend_extension` dispatches an operation to every backend. Here, only flex
//! has forms of its own, so the primitives of flex are taken out of the tensor, and the operation
//! joins the tape as one step, by Burn's trait `Backward`. Other backends run the composition.

use std::fmt::Debug;
use std::mem::MaybeUninit;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{
    BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, BackendTensor, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind, Flex,
    GradientCheckpointingStrategy,
};
use burn::prelude::*;
use rayon::prelude::*;

/// A tensor and its place on a tape.
type Place = FloatTensor<Autodiff<Flex>>;

/// An operation with its gradient, on `N` tensors of f32.
pub(crate) trait Operation<const N: usize>: Clone + Debug + Send + 'static {
    /// What the backward pass needs.
    type Saved: Clone + Debug + Send + 'static;

    /// Returns the value and what the backward pass needs. `tracked` says which inputs take a
    /// gradient: if there is none, what is saved is dropped at once.
    fn forward(&self, inputs: [FlexTensor; N], tracked: [bool; N]) -> (FlexTensor, Self::Saved);

    /// Returns the gradients of the tracked inputs, given the gradient of the value.
    fn backward(
        self,
        saved: Self::Saved,
        gradient: FlexTensor,
        tracked: [bool; N],
    ) -> [Option<FlexTensor>; N];
}

/// Applies `operation`, and records it on the tape if an input is on an autodiff device.
///
/// Inputs without autodiff are constants. To be called by functions without type parameters: the
/// others are compiled as part of the crate that calls them, with its level of optimization.
///
/// # Panics
/// If an input is not a float tensor on flex, or if two inputs have different strategies of
/// gradient checkpointing.
pub(crate) fn apply<const N: usize>(
    operation: impl Operation<N>,
    inputs: [DispatchTensor; N],
) -> DispatchTensor {
    let contexts = inputs.each_ref().map(|input| input.autodiff);
    let context = contexts.into_iter().fold(
        DispatchAutodiffContext::Disabled,
        DispatchAutodiffContext::merge,
    );
    let inputs = inputs.map(primitive);
    let kind = match context {
        DispatchAutodiffContext::Disabled => {
            let (value, _) = operation.forward(inputs.map(Place::into_primitive), [false; N]);
            DispatchTensorKind::Flex(BackendTensor::Float(value))
        }
        DispatchAutodiffContext::Enabled(strategy) => {
            let value = match strategy {
                GradientCheckpointingStrategy::Disabled => {
                    record::<_, NoCheckpointing, N>(operation, inputs)
                }
                GradientCheckpointingStrategy::Balanced => {
                    record::<_, BalancedCheckpointing, N>(operation, inputs)
                }
            };
            DispatchTensorKind::Autodiff(Box::new(DispatchTensorKind::Flex(
                BackendTensor::Autodiff(value),
            )))
        }
    };
    DispatchTensor {
        kind,
        autodiff: context,
    }
}

fn primitive(tensor: DispatchTensor) -> Place {
    match tensor.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => return Place::new(tensor),
        DispatchTensorKind::Autodiff(inner) => {
            if let DispatchTensorKind::Flex(BackendTensor::Autodiff(tensor)) = *inner {
                return tensor;
            }
        }
        _ => {}
    }
    panic!("the tensor is not a float tensor on flex")
}

fn record<O: Operation<N>, C: CheckpointStrategy, const N: usize>(
    operation: O,
    inputs: [Place; N],
) -> Place {
    let tracked = inputs.each_ref().map(Place::is_tracked);
    let nodes = inputs.each_ref().map(Place::node);
    let inputs = inputs.map(Place::into_primitive);
    match Recorded(operation.clone())
        .prepare::<C>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(step) => {
            let (value, saved) = operation.forward(inputs, tracked);
            step.finish(saved, value)
        }
        OpsKind::UnTracked(step) => step.finish(operation.forward(inputs, tracked).0),
    }
}

/// The step of an operation on the tape.
#[derive(Debug)]
struct Recorded<O>(O);

impl<O: Operation<N>, const N: usize> Backward<Flex, N> for Recorded<O> {
    type State = O::Saved;

    fn backward(self, step: Ops<O::Saved, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&step.node);
        let tracked = step.parents.each_ref().map(Option::is_some);
        let found = self.0.backward(step.state, gradient, tracked);
        for (parent, gradient) in step.parents.into_iter().zip(found) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// The tensor with its numbers in the order of its shape: itself, or a copy if it is strided.
pub(crate) fn in_order(tensor: FlexTensor) -> FlexTensor {
    let whole = tensor
        .as_slice::<f32>()
        .is_some_and(|numbers| size_of_val(numbers) == tensor.bytes().len());
    if whole {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

/// The numbers of a tensor that [`in_order`] returned.
pub(crate) fn numbers(tensor: &FlexTensor) -> &[f32] {
    tensor.storage()
}

/// A tensor of these numbers.
pub(crate) fn tensor(numbers: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(numbers, shape))
}

/// Returns `count` numbers that `work` writes, on all threads: it takes the index of a chunk and
/// the chunk, which holds zeros. What the compiler inlines of `work` runs in wide registers; long
/// loops belong in a function of [`wide`](crate::wide::wide).
pub(crate) fn written(
    count: usize,
    chunk: usize,
    work: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    let chunks = count.div_ceil(chunk.max(1));
    written_beside(
        count,
        chunk,
        (0..chunks).into_par_iter(),
        |_, numbers, index| work(index, numbers),
    )
    .0
}

/// [`written`] with something else for each chunk that `work` takes, and something that it returns.
///
/// # Panics
/// If `beside` is not as long as there are chunks.
pub(crate) fn written_beside<B: Send, R: Send>(
    count: usize,
    chunk: usize,
    beside: impl IndexedParallelIterator<Item = B>,
    work: impl Fn(usize, &mut [f32], B) -> R + Sync,
) -> (Vec<f32>, Vec<R>) {
    let chunk = chunk.max(1);
    assert_eq!(
        beside.len(),
        count.div_ceil(chunk),
        "one item for each chunk"
    );
    let arch = pulp::Arch::new();
    let mut values: Vec<f32> = Vec::with_capacity(count);
    let chunks = values.spare_capacity_mut()[..count]
        .par_chunks_mut(chunk)
        .zip(beside)
        .enumerate();
    let returned = chunks.map(|(index, (chunk, beside))| {
        chunk.fill(MaybeUninit::new(0.0));
        // SAFETY: every number of the chunk was written on the line above.
        let chunk = unsafe { chunk.assume_init_mut() };
        arch.dispatch(|| work(index, chunk, beside))
    });
    let returned = returned.collect();
    // SAFETY: the chunks cover the first `count` numbers, and each of them was written.
    unsafe { values.set_len(count) };
    (values, returned)
}

/// Applies `work` to each chunk of the tensor, as [`written`] does; the chunk holds the tensor's
/// numbers. Works in place if nothing else holds the tensor.
pub(crate) fn changed(
    tensor: FlexTensor,
    chunk: usize,
    work: impl Fn(usize, &mut [f32]) + Sync,
) -> FlexTensor {
    let mut tensor = in_order(tensor);
    let chunk = chunk.max(1);
    if let Some(numbers) = tensor.try_storage_mut::<f32>() {
        numbers
            .par_chunks_mut(chunk)
            .enumerate()
            .for_each(|(index, chunk)| work(index, chunk));
        return tensor;
    }
    let from = numbers(&tensor);
    let values = written(from.len(), chunk, |index, numbers| {
        numbers.copy_from_slice(&from[index * chunk..][..numbers.len()]);
        work(index, numbers);
    });
    self::tensor(values, tensor.layout().shape().clone())
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    /// x·y.
    #[derive(Clone, Debug)]
    struct Product;

    impl Operation<2> for Product {
        type Saved = [FlexTensor; 2];

        fn forward(&self, inputs: [FlexTensor; 2], _: [bool; 2]) -> (FlexTensor, Self::Saved) {
            (product(&inputs[0], &inputs[1]), inputs)
        }

        fn backward(
            self,
            saved: Self::Saved,
            gradient: FlexTensor,
            tracked: [bool; 2],
        ) -> [Option<FlexTensor>; 2] {
            [0, 1].map(|input| tracked[input].then(|| product(&saved[1 - input], &gradient)))
        }
    }

    fn product(one: &FlexTensor, other: &FlexTensor) -> FlexTensor {
        let [one, other] = [one, other].map(|tensor| in_order(tensor.clone()));
        let found = numbers(&one)
            .iter()
            .zip(numbers(&other))
            .map(|(one, other)| one * other)
            .collect();
        tensor(found, one.layout().shape().clone())
    }

    fn applied(one: Tensor<2>, other: Tensor<2>) -> Tensor<2> {
        Tensor::from_dispatch(apply(Product, [one.into_dispatch(), other.into_dispatch()]))
    }

    fn random(device: &Device) -> Tensor<2> {
        Tensor::random([3, 5], Distribution::Normal(0.0, 1.0), device)
    }

    #[test]
    fn the_gradients_of_an_operation_join_those_of_burn() {
        for device in [
            Device::flex().autodiff(),
            Device::flex().autodiff().gradient_checkpointing(),
        ] {
            let [one, other] = [
                random(&device).require_grad(),
                random(&device).require_grad(),
            ];
            let gradients = |f: fn(Tensor<2>, Tensor<2>) -> Tensor<2>| {
                let loss = (f(one.clone().exp(), other.clone()) + one.clone())
                    .square()
                    .sum();
                let gradients = loss.backward();
                [&one, &other].map(|tensor| tensor.grad(&gradients).unwrap().into_data())
            };
            assert_eq!(gradients(applied), gradients(|one, other| one * other));
        }
    }

    #[test]
    fn constants_take_no_gradient_and_plain_tensors_stay_plain() {
        let plain = Device::flex();
        let one = random(&plain.clone().autodiff()).require_grad();
        let other = random(&plain);
        let gradients = applied(one.clone(), other.clone()).sum().backward();
        assert_eq!(
            one.grad(&gradients).unwrap().into_data(),
            other.clone().into_data()
        );
        assert!(!applied(other.clone(), other).device().is_autodiff());
    }

    #[test]
    fn strided_tensors_are_put_in_order() {
        let one = random(&Device::flex());
        let strided = Tensor::<2>::from_data(one.clone().transpose().into_data(), &Device::flex())
            .transpose();
        assert_eq!(
            applied(strided.clone(), one.clone()).into_data(),
            (one.clone() * one.clone()).into_data()
        );
        let part = |tensor: Tensor<2>| tensor.slice([1..3, 0..5]);
        assert_eq!(
            applied(part(one.clone()), part(strided)).into_data(),
            part(one.square()).into_data()
        );
    }

    #[test]
    fn a_tensor_that_is_held_elsewhere_is_copied() {
        let one = primitive(random(&Device::flex()).into_dispatch()).into_primitive();
        let doubled = |tensor| {
            changed(tensor, 4, |_, numbers| {
                numbers.iter_mut().for_each(|number| *number *= 2.0)
            })
        };
        let before = numbers(&one).to_vec();
        let place = numbers(&one).as_ptr();
        let copy = doubled(one.clone());
        assert_eq!(numbers(&one), before);
        let changed = doubled(one);
        assert_eq!(numbers(&changed).as_ptr(), place);
        assert_eq!(numbers(&copy), numbers(&changed));
        assert_eq!(
            numbers(&copy),
            before.iter().map(|number| 2.0 * number).collect::<Vec<_>>()
        );
    }

    #[test]
    fn chunks_of_any_length_are_written() {
        for (count, chunk) in [(0, 4), (1, 4), (9, 4), (8, 4)] {
            let found = written(count, chunk, |index, numbers| {
                for (at, number) in numbers.iter_mut().enumerate() {
                    assert_eq!(*number, 0.0);
                    *number = (index * chunk + at) as f32;
                }
            });
            assert_eq!(found, (0..count).map(|at| at as f32).collect::<Vec<_>>());
        }
    }
}
