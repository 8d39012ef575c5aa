//! Eigenvalues and the measures computed from them, against NumPy, theory and extreme points.

mod known;
mod odd_points;
mod singular_values;
mod theory;

use crate::common::{Points, assert_within, devices, distance, golden, numbers, oracle, values};
use isostar_core::measure::{
    EXPLAINED_SHARE, ExplainedVariance, Spectrum, effective_rank, explained_variance,
    participation_ratio, varex,
};
use isostar_core::{Moments, RunningMoments};

/// Relative difference of eigenvalues in f64; the largest observed is 1e-15.
const HOST: f64 = 1e-13;
/// Largest difference of the eigenvalues of an f32 product, relative to the largest eigenvalue; the
/// largest observed is 5e-7.
const DEVICE: f64 = 2e-6;
/// Relative difference of a measure of such eigenvalues; the largest observed is 4e-7.
const MEASURED: f64 = 4e-6;

/// The min(n, d) eigenvalues of the sample covariance in f64, descending, from the singular values
/// of the centred points.
fn exact(points: &Points) -> Vec<f64> {
    let singular = oracle::centred(points)
        .singular_values()
        .expect("singular values of finite points");
    singular
        .iter()
        .map(|value| value * value / (points.n as f64 - 1.0))
        .collect()
}

/// exp of the entropy, t²/F, and the number of components for 90% of the variance, from exact
/// eigenvalues.
fn by_definition(eigenvalues: &[f64]) -> (f64, f64, usize) {
    let total: f64 = eigenvalues.iter().sum();
    let squares: f64 = eigenvalues.iter().map(|value| value * value).sum();
    let entropy: f64 = eigenvalues
        .iter()
        .map(|value| value / total)
        .filter(|share| *share > 1e-30)
        .map(|share| -share * share.ln())
        .sum();
    let components = (1..=eigenvalues.len())
        .find(|&k| eigenvalues[..k].iter().sum::<f64>() >= EXPLAINED_SHARE * total);
    (
        entropy.exp(),
        total * total / squares,
        components.expect("all carry everything"),
    )
}

/// Compares the spectrum of points with the exact one, on every device.
fn check(what: &str, points: &Points) {
    let mut exact = exact(points);
    exact.resize(points.d, 0.0);
    let (rank, ratio, components) = by_definition(&exact);
    for (backend, device) in devices() {
        let what = format!("{what} on {backend}");
        let mut running = RunningMoments::new(points.d);
        running
            .update(&Moments::from_points(points.tensor(&device)))
            .expect("the device can be read");
        for (way, spectrum) in [
            ("points", Spectrum::from_points(points.tensor(&device))),
            ("moments", Spectrum::from_moments(&running)),
        ] {
            let ours = spectrum.eigenvalues();
            assert_within(
                distance(&ours, &exact) / exact[0],
                DEVICE,
                format!("{what}, eigenvalues of {way}"),
            );
            assert!(
                ours.is_sorted_by(|a, b| a >= b) && ours.iter().all(|&value| value >= 0.0),
                "{what}: {ours:?}"
            );
            assert!(
                ours.iter().skip(points.n - 1).all(|&value| value == 0.0),
                "{what}: more than n − 1 eigenvalues"
            );
            let measured = |ours: Option<f64>| ours.expect("the points vary");
            assert_within(
                (measured(effective_rank(&spectrum)) / rank - 1.0).abs(),
                MEASURED,
                format!("{what}, effective rank of {way}"),
            );
            assert_within(
                (measured(participation_ratio(&spectrum)) / ratio - 1.0).abs(),
                MEASURED,
                format!("{what}, its ratio"),
            );
            let explained =
                explained_variance(&spectrum, EXPLAINED_SHARE).expect("the points vary");
            assert_eq!(explained.components, components, "{what}, {way}");
            let share = exact[..components].iter().sum::<f64>() / exact.iter().sum::<f64>();
            assert_within(
                (explained.share - share).abs(),
                DEVICE,
                format!("{what}, share of {way}"),
            );
        }
    }
}

/// Correlated points of decaying scales.
fn cloud(n: usize, d: usize, seed: u64) -> Points {
    let points = Points::gaussian(n, d, seed);
    Points::from_fn(n, d, |row, column| {
        points.row(row)[column] * (1.0 - 0.8 * column as f64 / d as f64) + 0.4 * points.row(row)[0]
    })
}

