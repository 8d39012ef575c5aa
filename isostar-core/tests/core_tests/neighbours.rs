//! Distances to nearest neighbours, against all n² distances in f64.

use crate::common::{Normal, Points, assert_within, devices};
use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::measure::{mle, twonn};
use isostar_core::{NearestNeighbours, nearest_neighbours};

/// Relative difference of two distances computed in f64 from the same coordinates; the largest
/// observed is 6e-16.
const DISTANCE: f64 = 1e-13;

fn neighbours(points: Tensor<2>, k: usize) -> NearestNeighbours {
    nearest_neighbours(points, k, &|_| ())
}

/// The k shortest distances of each point, by definition.
fn oracle(points: &Points, k: usize) -> Vec<f64> {
    let distance = |x: &[f64], y: &[f64]| {
        x.iter()
            .zip(y)
            .map(|(x, y)| (x - y).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let shortest = |point: usize| {
        let others = (0..points.n).filter(|&other| other != point);
        let mut distances: Vec<f64> = others
            .map(|other| distance(points.row(point), points.row(other)))
            .collect();
        distances.sort_by(f64::total_cmp);
        distances.truncate(k);
        distances
    };
    (0..points.n).flat_map(shortest).collect()
}

/// Panics unless all distances equal those of the oracle on every device. Returns the number of
/// points that flex recomputed.
fn check(what: &str, points: &Points, k: usize) -> usize {
    let expected = oracle(points, k);
    let recomputed = devices().into_iter().map(|(backend, device)| {
        let found = neighbours(points.tensor(&device), k);
        compare(&found, &expected, &format!("{what} on {backend}"));
        found.recomputed
    });
    recomputed.collect::<Vec<_>>()[0]
}

fn compare(found: &NearestNeighbours, expected: &[f64], what: &str) {
    assert_eq!(found.distances.len(), expected.len(), "{what}");
    let off = |(ours, theirs): (&f64, &f64)| {
        if ours == theirs {
            0.0
        } else {
            (ours - theirs).abs() / theirs
        }
    };
    let largest = found
        .distances
        .iter()
        .zip(expected)
        .map(off)
        .fold(
            0.0,
            |largest: f64, off| if off <= largest { largest } else { off },
        );
    assert_within(largest, DISTANCE, what);
}

#[test]
fn tiles_meet_without_a_seam() {
    for n in [2, 17, 511, 513, 2047, 2049, 2600] {
        assert_eq!(
            check(&format!("{n} points"), &Points::gaussian(n, 9, n as u64), 1),
            0
        );
    }
    assert_eq!(check("20 neighbours", &Points::gaussian(700, 12, 1), 20), 0);
}

#[test]
fn one_dimension_is_enough() {
    check("on a line", &Points::gaussian(600, 1, 2), 2);
}

#[test]
fn means_may_lie_far_from_zero() {
    for mean in [50.0, 1e4, 1e6] {
        let points = Points::gaussian(700, 24, 3)
            .map(|column, value| value + if column % 2 == 0 { mean } else { -mean });
        assert_eq!(check(&format!("means at {mean}σ"), &points, 3), 0);
    }
}

#[test]
fn one_dimension_or_one_point_may_dwarf_the_rest() {
    let points = Points::gaussian(700, 32, 4);
    check(
        "one dimension ×100",
        &points.map(|column, value| if column == 5 { value * 100.0 } else { value }),
        3,
    );
    check(
        "one dimension ×100 at 50σ",
        &points.map(|column, value| {
            if column == 5 {
                (value + 50.0) * 100.0
            } else {
                value
            }
        }),
        3,
    );
    let far = Points::from_fn(700, 32, |row, column| {
        points.row(row)[column] * if row == 9 { 1e5 } else { 1.0 }
    });
    check("one point ×100000", &far, 3);
}

#[test]
fn points_may_be_of_any_size() {
    for size in [1e-36, 1e-18, 1e18, 1e36] {
        assert_eq!(
            check(
                &format!("points of size {size}"),
                &Points::gaussian(300, 8, 5).map(|_, value| value * size),
                2
            ),
            0
        );
    }
    for size in [1e-200, 1.0, 1e200] {
        let points = Points::gaussian(300, 8, 5);
        let points = Points::new(
            300,
            8,
            points
                .values
                .iter()
                .map(|value| (value + 3.0) * size)
                .collect(),
        );
        let expected = oracle(
            &Points::new(
                300,
                8,
                points.values.iter().map(|value| value / size).collect(),
            ),
            2,
        );
        let found = neighbours(points.tensor_of(&Device::flex(), DType::F64), 2);
        let scaled = NearestNeighbours {
            distances: found
                .distances
                .iter()
                .map(|distance| distance / size)
                .collect(),
            ..found
        };
        compare(&scaled, &expected, &format!("f64 of size {size}"));
    }
}

#[test]
fn half_precision_is_widened() {
    let points = Points::gaussian(400, 16, 6)
        .map(|_, value| burn::tensor::f16::from_f64(value + 20.0).to_f64());
    let expected = oracle(&points, 3);
    for (backend, device) in devices() {
        if backend == "flex" {
            compare(
                &neighbours(points.tensor_of(&device, DType::F16), 3),
                &expected,
                "f16",
            );
        }
    }
}

#[test]
fn duplicates_are_neighbours_at_no_distance() {
    let few = Points::gaussian(50, 6, 7);
    // Each point appears twenty times, which exceeds the number of candidates.
    let many = Points::concat(&(0..20).map(|_| few.clone()).collect::<Vec<_>>());
    assert_eq!(check("each point twenty times", &many, 2), 0);
    check(
        "each point twenty times, more neighbours than duplicates",
        &many,
        21,
    );
    for (backend, device) in devices() {
        let found = neighbours(many.tensor(&device), 2);
        assert!(
            found.distances.iter().all(|&distance| distance == 0.0),
            "on {backend}"
        );
        assert_eq!((twonn(&found), mle(&found)), (None, None), "on {backend}");
        let one_twice = Points::concat(&[few.clone(), few.filter(|row| row == 4)]);
        let found = twonn(&neighbours(one_twice.tensor(&device), 2)).expect("other points");
        assert_eq!(found.points, 49, "on {backend}");
    }
}

#[test]
fn equal_points_have_no_dimension() {
    for (backend, device) in devices() {
        for value in [0.0, 1.1, -3e4] {
            let found = neighbours(Points::from_fn(30, 4, |_, _| value).tensor(&device), 3);
            assert!(
                found.distances.iter().all(|&distance| distance == 0.0),
                "on {backend}"
            );
            assert_eq!((twonn(&found), mle(&found)), (None, None), "on {backend}");
        }
    }
}

#[test]
fn ties_are_told_apart_exactly() {
    // All distances are √2, and rounding in f32 cannot rule out a smaller one.
    let corners = Points::from_fn(
        200,
        200,
        |row, column| if row == column { 1.0 } else { 0.0 },
    );
    assert_eq!(check("corners of a simplex", &corners, 2), 200);
    for (backend, device) in devices() {
        let found = neighbours(corners.tensor(&device), 4);
        assert_eq!(
            (twonn(&found), mle(&found)),
            (None, None),
            "on {backend}: all ratios are 1"
        );
    }
    let lattice = Points::from_fn(1000, 3, |row, column| {
        (row / [1, 10, 100][column] % 10) as f64
    });
    check("a lattice", &lattice, 7);
}

#[test]
fn what_f32_cannot_tell_apart_is_done_in_f64() {
    let (places, mut normal) = (Points::gaussian(30, 48, 8), Normal::new(9));
    let clusters = Points::from_fn(600, 48, |row, column| {
        places.row(row % 30)[column] + 1e-5 * normal.draw()
    });
    let recomputed = check(
        "clusters 100,000 times tighter than they are apart",
        &clusters,
        3,
    );
    assert_eq!(recomputed, 600);
    let curve = Points::from_fn(900, 64, |row, column| {
        (row as f64 / 900.0 * (column + 1) as f64 / 10.0).sin()
    });
    check("a curve", &curve, 3);
}

#[test]
fn fewer_points_than_neighbours() {
    for (backend, device) in devices() {
        for n in 0..3 {
            let found = neighbours(Points::gaussian(n, 4, 10).tensor(&device), 5);
            assert_eq!(
                (found.count, found.k),
                (n, n.saturating_sub(1)),
                "on {backend}"
            );
            assert_eq!(found.distances.len(), n * found.k, "on {backend}");
            assert_eq!(
                (twonn(&found), mle(&found)),
                (None, None),
                "{n} points on {backend}"
            );
        }
    }
    check("four points", &Points::gaussian(4, 3, 11), 3);
}

#[test]
fn what_is_not_finite_has_no_neighbours() {
    for (backend, device) in devices() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut points = Points::gaussian(40, 3, 12);
            points.values[50] = odd;
            let found = neighbours(points.tensor(&device), 2);
            assert!(
                found.distances.iter().all(|distance| distance.is_nan()),
                "{odd} on {backend}"
            );
            assert_eq!(
                (twonn(&found), mle(&found)),
                (None, None),
                "{odd} on {backend}"
            );
        }
    }
}

#[test]
fn progress_adds_up_to_the_points() {
    for n in [0, 1, 2, 700, 3000] {
        let steps = std::cell::RefCell::new(vec![]);
        nearest_neighbours(
            Points::gaussian(n, 3, 13).tensor(&Device::flex()),
            2,
            &|done| steps.borrow_mut().push(done),
        );
        assert_eq!(steps.borrow().iter().sum::<usize>(), n);
        assert!(n < 3000 || steps.borrow().len() > 5, "{steps:?}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let points = Points::gaussian(1500, 40, 14).tensor(&Device::flex());
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads");
        pool.install(|| neighbours(points.clone(), 4))
    };
    assert_eq!(on(1), on(3));
}

#[test]
#[should_panic(expected = "at least one neighbour")]
fn no_neighbours_cannot_be_asked_for() {
    neighbours(Points::gaussian(5, 3, 15).tensor(&Device::flex()), 0);
}
