use burn::nn::DropoutConfig;
use burn::tensor::Distribution;

use super::*;
use crate::oracle::assert_fused;
use crate::stream::Stream;

const SIZES: [[usize; 3]; 5] = [[2, 3, 8], [1, 1, 5], [3, 7, 33], [1, 200, 384], [2, 1, 1]];

fn normalization(inputs: &[Tensor<1>]) -> Normalization {
    Normalization {
        gamma: inputs[0].clone(),
        beta: inputs[1].clone(),
        epsilon: 1e-3,
    }
}

#[test]
fn values_and_gradients_are_those_of_the_composition() {
    for shape in SIZES {
        assert_fused(&[&shape, &shape[2..], &shape[2..]], |inputs| {
            layer_norm(
                inputs[0].clone().reshape(shape),
                normalization(&inputs[1..]),
            )
            .reshape([-1])
        });
    }
}

#[test]
fn the_residual_sum_and_its_gradients_are_those_of_the_composition() {
    let none = DropoutConfig::new(0.0).init();
    for shape in SIZES {
        assert_fused(&[&shape, &shape, &shape[2..], &shape[2..]], |inputs| {
            let [residual, branch] = [0, 1].map(|at| inputs[at].clone().reshape(shape));
            residual_norm(residual, branch, &none, normalization(&inputs[2..])).reshape([-1])
        });
    }
}

/// With dropout, values and gradients are those of the composition with the same factors.
#[test]
fn dropout_acts_on_the_branch_in_both_directions() {
    let shape = [3, 40, 173];
    let stream = Stream::new(0.7, 3);
    let mut factors = vec![0.0; shape.iter().product()];
    stream.fill(0, &mut factors);
    let factors = TensorData::new(factors, shape);
    assert_fused(&[&shape, &shape, &shape[2..], &shape[2..]], |inputs| {
        let [residual, branch] = [0, 1].map(|at| inputs[at].clone().reshape(shape));
        let norm = normalization(&inputs[2..]);
        if crate::flex::holds(&inputs[0]) {
            let [gamma, beta] = [norm.gamma, norm.beta].map(Tensor::into_dispatch);
            let inputs = [
                residual.into_dispatch(),
                branch.into_dispatch(),
                gamma,
                beta,
            ];
            let normalized = flex::residual_norm(inputs, norm.epsilon as f32, Some(stream));
            return Tensor::<3>::from_dispatch(normalized).reshape([-1]);
        }
        let factors = Tensor::from_data(
            factors.clone(),
            (&branch.device().without_autodiff(), branch.dtype()),
        );
        layer_norm(residual + branch * factors, norm).reshape([-1])
    });
}

#[test]
fn a_branch_that_is_held_elsewhere_keeps_its_numbers() {
    let device = Device::flex();
    let [residual, branch] =
        [(); 2].map(|()| Tensor::<2>::random([3, 4], Distribution::Default, &device));
    let before = branch.clone().into_data();
    let norm = Normalization {
        gamma: Tensor::ones([4], &device),
        beta: Tensor::zeros([4], &device),
        epsilon: 1e-5,
    };
    residual_norm(
        residual,
        branch.clone(),
        &DropoutConfig::new(0.0).init(),
        norm,
    );
    assert_eq!(branch.into_data(), before);
}

#[test]
fn rows_without_variance_are_the_shift_and_strided_rows_are_put_in_order() {
    let device = Device::flex();
    let norm = || Normalization {
        gamma: Tensor::from_floats([1.0, 2.0, 3.0, 4.0], &device),
        beta: Tensor::from_floats([5.0, 6.0, 7.0, 8.0], &device),
        epsilon: 1e-12,
    };
    let constant = layer_norm(Tensor::<2>::full([2, 4], 0.7, &device), norm());
    let expected = Tensor::<2>::from_floats([[5.0, 6.0, 7.0, 8.0]; 2], &device);
    assert!((constant - expected).abs().max().into_scalar::<f32>() < 0.3);
    let strided = Tensor::<2>::random([4, 6], Distribution::Default, &device).transpose();
    let ordered = Tensor::<2>::from_data(strided.clone().into_data(), &device);
    assert_eq!(
        layer_norm(strided, norm()).into_data(),
        layer_norm(ordered, norm()).into_data()
    );
}
