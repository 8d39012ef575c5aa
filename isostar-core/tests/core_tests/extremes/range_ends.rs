//! Scores near 0 and near 1 keep their digits.

use burn::prelude::*;
use isostar_core::{Moments, RunningMoments, Shrinkage, ShrinkageTarget, isoscore, isoscore_star};

use super::{SCORE, check, cloud};
use crate::common::oracle::{self, Scored};
use crate::common::{Normal, Points, assert_within, devices, differentiate, distance, largest};

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
