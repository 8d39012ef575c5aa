//! Estimates of the intrinsic dimension, compared with scikit-dimension, DADApy and known
//! manifolds.

use crate::common::{Normal, Points, assert_within, devices, golden, largest, numbers};
use isostar_core::measure::{TwoNn, mle, twonn, twonn_discarding};
use isostar_core::{ConfigError, NearestNeighbours, nearest_neighbours};

/// Relative difference from SciPy's distances in f64; the largest observed is 3e-16.
const DISTANCE: f64 = 1e-13;
/// Relative difference from scikit-dimension's estimates, also in f64; the largest observed is
/// 5e-15, and 1e-14 from DADApy's likelihood estimate.
const ESTIMATE: f64 = 1e-12;
/// Relative difference from DADApy's slope, an iterative fit; the largest observed is 3e-9.
const FITTED: f64 = 1e-8;

fn neighbours(points: &Points, device: &burn::prelude::Device, k: usize) -> NearestNeighbours {
    nearest_neighbours(points.tensor(device), k, &|_| ())
}

fn discarding(neighbours: &NearestNeighbours, share: f64) -> TwoNn {
    twonn_discarding(neighbours, share)
        .expect("a share in [0, 1)")
        .expect("points that differ")
}

#[test]
fn distances_and_estimates_match_scikit_dimension_and_dadapy() {
    for case in golden("twonn")["cases"]
        .as_array()
        .expect("a list of cases")
    {
        let points = Points::from_json(&case["points"]);
        for (backend, device) in devices() {
            let what = format!("{} on {backend}", case["name"]);
            let two = neighbours(&points, &device, 2);
            for (at, key) in ["r1", "r2"].into_iter().enumerate() {
                let expected = numbers(&case[key]).expect("distances");
                let ours = two.distances.chunks(2).map(|distances| distances[at]);
                let off = ours.zip(expected).map(|(ours, expected)| {
                    if ours == expected {
                        0.0
                    } else {
                        (ours - expected) / expected
                    }
                });
                assert_within(
                    largest(&off.collect::<Vec<_>>()),
                    DISTANCE,
                    format!("{what}, {key}"),
                );
            }
            let [all, most, fewer] = [0.0, 0.1, 0.25].map(|share| discarding(&two, share));
            assert_eq!(twonn(&two), Some(most), "{what}");
            assert_eq!(
                Some(most.points as u64),
                case["kept_points"].as_u64(),
                "{what}"
            );
            let levina_bickel = |k: usize| {
                (k < points.n)
                    .then(|| mle(&neighbours(&points, &device, k)).expect("points that differ"))
            };
            let estimates = [
                ("skdim_linear_discard_0_1", Some(most.linear), ESTIMATE),
                ("skdim_linear_discard_0_25", Some(fewer.linear), ESTIMATE),
                (
                    "skdim_mle_discard_0_1",
                    Some(most.maximum_likelihood),
                    ESTIMATE,
                ),
                (
                    "skdim_mle_discard_0",
                    Some(all.maximum_likelihood),
                    ESTIMATE,
                ),
                ("dadapy_base", Some(most.linear), FITTED),
                ("dadapy_ml", Some(all.maximum_likelihood), ESTIMATE),
                ("skdim_levina_bickel_k4", levina_bickel(4), ESTIMATE),
                ("skdim_levina_bickel_k20", levina_bickel(20), ESTIMATE),
            ];
            for (key, ours, tolerance) in estimates {
                let Some(expected) = case[key].as_f64() else {
                    continue;
                };
                let ours = ours.unwrap_or_else(|| panic!("{what} has {key}"));
                assert_within(
                    (ours - expected).abs() / expected,
                    tolerance,
                    format!("{what}, {key}"),
                );
            }
        }
    }
}

#[test]
fn a_share_to_discard_is_less_than_all() {
    let two = neighbours(
        &Points::gaussian(20, 3, 1),
        &burn::prelude::Device::flex(),
        2,
    );
    for value in [-0.1, 1.0, 2.0, f64::INFINITY] {
        assert_eq!(
            twonn_discarding(&two, value),
            Err(ConfigError::Discarded { value })
        );
    }
    assert!(matches!(
        twonn_discarding(&two, f64::NAN),
        Err(ConfigError::Discarded { .. })
    ));
    assert_eq!(twonn_discarding(&two, 0.99), Ok(None), "no ratio is left");
    assert!(
        twonn_discarding(&two, 0.0)
            .is_ok_and(|estimate| estimate.is_some_and(|estimate| estimate.linear.is_finite()))
    );
}

