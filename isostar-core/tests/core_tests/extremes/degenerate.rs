//! Points that do not vary, or too few of them to estimate from.

use burn::prelude::*;
use isostar_core::{
    CosRegConfig, HiddenStates, IStar, Moments, Regularizer, RunningMoments, Shrinkage,
    ShrinkageTarget, StateSelection, StepContext, isoscore, isoscore_of_covariance,
    isoscore_unbiased,
};

use super::cloud;
use crate::common::{
    Points, assert_within, devices, differentiate, differentiate_tensor, largest, scalar, values,
};

#[test]
fn one_point_that_dwarfs_all_others_leaves_nothing_to_estimate_from() {
    for n in [4, 6, 20, 500] {
        let normal = Points::gaussian(n, 6, n as u64);
        for size in [1e6, 1e15, 1e30] {
            let points = Points::from_fn(n, 6, |row, column| {
                normal.row(row)[column] * if row == 2 { size } else { 1.0 }
            });
            for (backend, device) in devices() {
                assert_eq!(
                    isoscore_unbiased(points.tensor(&device)),
                    None,
                    "{n} points, {size:e} on {backend}"
                );
            }
        }
    }
}

#[test]
fn points_without_variance_score_zero_with_zero_gradient() {
    let constant =
        |n: usize, value: f64| Points::from_fn(n, 5, |_, column| value * (1.0 + column as f64));
    let cases = [
        ("constant", constant(9, 0.1)),
        ("constant and large", constant(7, 12345.678)),
        ("constant and many", constant(49_152, 0.3)),
        ("constant and an odd number", constant(10_007, -77.7)),
        ("zero", constant(4, 0.0)),
        ("single", cloud(1, 5, 13)),
    ];
    for (what, points) in cases {
        for (backend, device) in devices() {
            let (score, gradient) = differentiate(&points, &device, isoscore);
            assert_eq!(score, 0.0, "{what} on {backend}");
            assert!(
                gradient.iter().all(|&entry| entry == 0.0),
                "{what} on {backend}: {gradient:?}"
            );
            assert_eq!(
                isoscore_unbiased(points.tensor(&device)),
                None,
                "{what} on {backend}"
            );
            let mut running = RunningMoments::new(5);
            running
                .update(&Moments::from_points(points.tensor(&device)))
                .expect("the device can be read");
            assert_eq!(running.isoscore(), None, "{what} on {backend}");
        }
    }
}

#[test]
fn layers_that_all_say_the_same_score_zero_with_zero_gradient() {
    let points = Points::from_fn(6, 4, |_, column| 0.1 + 77.7 * column as f64);
    for (backend, device) in devices() {
        let input: Tensor<3> = points.tensor(&device.clone().autodiff()).reshape([2, 3, 4]);
        let (score, gradient) = differentiate_tensor(input.detach(), |layer| {
            let states = HiddenStates::from_layers(vec![layer; 7]);
            isoscore_of_covariance(StateSelection::default().moments(&states).covariance())
        });
        assert_eq!(score, 0.0, "on {backend}");
        assert!(
            gradient.iter().all(|&entry| entry == 0.0),
            "on {backend}: {gradient:?}"
        );
    }
}

#[test]
fn two_points_are_a_line() {
    for (backend, device) in devices() {
        let (score, gradient) = differentiate(&cloud(2, 6, 14), &device, isoscore);
        assert_within(
            score.abs(),
            3e-7,
            format!("score of two points on {backend}"),
        );
        assert_within(
            largest(&gradient),
            3e-7,
            format!("gradient at two points on {backend}"),
        );
    }
}

#[test]
fn a_batch_that_is_all_padding_has_no_score_and_no_gradient() {
    for (backend, device) in devices() {
        let layer: Tensor<3> = cloud(6, 4, 15)
            .tensor(&device.clone().autodiff())
            .reshape([2, 3, 4])
            .detach()
            .require_grad();
        let nothing = Tensor::<2, Bool>::from_data([[false; 3]; 2], &device);
        let states = HiddenStates::from_layers(vec![layer.clone()]).with_mask(nothing);
        let istar = |zeta| {
            let shrinkage =
                Shrinkage::new(zeta, ShrinkageTarget::Identity).expect("a weight in [0, 1]");
            IStar::new(3.0, shrinkage, StateSelection::default())
                .expect("valid settings")
                .penalty(&states, &StepContext::default())
        };
        for (what, penalty, expected) in [
            ("plain", istar(0.0), 3.0),
            ("shrunk to the identity", istar(0.5), 0.0),
            (
                "cosreg",
                CosRegConfig::new()
                    .init()
                    .expect("valid settings")
                    .penalty(&states, &StepContext::default()),
                0.0,
            ),
        ] {
            let gradients = penalty.value.backward();
            assert_within(
                (scalar(penalty.value) - expected).abs(),
                1e-6,
                format!("{what} on {backend}"),
            );
            let gradient = values(&layer.grad(&gradients).expect("a gradient"));
            assert!(
                gradient.iter().all(|&entry| entry == 0.0),
                "{what} on {backend}: {gradient:?}"
            );
        }
    }
}

#[test]
fn a_single_token_among_padding_scores_zero_with_zero_gradient() {
    for (backend, device) in devices() {
        let layer: Tensor<3> = cloud(4, 4, 16)
            .tensor(&device.clone().autodiff())
            .reshape([1, 4, 4]);
        let mask = Tensor::<2, Bool>::from_data([[false, true, false, false]], &device);
        let (score, gradient) = differentiate_tensor(layer.detach(), |layer| {
            isoscore_of_covariance(Moments::from_sequences(layer, Some(mask.clone())).covariance())
        });
        assert_eq!(score, 0.0, "on {backend}");
        assert!(
            gradient.iter().all(|&entry| entry == 0.0),
            "on {backend}: {gradient:?}"
        );
    }
}
