//! Moments of batches, beside those of NumPy.

use burn::prelude::*;
use isostar_core::{Moments, RunningMoments, isoscore_of_covariance};

use super::{SCORE, cases};
use crate::common::{
    Points, assert_within, devices, distance, golden, largest, numbers, scalar, values,
};

#[test]
fn moments_of_uneven_batches_match_numpy_on_host_and_device() {
    let file = golden("covariance");
    let batches: Vec<Points> = cases(&file, "batches")
        .iter()
        .map(|rows| {
            if rows.as_array().is_some_and(|rows| rows.is_empty()) {
                Points::new(0, 5, vec![])
            } else {
                Points::from_json(rows)
            }
        })
        .collect();
    assert_eq!(
        batches.iter().map(|batch| batch.n).collect::<Vec<_>>(),
        [1, 7, 0, 12, 17]
    );
    let mean = numbers(&file["mean"]).expect("a mean");
    let covariance = numbers(&file["covariance"]).expect("a covariance");
    let score = file["isoscore_star_of_covariance"]
        .as_f64()
        .expect("a score");

    for (backend, device) in devices() {
        let parts: Vec<Moments> = batches
            .iter()
            .map(|batch| Moments::from_points(batch.tensor(&device)))
            .collect();
        let mut running = RunningMoments::new(5);
        parts
            .iter()
            .for_each(|part| running.update(part).expect("the device can be read"));
        assert_eq!(running.count(), 37);
        let on_host = running
            .covariance(&device)
            .expect("37 points have a covariance");
        assert_within(
            (running.isoscore().expect("the points vary") - score).abs(),
            SCORE,
            format!("score on the host, {backend}"),
        );
        check(
            running.mean(),
            &mean,
            &on_host,
            &covariance,
            &format!("on the host, {backend}"),
        );
        let deviations: Vec<f64> = covariance
            .iter()
            .step_by(6)
            .map(|variance| variance.sqrt())
            .collect();
        let difference =
            distance(&running.standard_deviations(), &deviations) / largest(&deviations);
        assert_within(
            difference,
            MOMENTS,
            format!("standard deviations, {backend}"),
        );

        let union = Moments::union(parts);
        assert_eq!(union.count.clone().into_scalar::<f64>(), 37.0);
        let on_device = union.covariance();
        assert_within(
            (scalar(isoscore_of_covariance(on_device.clone())) - score).abs(),
            SCORE,
            format!("score on {backend}"),
        );
        check(
            &values(&union.mean),
            &mean,
            &on_device,
            &covariance,
            &format!("on {backend}"),
        );
    }
}

/// Largest error of a mean or covariance in f32 relative to its largest entry; the largest observed
/// is 2e-8.
const MOMENTS: f64 = 1e-6;

fn check(
    our_mean: &[f64],
    mean: &[f64],
    our_covariance: &Tensor<2>,
    covariance: &[f64],
    what: &str,
) {
    assert_within(
        distance(our_mean, mean) / largest(mean),
        MOMENTS,
        format!("mean {what}"),
    );
    assert_within(
        distance(&values(our_covariance), covariance) / largest(covariance),
        MOMENTS,
        format!("covariance {what}"),
    );
}
