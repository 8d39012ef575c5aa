//! The operations and their gradients on every device of this build, beside the fused ones of flex.
//! The shapes are odd, so that no row or column fills a block of a GPU.
#![cfg(feature = "flex")]

use burn::nn::{Dropout, DropoutConfig};
use burn::prelude::*;
use isostar_kernels::{
    AdamWUpdate, Normalization, adamw, attention, gelu, gelu_new, layer_norm, linear, moments,
    nonzero_rows, residual_norm, silu,
};

/// Relative to the largest number of a tensor.
const AGREEMENT: f32 = 2e-5;

/// The devices beside flex.
fn devices() -> Vec<(&'static str, Device)> {
    #[allow(deprecated, reason = "a second device, wherever the tests run")]
    let ndarray = Device::ndarray();
    vec![
        ("ndarray", ndarray),
        #[cfg(feature = "wgpu")]
        (
            "wgpu",
            Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        ),
    ]
}

/// Numbers between −2.1 and 2.1 without a pattern.
fn input<const D: usize>(shape: [usize; D], seed: usize, device: &Device) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let numbers: Vec<f32> = (0..count)
        .map(|at| 2.1 * ((at * 37 + seed * 101) as f32 * 0.7).sin())
        .collect();
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

fn no_dropout() -> Dropout {
    DropoutConfig::new(0.0).init()
}

/// Whether each of 35 tokens, five sequences of seven, is no padding: sequences have 3 to 7 tokens.
fn is_token() -> [bool; 35] {
    std::array::from_fn(|at| at % 7 < 3 + at / 7)
}

/// Compares a function and its gradients on every device with flex.
fn compare<const D: usize, const N: usize, const E: usize>(
    name: &str,
    shapes: [[usize; D]; N],
    function: impl Fn([Tensor<D>; N]) -> Tensor<E>,
) {
    let compute = |device: &Device| -> Vec<Vec<f32>> {
        let device = device.clone().autodiff();
        let mut seed = 0;
        let inputs = shapes.map(|shape| {
            seed += 1;
            input(shape, seed, &device).require_grad()
        });
        let output = function(inputs.clone());
        let weights = input(output.dims(), 9, &device);
        let gradients = (output.clone() * weights).sum().backward();
        let gradients = inputs.map(|input| input.grad(&gradients).expect("every input is used"));
        std::iter::once(output.into_data())
            .chain(gradients.map(Tensor::into_data))
            .map(|data| data.iter().collect())
            .collect()
    };
    let expected = compute(&Device::flex());
    for (backend, device) in devices() {
        for (part, (found, expected)) in compute(&device).iter().zip(&expected).enumerate() {
            assert_close(
                &format!("{name} on {backend}, tensor {part}"),
                found,
                expected,
            );
        }
    }
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    let largest = expected
        .iter()
        .fold(0.0, |largest: f32, number| largest.max(number.abs()));
    assert!(largest > 0.0, "{what}: nothing but zeros");
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs() / largest;
        assert!(
            difference < AGREEMENT,
            "{what}, number {at}: {found} for {expected}, {difference:.1e} of the largest"
        );
    }
}

#[test]
fn activations_are_those_of_flex() {
    compare("gelu", [[7, 13]], |[x]| gelu(x));
    compare("gelu_new", [[7, 13]], |[x]| gelu_new(x));
    compare("silu", [[7, 13]], |[x]| silu(x));
}

#[test]
fn normalizations_are_those_of_flex() {
    let norm = |[gamma, beta]: [Tensor<2>; 2]| Normalization {
        gamma: gamma.reshape([13]),
        beta: beta.reshape([13]),
        epsilon: 1e-5,
    };
    let [full, row] = [[7, 13], [1, 13]];
    compare("layer_norm", [full, row, row], |[x, gamma, beta]| {
        layer_norm(x, norm([gamma, beta]))
    });
    compare(
        "residual_norm",
        [full, full, row, row],
        |[x, branch, gamma, beta]| residual_norm(x, branch, &no_dropout(), norm([gamma, beta])),
    );
}

#[test]
fn linear_layers_are_those_of_flex() {
    compare("linear", [[7, 13], [13, 5], [1, 5]], |[x, weight, bias]| {
        linear(x, weight, Some(bias.reshape([5])))
    });
    compare(
        "linear without a bias",
        [[7, 13], [13, 5]],
        |[x, weight]| linear(x, weight, None),
    );
}

#[test]
fn attention_under_a_mask_is_that_of_flex() {
    let padding = is_token().map(|is_token| if is_token { 0.0 } else { f32::MIN });
    compare("attention", [[5, 7, 12]; 3], |factors| {
        let device = factors[0].device().without_autodiff();
        let mask = Tensor::<1>::from_floats(padding, &device).reshape([5, 1, 1, 7]);
        attention(factors, mask, 3, 0.5, &no_dropout())
    });
}

#[test]
fn moments_under_a_mask_are_those_of_flex() {
    for is_masked in [false, true] {
        compare("moments", [[35, 6], [35, 6]], |sets| {
            let device = sets[0].device().without_autodiff();
            let mask = is_masked.then(|| Tensor::<1, Bool>::from_bool(is_token(), &device));
            let (_, mean, scatter) = moments(sets.to_vec(), mask);
            Tensor::cat(vec![mean.unsqueeze::<2>(), scatter / 10.0], 0)
        });
    }
}

#[test]
fn rows_that_are_not_zero_are_those_of_flex() {
    let found = |device: &Device| {
        let squares = input([9, 1], 3, device).clamp_min(0.0);
        nonzero_rows(squares)
            .into_data()
            .iter()
            .collect::<Vec<f32>>()
    };
    let expected = found(&Device::flex());
    assert!(expected.contains(&0.0) && expected.contains(&1.0));
    for (backend, device) in devices() {
        assert_eq!(found(&device), expected, "{backend}");
    }
}

#[test]
fn updates_of_the_optimizer_are_those_of_flex() {
    let update = |device: &Device| {
        let mut parameter = input([7, 13], 1, device);
        let mut moments = None;
        for step in 1..=3 {
            let update = AdamWUpdate {
                rate: 1e-2,
                weight_decay: 0.1,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
                step,
            };
            let gradient = input([7, 13], 1 + step, device);
            let (updated, state) = adamw(&update, parameter, gradient, moments);
            (parameter, moments) = (updated, Some(state));
        }
        parameter.into_data().iter().collect::<Vec<f32>>()
    };
    for (backend, device) in devices() {
        assert_close(
            &format!("adamw on {backend}"),
            &update(&device),
            &update(&Device::flex()),
        );
    }
}
