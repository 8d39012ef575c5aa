//! Measures on a device whose products in f32 round their factors, as CUDA's do to TF32, against a
//! device that does not.

mod common;

use burn::prelude::*;
use common::Points;
use isostar_core::measure::{MEASURES, Spectrum, Summary};
use isostar_core::{
    DeviceMoments, Moments, RunningMoments, isoscore, isoscore_unbiased, nearest_neighbours,
};
use isostar_kernels::simulate::{BF16, TF32, with_rounded_factors};

/// Largest relative difference of a measure. Products in f64 give the exact sum of what f32 sums
/// with rounding; the largest difference observed is 4e-7.
const AGREEMENT: f64 = 1e-5;

/// Points like hidden states: means away from zero, one large dimension, and more than one block.
fn points(n: usize, d: usize) -> Tensor<2> {
    let normal = Points::gaussian(n, d, 7);
    let size = |column: usize| {
        if column == 1 {
            30.0
        } else {
            1.0 + 3.0 * column as f64 / d as f64
        }
    };
    Points::from_fn(n, d, |row, column| {
        size(column) * (normal.row(row)[column] + 0.5)
    })
    .tensor(&Device::flex())
}

/// Compares `measures` on this device and on those that round.
fn assert_unaffected(measures: impl Fn() -> Vec<(String, f64)>) {
    let exact = measures();
    for bits in [TF32, BF16] {
        let found = with_rounded_factors(bits, &measures);
        for ((name, exact), (_, found)) in exact.iter().zip(found) {
            let difference = ((found - exact) / exact).abs();
            assert!(
                difference < AGREEMENT,
                "{name} with {bits} bits: {found} for {exact}, a difference of {difference:.1e}"
            );
        }
    }
}

#[test]
fn scores_of_points_do_not_depend_on_the_bits_of_products() {
    for (n, d) in [(3_000, 24), (50, 96)] {
        let points = points(n, d);
        assert_unaffected(|| {
            let isoscore = isoscore(points.clone()).into_scalar::<f64>();
            let spectrum = Spectrum::from_points(points.clone());
            let unbiased = isoscore_unbiased(points.clone()).expect("the points vary");
            vec![
                ("isoscore".into(), isoscore),
                ("unbiased".into(), unbiased),
                ("largest eigenvalue".into(), spectrum.eigenvalues()[0]),
            ]
        });
    }
}

#[test]
fn the_table_of_measures_does_not_depend_on_the_bits_of_products() {
    let points = points(2_500, 12);
    assert_unaffected(|| {
        let summary = Summary::from_points(points.clone()).expect("the device can be read");
        MEASURES
            .iter()
            .filter_map(|measure| Some((measure.name.to_string(), (measure.value)(&summary)?)))
            .collect()
    });
}

#[test]
fn the_reference_of_a_calibration_does_not_depend_on_the_bits_of_products() {
    let points = points(4_000, 20);
    assert_unaffected(|| {
        let mut stream = DeviceMoments::new(20);
        for batch in points.clone().split(700, 0) {
            stream
                .add(Moments::from_points(batch))
                .expect("the device can be read");
        }
        let moments = stream.read().expect("the device can be read");
        let variances = moments
            .standard_deviations()
            .into_iter()
            .enumerate()
            .map(|(at, value)| (format!("deviation {at}"), value));
        variances
            .chain([(
                "isoscore".into(),
                moments.isoscore().expect("the points vary"),
            )])
            .collect()
    });
}

#[test]
fn the_moments_about_a_known_mean_do_not_depend_on_the_bits_of_products() {
    let points = points(5_000, 20);
    let mean: Vec<f64> = Moments::from_points(points.clone())
        .mean
        .try_to_vec_as()
        .unwrap();
    assert_unaffected(|| {
        let mut running = RunningMoments::new(20);
        running
            .update_near_origin(points.clone(), &mean)
            .expect("the device can be read");
        vec![(
            "isoscore".into(),
            running.isoscore().expect("the points vary"),
        )]
    });
}

#[test]
fn neighbours_are_found_without_the_host_on_a_device_that_rounds_factors() {
    let points = points(3_000, 16);
    let exact = nearest_neighbours(points.clone(), 2, &|_| ());
    for bits in [TF32, BF16] {
        let found = with_rounded_factors(bits, || nearest_neighbours(points.clone(), 2, &|_| ()));
        assert_eq!(found.distances, exact.distances);
        assert!(
            found.recomputed <= exact.recomputed,
            "{} of 3000 points were recomputed in f64",
            found.recomputed
        );
    }
}
