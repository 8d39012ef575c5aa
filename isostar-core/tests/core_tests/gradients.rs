//! Gradients of every differentiable function against central differences.

use crate::common::{
    Points, assert_within, devices, differentiate_tensor, distance, largest, scalar, values,
};
use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::measure::{CosineSums, cosreg, mean_cosine};
use isostar_core::{
    CosRegConfig, HiddenStates, IStar, Moments, Padding, Regularizer, Shrinkage, ShrinkageTarget,
    StateSelection, StepContext, isoscore, isoscore_of_covariance, isoscore_star,
};

/// Step, and largest error relative to the largest entry, in f64. The step's own error is about
/// 1e-10; the largest error observed is 2e-9.
const DOUBLE: (f64, f64) = (1e-5, 1e-7);
/// The same in f32, for devices without f64. Rounding of the value divided by the step is about
/// 1e-5; the largest error observed is 6e-4.
const SINGLE: (f64, f64) = (1e-2, 3e-3);

/// Compares the gradient of `function` at `points` with central differences on every device, in f64
/// if the device supports it.
fn check(what: &str, points: &Points, function: impl Fn(Tensor<2>, &Device) -> Tensor<1>) {
    for (backend, device) in devices() {
        let (dtype, (step, tolerance)) = if device.supports_dtype(DType::F64) {
            (DType::F64, DOUBLE)
        } else {
            (DType::F32, SINGLE)
        };
        let autodiff = device.clone().autodiff();
        let (_, analytic) = differentiate_tensor(points.tensor_of(&autodiff, dtype), |tensor| {
            function(tensor, &device)
        });
        let at = |entry: usize, offset: f64| {
            let mut moved = points.clone();
            moved.values[entry] += offset;
            scalar(function(moved.tensor_of(&device, dtype), &device))
        };
        let numeric: Vec<f64> = (0..points.values.len())
            .map(|entry| (at(entry, step) - at(entry, -step)) / (2.0 * step))
            .collect();
        assert!(
            largest(&numeric) > 1e-4,
            "{what}: a gradient of zero tests nothing"
        );
        assert_within(
            distance(&analytic, &numeric) / largest(&numeric),
            tolerance,
            format!("{what} on {backend}"),
        );
    }
}

/// Points of different scales, correlated, with means away from zero.
fn cloud(n: usize, d: usize, seed: u64) -> Points {
    let points = Points::gaussian(n, d, seed);
    Points::from_fn(n, d, |row, column| {
        points.row(row)[column] * (0.5 + column as f64) + 0.7 * points.row(row)[0] + 2.0
            - column as f64
    })
}

/// A matrix without symmetry.
fn weights(rows: usize, columns: usize, device: &Device, dtype: DType) -> Tensor<2> {
    Points::gaussian(rows, columns, 77).tensor_of(device, dtype)
}

fn shrinkage(weight: f64, target: ShrinkageTarget) -> Shrinkage {
    Shrinkage::new(weight, target).expect("a weight in [0, 1]")
}

/// A covariance whose entries all differ.
fn covariance(d: usize, device: &Device) -> Tensor<2> {
    Moments::from_points(cloud(3 * d, d, 5).tensor(device)).covariance()
}

/// Returns ⟨Σ, R⟩ + ‖ΣR‖², which is neither symmetric nor linear in Σ.
fn lopsided(matrix: Tensor<2>, device: &Device) -> Tensor<1> {
    let weights = weights(matrix.dims()[0], matrix.dims()[1], device, matrix.dtype());
    (matrix.clone() * weights.clone()).sum() + matrix.matmul(weights).square().sum() * 0.01
}

/// A function of the mean alone.
fn of_mean(mean: Tensor<1>, device: &Device) -> Tensor<1> {
    let weights = weights(1, mean.dims()[0], device, mean.dtype());
    (mean.unsqueeze::<2>().square() * weights).sum()
}

