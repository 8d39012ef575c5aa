//! Points for which naive formulas fail, against the seven steps in f64.

mod degenerate;
mod range_ends;

use crate::common::oracle::{self, Scored};
use crate::common::{
    Points, assert_within, devices, differentiate, differentiate_tensor, distance, half_precisions,
    largest, scalar, values,
};
use burn::tensor::DType;
use isostar_core::measure::{cosreg, mean_cosine};
use isostar_core::{
    Moments, RunningMoments, Shrinkage, ShrinkageTarget, isoscore, isoscore_of_covariance,
    isoscore_star, isoscore_unbiased,
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
