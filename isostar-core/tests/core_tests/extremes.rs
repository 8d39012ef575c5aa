//! Points for which naive formulas fail, against the seven steps in f64.

use crate::common::oracle::{self, Scored};
use crate::common::{
    Normal, Points, assert_within, devices, differentiate, differentiate_tensor, distance,
    half_precisions, largest, scalar, values,
};
use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::measure::{cosreg, mean_cosine};
use isostar_core::{
    CosRegConfig, HiddenStates, IStar, Moments, Regularizer, RunningMoments, Shrinkage,
    ShrinkageTarget, StateSelection, StepContext, isoscore, isoscore_of_covariance, isoscore_star,
    isoscore_unbiased,
};

/// Compares value and gradient with the oracle on every device: the relative error of the score,
/// and the error of the gradient relative to its largest entry.
fn check(what: &str, points: &Points, score_tolerance: f64, gradient_tolerance: f64) {
    let Scored { score, gradient } = oracle::isoscore(points);
    for (backend, device) in devices() {
        let what = format!("{what} on {backend}");
        let plain = scalar(isoscore(points.tensor(&device)));
        assert_within(
            (plain - score).abs() / score,
            score_tolerance,
            format!("{what}, score {score:.6}"),
        );
        let (tracked, ours) = differentiate(points, &device, isoscore);
        assert_within(
            (tracked - score).abs() / score,
            score_tolerance,
            format!("{what}, score with a gradient"),
        );
        assert_within(
            distance(&ours, &gradient) / largest(&gradient),
            gradient_tolerance,
            format!("{what}, gradient"),
        );
    }
}

/// Gaussian points with decaying scales and correlation, around 0.
fn cloud(n: usize, d: usize, seed: u64) -> Points {
    let points = Points::gaussian(n, d, seed);
    Points::from_fn(n, d, |row, column| {
        points.row(row)[column] * (1.0 + column as f64 / d as f64) + 0.3 * points.row(row)[0]
    })
}

/// Relative error of a score in f32; the largest observed is 7e-7.
const SCORE: f64 = 2e-6;
/// Largest error of a gradient relative to its largest entry; the largest observed is 2e-5.
const GRADIENT: f64 = 1e-4;

#[test]
fn one_dimension_may_dwarf_the_rest() {
    // Along the large dimension, ∂ι/∂Σ is 1e-6 of its size across it, a difference of two numbers
    // near 1.
    for (factor, gradient) in [(100.0, GRADIENT), (1000.0, 6e-4)] {
        let points =
            cloud(300, 32, 1).map(|column, value| if column == 5 { value * factor } else { value });
        check(
            &format!("one dimension ×{factor}"),
            &points,
            SCORE,
            gradient,
        );
    }
}

/// Growth of the score's error with |m|/σ if a gradient is computed: a fraction of ε = 1.2e-7; the
/// observed value is 2e-9.
const ROUNDED_SCORE: f64 = 1e-8;
/// Growth of the gradient's error with |m|/σ, as if the points were rounded once more; the observed
/// value is 1.3e-7.
const ROUNDED_GRADIENT: f64 = 4e-7;

#[test]
fn means_may_lie_far_from_zero() {
    for n in [300, 10_007] {
        for mean in [50.0, 1000.0, 1e4] {
            let points = cloud(n, 24, 2)
                .map(|column, value| value + if column % 2 == 0 { mean } else { -mean });
            check(
                &format!("{n} means at {mean}σ"),
                &points,
                SCORE + ROUNDED_SCORE * mean,
                GRADIENT + ROUNDED_GRADIENT * mean,
            );
        }
    }
}

#[test]
fn an_outlier_dimension_may_have_both() {
    let points = cloud(512, 48, 3).map(|column, value| {
        if column == 7 {
            (value + 50.0) * 100.0
        } else {
            value
        }
    });
    check("one dimension ×100 at 50σ", &points, SCORE, GRADIENT);
}

#[test]
fn fewer_points_than_dimensions() {
    check(
        "7 points in 40 dimensions",
        &cloud(7, 40, 4),
        SCORE,
        GRADIENT,
    );
}

#[test]
fn two_dimensions() {
    check("two dimensions", &cloud(64, 2, 5), SCORE, GRADIENT);
}

#[test]
fn points_of_any_size_that_f32_can_center() {
    for size in [1e-12, 1e15] {
        let points = cloud(64, 12, 6);
        let scaled = points.map(|_, value| value * size);
        check(
            &format!("points of size {size:e}"),
            &scaled,
            SCORE,
            GRADIENT,
        );
        for (backend, device) in devices() {
            let [unscaled, scaled] = [&points, &scaled]
                .map(|points| isoscore_unbiased(points.tensor(&device)).expect("an estimate"));
            assert_within(
                (scaled - unscaled).abs(),
                SCORE,
                format!("unbiased estimate of size {size:e} on {backend}"),
            );
        }
    }
}