/// A mask of 2 sequences of 4 tokens, 6 of them unmasked.
fn mask(device: &Device) -> Tensor<2, Bool> {
    Tensor::from_data(
        [[true, true, true, true], [true, true, false, false]],
        device,
    )
}

#[test]
fn isoscore_of_points() {
    check(
        "more points than dimensions",
        &cloud(9, 4, 1),
        |points, _| isoscore(points),
    );
    check(
        "fewer points than dimensions",
        &cloud(4, 6, 2),
        |points, _| isoscore(points),
    );
    check("two dimensions", &cloud(7, 2, 3), |points, _| {
        isoscore(points)
    });
}

#[test]
fn isoscore_star_with_every_target() {
    let points = cloud(8, 4, 4);
    for zeta in [0.3, 0.6] {
        check("reference", &points, |points, device| {
            isoscore_star(
                points,
                &shrinkage(zeta, ShrinkageTarget::Reference),
                Some(&covariance(4, device)),
            )
        });
        check("matrix", &points, |points, device| {
            isoscore_star(
                points,
                &shrinkage(zeta, ShrinkageTarget::Matrix(covariance(4, device))),
                None,
            )
        });
        check("identity", &points, |points, _| {
            isoscore_star(points, &shrinkage(zeta, ShrinkageTarget::Identity), None)
        });
        check("scaled identity", &points, |points, _| {
            isoscore_star(
                points,
                &shrinkage(zeta, ShrinkageTarget::ScaledIdentity),
                None,
            )
        });
    }
}

#[test]
fn no_gradient_flows_into_a_target() {
    for (backend, device) in devices() {
        let autodiff = device.autodiff();
        let points = cloud(8, 4, 4).tensor(&autodiff).require_grad();
        let target = covariance(4, &autodiff).detach().require_grad();
        for given in [
            ShrinkageTarget::Reference,
            ShrinkageTarget::Matrix(target.clone()),
        ] {
            let score = isoscore_star(points.clone(), &shrinkage(0.3, given), Some(&target));
            let gradients = score.backward();
            assert!(points.grad(&gradients).is_some(), "on {backend}");
            assert!(target.grad(&gradients).is_none(), "on {backend}");
        }
    }
}

#[test]
fn isoscore_of_a_covariance_also_off_the_symmetric_matrices() {
    let symmetric = values(&covariance(4, &Device::flex()));
    check(
        "symmetric",
        &Points::new(4, 4, symmetric.clone()),
        |covariance, _| isoscore_of_covariance(covariance),
    );
    let skewed = Points::new(
        4,
        4,
        symmetric
            .iter()
            .enumerate()
            .map(|(at, value)| value + 0.1 * at as f64)
            .collect(),
    );
    check("not symmetric", &skewed, |covariance, _| {
        isoscore_of_covariance(covariance)
    });
}

#[test]
fn mean_and_scatter_of_points() {
    let points = cloud(7, 3, 6);
    check("mean", &points, |points, device| {
        of_mean(Moments::from_points(points).mean, device)
    });
    check("scatter", &points, |points, device| {
        lopsided(Moments::from_points(points).scatter, device)
    });
    check("covariance", &points, |points, device| {
        lopsided(Moments::from_points(points).covariance(), device)
    });
    check("mean and scatter", &points, |points, device| {
        let moments = Moments::from_points(points);
        of_mean(moments.mean, device) * lopsided(moments.scatter, device)
    });
}

#[test]
fn mean_and_scatter_under_a_mask() {
    let points = cloud(8, 3, 7);
    let moments = |points: Tensor<2>, device: &Device| {
        Moments::from_sequences(points.reshape([2, 4, 3]), Some(mask(device)))
    };
    check("mean", &points, |points, device| {
        of_mean(moments(points, device).mean, device)
    });
    check("scatter", &points, |points, device| {
        lopsided(moments(points, device).scatter, device)
    });
}

