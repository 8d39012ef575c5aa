use burn::nn::DropoutConfig;
use burn::tensor::Distribution;

use super::*;
use crate::oracle::{assert_composed, assert_fused};
use crate::stream::Stream;
use crate::tape::apply;

/// A mask of the type of `like`, which hides a third of the tokens.
fn mask(sizes: [usize; 3], like: &Tensor<1>) -> Tensor<4> {
    masked(sizes, like, |at| at % sizes[2] % 3 == 2)
}

fn masked(
    [sequences, rows, tokens]: [usize; 3],
    like: &Tensor<1>,
    hidden: impl Fn(usize) -> bool,
) -> Tensor<4> {
    let lowest = like.dtype().finfo().unwrap().min;
    let numbers = (0..sequences * rows * tokens).map(|at| if hidden(at) { lowest } else { 0.0 });
    let data = TensorData::new(numbers.collect::<Vec<f64>>(), [sequences, 1, rows, tokens]);
    Tensor::from_data(data, (&like.device().without_autodiff(), like.dtype()))
}

#[test]
fn values_and_gradients_are_those_of_the_composition() {
    let none = DropoutConfig::new(0.0).init();
    let sizes = [
        (2, 3, 5, 4, 1),
        (3, 2, 7, 3, 7),
        (2, 2, 200, 32, 1),
        (2, 2, 33, 17, 33),
    ];
    for (sequences, heads, tokens, d_head, rows) in sizes {
        let shape = [sequences, tokens, heads * d_head];
        assert_fused(&[&shape, &shape, &shape], |inputs| {
            let mask = mask([sequences, rows, tokens], &inputs[0]);
            let [query, key, value] = [0, 1, 2].map(|at| inputs[at].clone().reshape(shape));
            attention([query, key, value], mask, heads, 0.7, &none).reshape([-1])
        });
    }
}

/// A softmax of one number is constant. The composition is no oracle here: what is left of its
/// cancelling terms depends on their size.
#[test]
fn a_single_token_attends_to_itself() {
    let device = Device::flex().autodiff();
    let none = DropoutConfig::new(0.0).init();
    for (sequences, width) in [(2, 6), (1, 1)] {
        let random = || {
            Tensor::<3>::random(
                [sequences, 1, width],
                Distribution::Normal(0.0, 1.0),
                &device,
            )
        };
        let inputs = [random(), random(), random()].map(Tensor::require_grad);
        let mask = Tensor::zeros([sequences, 1, 1, 1], &Device::flex());
        let attended = attention(inputs.clone(), mask, 1, 0.7, &none);
        assert_eq!(attended.clone().into_data(), inputs[2].clone().into_data());
        let weights = random();
        let gradients = (attended * weights.clone()).sum().backward();
        let [query, key, value] = inputs.map(|input| input.grad(&gradients).unwrap());
        for constant in [query, key] {
            assert_eq!(constant.abs().max().into_scalar::<f32>(), 0.0);
        }
        assert_eq!(value.into_data(), weights.into_data());
    }
}

/// The mask swallows the scores, but not their gradients, in both forms: there is no
/// difference to compare with.
#[test]
fn sequences_without_tokens_are_those_of_the_composition() {
    let (shape, none) = ([2, 5, 6], DropoutConfig::new(0.0).init());
    let attended = |inputs: Vec<Tensor<1>>| {
        let mask = masked([2, 1, 5], &inputs[0], |at| at >= 5);
        let inputs = [0, 1, 2].map(|at| inputs[at].clone().reshape(shape));
        attention(inputs, mask, 2, 0.7, &none).reshape([-1])
    };
    assert_composed(&[&shape, &shape, &shape], &attended);
}

#[test]
fn strided_inputs_are_attended_as_ordered_ones() {
    let random =
        |shape| Tensor::<3>::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex());
    let (parts, none) = (random([4, 6, 24]), DropoutConfig::new(0.0).init());
    let part = |at: usize| parts.clone().slice([1..3, 0..6, 8 * at..8 * at + 8]);
    let ordered = |at| Tensor::from_data(part(at).into_data(), &Device::flex());
    let attended = |inputs| {
        attention(
            inputs,
            Tensor::zeros([2, 1, 1, 6], &Device::flex()),
            2,
            1.0,
            &none,
        )
        .into_data()
    };
    assert_eq!(
        attended([0, 1, 2].map(part)),
        attended([0, 1, 2].map(ordered))
    );
}

/// With dropout, weights and gradients are those of the composition with the same factors.
#[test]
fn dropout_acts_on_the_weights_in_both_directions() {
    let (sequences, heads, tokens, d_head) = (2, 3, 150, 4);
    let shape = [sequences, tokens, heads * d_head];
    let stream = Stream::new(0.8, 21);
    let mut factors = vec![0.0; sequences * heads * tokens * tokens];
    stream.fill(0, &mut factors);
    let factors = TensorData::new(factors, [sequences, heads, tokens, tokens]);
    assert_fused(&[&shape, &shape, &shape], |inputs| {
        let mask = mask([sequences, 1, tokens], &inputs[0]);
        let [query, key, value] = [0, 1, 2].map(|at| inputs[at].clone().reshape(shape));
        if crate::flex::holds(&inputs[0]) {
            let sizes = flex::Sizes {
                sequences,
                tokens,
                heads,
                d_head,
                mask_rows: 1,
            };
            let operation = flex::Attention {
                sizes,
                scale: 0.5,
                stream: Some(stream),
            };
            let inputs = [
                query.into_dispatch(),
                key.into_dispatch(),
                value.into_dispatch(),
                mask.into_dispatch(),
            ];
            return Tensor::<3>::from_dispatch(apply(operation, inputs)).reshape([-1]);
        }
        let split = |tensor: Tensor<3>| {
            tensor
                .reshape([sequences, tokens, heads, d_head])
                .swap_dims(1, 2)
        };
        let [query, key, value] = [query, key, value].map(split);
        let factors = Tensor::from_data(
            factors.clone(),
            (&query.device().without_autodiff(), query.dtype()),
        );
        let scores = query.matmul(key.transpose()) * 0.5 + mask;
        let context = (burn::tensor::activation::softmax(scores, 3) * factors).matmul(value);
        context.swap_dims(1, 2).reshape([-1])
    });
}

#[test]
#[should_panic(expected = "3 heads do not divide the width 8")]
fn heads_that_do_not_divide_the_width_are_refused() {
    let zeros = || Tensor::<3>::zeros([1, 2, 8], &Device::flex());
    let mask = Tensor::zeros([1, 1, 1, 2], &Device::flex());
    attention(
        [zeros(), zeros(), zeros()],
        mask,
        3,
        1.0,
        &DropoutConfig::new(0.0).init(),
    );
}