#[test]
fn long_reductions() {
    let points = cloud(49_152, 64, 7);
    check("49,152 points", &points, SCORE, GRADIENT);
    let mean = 1000.0;
    let far = points.map(|_, value| value + mean);
    check(
        "49,152 points at 1000σ",
        &far,
        SCORE + ROUNDED_SCORE * mean,
        GRADIENT + ROUNDED_GRADIENT * mean,
    );
}

/// Points whose covariance is nearly the identity.
fn whitened(n: usize, d: usize, seed: u64) -> Points {
    let centred = oracle::centred(&Points::gaussian(n, d, seed));
    let basis = centred.qr().compute_thin_Q();
    Points::from_fn(n, d, |row, column| {
        basis[(row, column)] * (n as f64 - 1.0).sqrt()
    })
}

#[test]
fn a_score_near_one_stays_below_it_and_its_gradient_near_zero() {
    let points = whitened(256, 16, 8);
    for (backend, device) in devices() {
        let (score, gradient) = differentiate(&points, &device, isoscore);
        assert_within(
            (score - 1.0).abs(),
            5e-7,
            format!("1 − score of whitened points on {backend}"),
        );
        assert_within(
            largest(&gradient),
            1e-8,
            format!("gradient of whitened points on {backend}"),
        );
    }
    // Scaled by 1.01, 1 − score is 1e-6 and its gradient still has two digits.
    let points = points.map(|column, value| if column == 0 { value * 1.01 } else { value });
    let Scored { score, gradient } = oracle::isoscore(&points);
    for (backend, device) in devices() {
        let (ours, our_gradient) = differentiate(&points, &device, isoscore);
        assert_within(
            (ours - score).abs(),
            5e-7,
            format!("1 − score = {:.2e} on {backend}", 1.0 - score),
        );
        assert_within(
            distance(&our_gradient, &gradient) / largest(&gradient),
            1e-2,
            format!("gradient near 1 on {backend}"),
        );
    }
}

/// Absolute error of a score near 0 if no eigenvector is a coordinate axis: each entry of Σ is
/// rounded to f32, relative to the largest. The largest observed over twenty directions is 3.8e-8
/// on flex and 2.5e-8 on ndarray.
const OFF_AXES: f64 = 8e-8;

#[test]
fn a_score_near_zero_keeps_its_digits() {
    let normals = Points::gaussian(400, 16, 9);
    let mut direction = Normal::new(10);
    let direction: Vec<f64> = (0..16).map(|_| direction.draw()).collect();
    // Nearly all variance is in one direction that is not a coordinate axis: the bound is 66%, 2.6%
    // and 0.7% of the score.
    for (noise, largest_score) in [(1e-3, 2e-7), (5e-3, 4e-6), (1e-2, 2e-5)] {
        let points = Points::from_fn(400, 16, |row, column| {
            let row = normals.row(row);
            row[0] * direction[column] + noise * row[column]
        });
        let score = oracle::isoscore(&points).score;
        assert!(
            OFF_AXES < score && score < largest_score,
            "a score of 0 or of twice as much is outside of the bound: {score:e}"
        );
        check(
            &format!("a line with {noise} of noise"),
            &points,
            OFF_AXES / score,
            2e-3,
        );
    }
    let aligned = Points::from_fn(400, 16, |row, column| {
        normals.row(row)[column] * if column == 3 { 1.0 } else { 1e-3 }
    });
    check("an axis with a thousandth of noise", &aligned, SCORE, 6e-4);
}

#[test]
fn shrinkage_next_to_an_outlier_dimension() {
    let points = cloud(200, 24, 11).map(|column, value| {
        if column == 2 {
            value * 1000.0 + 5e4
        } else {
            value
        }
    });
    let sample = cloud(4000, 24, 12).map(|column, value| {
        if column == 2 {
            value * 1000.0 + 5e4
        } else {
            value
        }
    });
    let target = oracle::covariance(&sample);
    let target_points = Points::from_fn(24, 24, |row, column| target[(row, column)]);
    let target = faer::Mat::from_fn(24, 24, |row, column| target_points.row(row)[column]);
    let Scored { score, gradient } = oracle::isoscore_star(&points, &target, 0.2);
    for (backend, device) in devices() {
        let shrinkage =
            Shrinkage::new(0.2, ShrinkageTarget::Reference).expect("a weight in [0, 1]");
        let reference = target_points.tensor(&device);
        let (ours, our_gradient) = differentiate(&points, &device, |points| {
            isoscore_star(points, &shrinkage, Some(&reference))
        });
        assert_within(
            (ours - score).abs() / score,
            SCORE,
            format!("score {score:.2e} on {backend}"),
        );
        assert_within(
            distance(&our_gradient, &gradient) / largest(&gradient),
            6e-4,
            format!("gradient on {backend}"),
        );
    }
}

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