#[test]
fn one_neighbour_gives_no_ratio() {
    let one = neighbours(
        &Points::gaussian(20, 3, 1),
        &burn::prelude::Device::flex(),
        1,
    );
    assert_eq!((twonn(&one), mle(&one)), (None, None));
}

/// Number of points per manifold.
const POINTS: usize = 3000;
/// Tolerance of a TwoNN estimate in standard deviations, d/√n each.
const DEVIATIONS: f64 = 4.0;
/// Relative bias of TwoNN from changes of density and curvature within the distance of a neighbour;
/// negligible up to four dimensions.
const FLAT: f64 = 0.01;
/// Relative error of the Levina–Bickel estimate with twenty neighbours, which varies less per
/// point; the largest observed is 1.5%.
const OVER_TWENTY: f64 = 0.03;

/// Panics unless the estimates from `points` match dimension `d`.
fn expect_dimension(what: &str, points: &Points, d: f64) {
    for (backend, device) in devices() {
        let found = neighbours(points, &device, 20);
        let estimate = twonn(&found).expect("points that differ");
        let deviation = d / (0.9 * points.n as f64).sqrt();
        let tolerance = DEVIATIONS * deviation + FLAT * d;
        assert_within(
            (estimate.linear - d).abs(),
            tolerance,
            format!("{what} on {backend}, linear: {}", estimate.linear),
        );
        let likely = estimate.maximum_likelihood;
        assert_within(
            (likely - d).abs(),
            tolerance,
            format!("{what} on {backend}, maximum likelihood: {likely}"),
        );
        let twenty = mle(&found).expect("points that differ");
        assert_within(
            (twenty - d).abs(),
            OVER_TWENTY * d,
            format!("{what} on {backend}, Levina–Bickel: {twenty}"),
        );
    }
}

#[test]
fn a_flat_has_its_own_dimension_in_any_space() {
    for (k, d) in [(1, 3), (2, 10), (4, 64)] {
        let (inner, axes) = (Points::gaussian(POINTS, k, 2), Points::gaussian(k, d, 3));
        let flat = Points::from_fn(POINTS, d, |row, column| {
            (0..k)
                .map(|at| inner.row(row)[at] * axes.row(at)[column])
                .sum::<f64>()
                + 7.0
        });
        expect_dimension(&format!("a {k}-flat in {d} dimensions"), &flat, k as f64);
    }
}

#[test]
fn a_sphere_has_one_dimension_less_than_its_space() {
    for k in [1, 2, 3] {
        let points = Points::gaussian(POINTS, k + 1, 4);
        let norm = |row: usize| {
            points
                .row(row)
                .iter()
                .map(|value| value * value)
                .sum::<f64>()
                .sqrt()
        };
        let sphere = Points::from_fn(POINTS, k + 1, |row, column| {
            points.row(row)[column] / norm(row)
        });
        expect_dimension(&format!("a {k}-sphere"), &sphere, k as f64);
    }
}

#[test]
fn a_swiss_roll_is_a_plane() {
    let mut normal = Normal::new(5);
    let sheet: Vec<[f64; 2]> = (0..POINTS)
        .map(|_| {
            [
                1.5 * std::f64::consts::PI * (1.0 + 2.0 * normal.uniform()),
                21.0 * normal.uniform(),
            ]
        })
        .collect();
    let roll = Points::from_fn(POINTS, 3, |row, column| {
        let [angle, height] = sheet[row];
        [angle * angle.cos(), height, angle * angle.sin()][column]
    });
    expect_dimension("a Swiss roll", &roll, 2.0);
}

#[test]
fn a_gaussian_has_the_dimension_of_its_covariance() {
    for d in [2, 3, 4] {
        let gaussian =
            Points::gaussian(POINTS, d, 6).map(|column, value| value * (1.0 + column as f64));
        expect_dimension(
            &format!("a Gaussian in {d} dimensions"),
            &gaussian,
            d as f64,
        );
    }
}

#[test]
fn many_dimensions_are_underestimated() {
    // A known limit of all estimators that use neighbours: 3,000 points cannot fill 20 dimensions.
    let found = neighbours(
        &Points::gaussian(POINTS, 20, 7),
        &burn::prelude::Device::flex(),
        20,
    );
    let estimate = twonn(&found).expect("points that differ").linear;
    assert!((12.0..20.0).contains(&estimate), "{estimate}");
}