#[test]
fn mean_and_scatter_of_a_union_with_a_masked_and_an_empty_part() {
    let points = cloud(15, 3, 8);
    let moments = |points: Tensor<2>, device: &Device| {
        let first = Moments::from_points(points.clone().slice([0..5, 0..3]));
        let masked = Moments::from_sequences(
            points.clone().slice([5..13, 0..3]).reshape([2, 4, 3]),
            Some(mask(device)),
        );
        let nothing = Tensor::<2, Bool>::from_data([[false, false]], device);
        let empty = Moments::from_sequences(
            points.slice([13..15, 0..3]).reshape([1, 2, 3]),
            Some(nothing),
        );
        Moments::union(vec![first, masked, empty])
    };
    check("mean", &points, |points, device| {
        of_mean(moments(points, device).mean, device)
    });
    check("scatter", &points, |points, device| {
        lopsided(moments(points, device).scatter, device)
    });
    check("isoscore", &points, |points, device| {
        isoscore_of_covariance(moments(points, device).covariance())
    });
}

#[test]
fn cosines() {
    let points = cloud(6, 3, 9);
    check("cosreg", &points, |points, _| cosreg(points));
    check("mean cosine", &points, |points, _| mean_cosine(points));
    check("cosreg under a mask", &cloud(8, 3, 10), |points, device| {
        CosineSums::from_sequences(points.reshape([2, 4, 3]), Some(mask(device))).cosreg()
    });
}

/// Splits 16 rows into two layers of shape [2, 4, 3].
fn two_layers(points: Tensor<2>, device: &Device) -> HiddenStates {
    let layer =
        |rows: core::ops::Range<usize>| points.clone().slice([rows, 0..3]).reshape([2, 4, 3]);
    HiddenStates::from_layers(vec![layer(0..8), layer(8..16)]).with_mask(mask(device))
}

#[test]
fn istar_penalties_of_both_signs() {
    let points = cloud(16, 3, 11);
    for weight in [2.5, -2.5] {
        for padding in [Padding::Mask, Padding::Keep] {
            let selection = StateSelection {
                padding,
                ..StateSelection::default()
            };
            let istar = IStar::new(
                weight,
                shrinkage(0.2, ShrinkageTarget::Reference),
                selection,
            )
            .expect("valid settings");
            check(
                &format!("weight {weight}, {padding:?}"),
                &points,
                |points, device| {
                    istar
                        .penalty(
                            &two_layers(points, device),
                            &StepContext::default().with_reference(&covariance(3, device)),
                        )
                        .value
                },
            );
        }
    }
}

#[test]
fn cosine_penalties_of_both_signs() {
    for weight in [1.0, -2.0] {
        let selection = StateSelection::default();
        let regularizer = CosRegConfig::new()
            .with_weight(weight)
            .with_states(selection)
            .init()
            .expect("valid settings");
        check(
            &format!("weight {weight}"),
            &cloud(16, 3, 12),
            |points, device| {
                regularizer
                    .penalty(&two_layers(points, device), &StepContext::default())
                    .value
            },
        );
    }
}

#[test]
fn the_reported_measure_carries_no_gradient() {
    for (backend, device) in devices() {
        let states = two_layers(
            cloud(16, 3, 13)
                .tensor(&device.clone().autodiff())
                .require_grad(),
            &device,
        );
        let istar = IStar::new(
            1.0,
            shrinkage(0.0, ShrinkageTarget::Reference),
            StateSelection::default(),
        )
        .expect("valid settings");
        let penalty = istar.penalty(&states, &StepContext::default());
        assert!(
            penalty.value.is_tracked() && !penalty.measure.is_autodiff(),
            "on {backend}"
        );
        assert_within(
            (scalar(penalty.value) + scalar(penalty.measure) - 1.0).abs(),
            1e-6,
            format!("penalty = 1 − score on {backend}"),
        );
    }
}