#[test]
fn half_precision_is_as_exact_as_its_points() {
    for (backend, device, dtype) in half_precisions() {
        let points = cloud(100, 8, 17).map(|_, value| value + 3.0);
        let input = points.tensor_of(&device.clone().autodiff(), dtype);
        let rounded = Points::new(100, 8, values(&input));
        let Scored { score, gradient } = oracle::isoscore(&rounded);
        let (ours, our_gradient) = differentiate_tensor(input, isoscore);
        assert_within(
            (ours - score).abs(),
            1e-6,
            format!("score of {dtype:?} on {backend}"),
        );
        // The gradient has the points' type: bf16 has 8 bits of precision.
        let tolerance = if dtype == DType::BF16 { 4e-3 } else { 2e-3 };
        assert_within(
            distance(&our_gradient, &gradient) / largest(&gradient),
            tolerance,
            format!("gradient of {dtype:?} on {backend}"),
        );
        assert_within(
            (scalar(cosreg(rounded.tensor_of(&device, dtype)))
                - scalar(cosreg(rounded.tensor(&device))))
            .abs(),
            1e-6,
            "cosreg",
        );
    }
}

#[test]
fn cosines_of_tiny_and_huge_points() {
    let points = cloud(20, 6, 18).map(|_, value| value + 1.0);
    for (backend, device) in devices() {
        let (expected, gradient) = differentiate(&points, &device, cosreg);
        for size in [1e-12, 1e15] {
            let (score, ours) =
                differentiate(&points.map(|_, value| value * size), &device, cosreg);
            assert_within(
                (score - expected).abs(),
                1e-6,
                format!("cosreg of size {size:e} on {backend}"),
            );
            let ours: Vec<f64> = ours.iter().map(|entry| entry * size).collect();
            assert_within(
                distance(&ours, &gradient) / largest(&gradient),
                GRADIENT,
                format!("its gradient on {backend}"),
            );
        }
    }
}

#[test]
fn nothing_turns_nan_into_a_number() {
    let mut points = cloud(12, 4, 19);
    points.values[17] = f64::NAN;
    for (backend, device) in devices() {
        let tensor = points.tensor(&device);
        assert!(
            scalar(isoscore(tensor.clone())).is_nan(),
            "isoscore on {backend}"
        );
        assert!(
            scalar(cosreg(tensor.clone())).is_nan(),
            "cosreg on {backend}"
        );
        assert!(
            scalar(mean_cosine(tensor.clone())).is_nan(),
            "mean_cosine on {backend}"
        );
        assert_eq!(
            isoscore_unbiased(tensor.clone()).filter(|score| !score.is_nan()),
            None,
            "isoscore_unbiased on {backend}"
        );
        let moments = Moments::from_points(tensor.clone());
        assert!(
            values(&moments.scatter).iter().any(|entry| entry.is_nan()),
            "scatter on {backend}"
        );
        let mut running = RunningMoments::new(4);
        running.update(&moments).expect("the device can be read");
        assert_eq!(
            running.isoscore().filter(|score| !score.is_nan()),
            None,
            "RunningMoments on {backend}"
        );
        let shrinkage = Shrinkage::new(0.5, ShrinkageTarget::Identity).expect("a weight in [0, 1]");
        assert!(
            scalar(isoscore_star(tensor, &shrinkage, None)).is_nan(),
            "isoscore_star on {backend}"
        );

        let mut covariance = vec![1.0; 9];
        covariance[5] = f64::NAN;
        let covariance = Points::new(3, 3, covariance).tensor(&device);
        assert!(
            scalar(isoscore_of_covariance(covariance)).is_nan(),
            "isoscore_of_covariance on {backend}"
        );
    }
}

#[test]
fn a_score_of_merged_moments_keeps_its_digits_near_zero() {
    for (backend, device) in devices() {
        for size in [1e-3_f64, 1e-6, 1e-9] {
            // Variances 1 and r: PR − 1 = (1 + r)²/(1 + r²) − 1 = 2r/(1 + r²).
            let mut running = RunningMoments::new(2);
            for batch in [
                [[1.0, 0.0], [-1.0, 0.0]],
                [[0.0, size as f32], [0.0, -size as f32]],
            ] {
                running
                    .update(&Moments::from_points(Tensor::from_floats(batch, &device)))
                    .expect("the device can be read");
            }
            let ratio = f64::from(size as f32).powi(2);
            let expected = 2.0 * ratio / (1.0 + ratio * ratio);
            let score = running.isoscore().expect("the points vary");
            assert!(
                (score / expected - 1.0).abs() <= 1e-6,
                "{score:e} and {expected:e} at {size:e} on {backend}"
            );
        }
    }
}