#[test]
fn eigenvalues_of_second_moments_match_numpy() {
    for case in golden("partition")["cases"].as_array().expect("cases") {
        let Points { n, d, values } = Points::from_json(&case["points"]);
        let second: Vec<f64> = (0..d * d)
            .map(|at| {
                (0..n)
                    .map(|row| values[row * d + at / d] * values[row * d + at % d])
                    .sum::<f64>()
            })
            .collect();
        let mut expected = numbers(&case["eigenvalues"]).expect("eigenvalues");
        expected.reverse();
        let ours = Spectrum::from_covariance(&second, d).eigenvalues();
        assert_within(
            distance(&ours, &expected) / expected[0],
            HOST,
            &case["name"],
        );
    }
}

#[test]
fn the_ratio_of_covariances_is_the_authors_score() {
    let file = golden("isoscore");
    let covariances = file["covariances"]
        .as_array()
        .expect("covariances")
        .iter()
        .map(|case| (case, &case["isoscore_star"]));
    let from_points = file["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .map(|case| (case, &case["isoscore"]));
    let mut compared = 0;
    for (case, score) in covariances.chain(from_points) {
        let (Some(covariance), Some(score)) = (numbers(&case["covariance"]), score.as_f64()) else {
            continue;
        };
        let d = covariance.len().isqrt();
        let ratio = participation_ratio(&Spectrum::from_covariance(&covariance, d))
            .expect("there is variance");
        assert_within(
            ((ratio - 1.0) / (d as f64 - 1.0) - score).abs(),
            HOST,
            format!("{}", case["name"]),
        );
        compared += 1;
    }
    assert!(compared >= 15, "{compared} cases");
}

#[test]
fn covariances_of_points_match_numpy() {
    for case in golden("isoscore")["cases"].as_array().expect("cases") {
        let points = Points::from_json(&case["points"]);
        let Some(expected) = numbers(&case["covariance"]).filter(|_| points.n > 1) else {
            continue;
        };
        let scale = expected
            .iter()
            .step_by(points.d + 1)
            .fold(0.0, |largest: f64, variance| largest.max(*variance))
            .max(1e-30);
        for (backend, device) in devices() {
            let ours = values(&Moments::from_points(points.tensor(&device)).covariance());
            assert_within(
                distance(&ours, &expected) / scale,
                DEVICE,
                format!("{} on {backend}", case["name"]),
            );
        }
    }
}

#[test]
#[should_panic(expected = "width 3 needs 9 numbers, got 8")]
fn a_covariance_must_be_square() {
    Spectrum::from_covariance(&[0.0; 8], 3);
}

#[test]
fn rounding_below_zero_is_zero() {
    let spectrum = Spectrum::from_covariance(&[1.0, 0.0, 0.0, -1e-17], 2);
    assert_eq!(spectrum.eigenvalues(), [1.0, 0.0]);
    assert_eq!(effective_rank(&spectrum), Some(1.0));
}

#[test]
fn variances_beyond_all_proportion_to_each_other_converge() {
    for seed in 0..200 {
        let normal = Points::gaussian(1, 8, seed);
        for exponent in [20, 60, 103, 119, 125, 150] {
            // The matrix that results from products in f32, all but one of which underflow, and
            // from means in f64.
            let mean: Vec<f64> = (0..8)
                .map(|at| {
                    if at == 3 {
                        0.0
                    } else {
                        normal.values[at] * 10_f64.powi(-exponent)
                    }
                })
                .collect();
            let entries: Vec<f64> = (0..64)
                .map(|at| if at == 27 { 1.0 } else { 0.0 } - mean[at / 8] * mean[at % 8])
                .collect();
            let what = format!("seed {seed}, 1e-{exponent}");
            let found = Spectrum::from_covariance(&entries, 8).eigenvalues();
            assert_within((found[0] / entries[27] - 1.0).abs(), HOST, &what);
            // Zero up to the precision of f64 next to the largest; all are exactly 0 at present.
            assert!(
                found[1..]
                    .iter()
                    .all(|value| *value <= f64::EPSILON * found[0]),
                "{what}: {found:?}"
            );
        }
    }
}

#[test]
fn shares_beyond_all_and_none_are_all_and_the_first() {
    let spectrum = Spectrum::from_covariance(&[3.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], 3);
    let explained = |at_least| explained_variance(&spectrum, at_least).expect("variance");
    for at_least in [1.0, 7.0, f64::INFINITY, f64::NAN] {
        assert_eq!(
            explained(at_least),
            ExplainedVariance {
                components: 2,
                share: 1.0
            },
            "{at_least}"
        );
    }
    for at_least in [0.75, 0.1, 0.0, -3.0] {
        assert_eq!(
            explained(at_least),
            ExplainedVariance {
                components: 1,
                share: 0.75
            },
            "{at_least}"
        );
    }
    assert_eq!(varex(&spectrum, 0.0), Some(1.0 / 3.0 / 0.75));
    assert_eq!(varex(&spectrum, 2.0), Some(1.0));
}
