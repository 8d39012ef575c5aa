//! Moments, IsoScore and TwoNN beside flex.

use std::time::Instant;

use burn::prelude::*;
use burn::tensor::{DType, Distribution};
use isostar_core::measure::twonn;
use isostar_core::{Moments, RunningMoments, isoscore_of_covariance, nearest_neighbours};
use serde_json::json;

use crate::{Arguments, seconds, sync, tell, timed};

pub fn run(device: &Device, arguments: &Arguments) {
    let (n, d) = (arguments.number("n", 20_000), arguments.number("d", 768));
    let flex = Device::flex();
    flex.seed(3);
    let latent = Tensor::<2>::random([n, 10], Distribution::Normal(0.0, 1.0), &flex);
    let mixing = Tensor::<2>::random([10, d], Distribution::Normal(0.0, 0.3), &flex);
    let data = (latent.matmul(mixing).tanh() + 0.3).into_data();
    let mut scores = Vec::new();
    let mut dimensions = Vec::new();
    for (name, device) in [("flex", &flex), ("target", device)] {
        let points = Tensor::<2>::from_data(data.clone(), device);
        sync(device);
        let (first, moments_ms) = timed(device, 5, || Moments::from_points(points.clone()).scatter);
        let single: f64 =
            isoscore_of_covariance(Moments::from_points(points.clone()).covariance()).into_scalar();
        let mut running = RunningMoments::new(d);
        let start = Instant::now();
        for block in points.clone().split(4096, 0) {
            running
                .update(&Moments::from_points(block))
                .expect("the device can be read");
        }
        let running_ms = seconds(start) * 1e3;
        let mut near_origin = RunningMoments::new(d);
        let start = Instant::now();
        for block in points.clone().split(4096, 0) {
            let mean: Vec<f64> = block
                .clone()
                .cast(DType::F32)
                .mean_dim(0)
                .try_into_vec_as()
                .expect("the device can be read");
            near_origin
                .update_near_origin(block, &mean)
                .expect("the device can be read");
        }
        let near_origin_ms = seconds(start) * 1e3;
        let isoscores = [
            single,
            running.isoscore().expect("the points vary"),
            near_origin.isoscore().expect("the points vary"),
        ];
        tell(
            "measure",
            json!({ "on": name, "n": n, "d": d, "moments_first_ms": first, "moments_ms": moments_ms, "running_ms": running_ms,
                "near_origin_ms": near_origin_ms, "isoscore": isoscores }),
        );
        scores.push(isoscores);
        let few = points.clone().narrow(0, 0, 2_048.min(n));
        let _ = nearest_neighbours(few, 2, &|_| ());
        let start = Instant::now();
        let neighbours = nearest_neighbours(points, 2, &|_| ());
        let estimate = twonn(&neighbours).expect("the points differ");
        tell(
            "measure",
            json!({ "on": name, "twonn": estimate.linear, "recomputed": neighbours.recomputed, "s": seconds(start) }),
        );
        dimensions.push(neighbours.distances);
    }
    let difference = |at: usize| (scores[1][at] - scores[0][at]).abs() / scores[0][at];
    tell(
        "measure",
        json!({ "relative_difference_of_isoscore": [difference(0), difference(1), difference(2)],
            "same_distances": dimensions[0] == dimensions[1] }),
    );
}
