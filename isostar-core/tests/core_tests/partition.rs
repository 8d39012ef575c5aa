//! The partition score against NumPy, for different block sizes and extreme points.

use crate::common::{
    Points, assert_within, devices, golden, half_precisions, numbers, rotated, values,
};
use isostar_core::measure::{Partition, partition};
use isostar_core::{Moments, RunningMoments};

/// Difference of logarithms in f32, relative to the largest projection or 1; the largest observed
/// is 7e-7.
const LOGARITHM: f64 = 2e-6;

/// ln Z of every direction and sign by definition, in f64: eigenvectors from singular vectors of
/// the points, in ascending order.
fn by_definition(points: &Points) -> Vec<[f64; 2]> {
    let matrix = faer::MatRef::from_row_major_slice(&points.values, points.n, points.d);
    let decomposition = matrix
        .thin_svd()
        .expect("singular vectors of finite points");
    let directions = decomposition.V();
    let log_sum = |direction: usize, sign: f64| {
        let exponents: Vec<f64> = (0..points.n)
            .map(|row| {
                sign * points
                    .row(row)
                    .iter()
                    .enumerate()
                    .map(|(at, value)| value * directions[(at, direction)])
                    .sum::<f64>()
            })
            .collect();
        let largest = exponents
            .iter()
            .fold(f64::NEG_INFINITY, |largest, exponent| {
                largest.max(*exponent)
            });
        largest
            + exponents
                .iter()
                .map(|exponent| (exponent - largest).exp())
                .sum::<f64>()
                .ln()
    };
    (0..points.d)
        .rev()
        .map(|direction| [1.0, -1.0].map(|sign| log_sum(direction, sign)))
        .collect()
}

/// The logarithm of the score.
fn log_score(logs: &[[f64; 2]]) -> f64 {
    let all = || logs.iter().flatten().copied();
    all().fold(f64::INFINITY, f64::min) - all().fold(f64::NEG_INFINITY, f64::max)
}

/// Sorts the two signs of each direction, because the sign of an eigenvector is arbitrary.
fn without_signs(logs: impl IntoIterator<Item = [f64; 2]>) -> Vec<f64> {
    logs.into_iter()
        .flat_map(|[positive, negative]| [positive.min(negative), positive.max(negative)])
        .collect()
}

/// Compares all sums and the score of points with the definition, on every device.
fn check(what: &str, points: &Points) {
    let exact = by_definition(points);
    for (backend, device) in devices() {
        let ours = Partition::from_points(points.tensor(&device)).expect("the device can be read");
        compare(&format!("{what} on {backend}"), &ours, &exact, LOGARITHM);
    }
}

fn compare(what: &str, ours: &Partition, exact: &[[f64; 2]], tolerance: f64) {
    let unit = exact
        .iter()
        .flatten()
        .fold(1.0_f64, |unit, log| unit.max(log.abs()));
    for (ours, exact) in without_signs(ours.log_sums())
        .iter()
        .zip(without_signs(exact.to_vec()))
    {
        assert_within(
            (ours - exact).abs() / unit,
            tolerance,
            format!("{what}: ln Z {exact}"),
        );
    }
    let log = ours.log_score().expect("finite points have a score");
    assert_within(
        (log - log_score(exact)).abs() / unit,
        tolerance,
        format!("{what}: logarithm of the score"),
    );
    assert_eq!(ours.score(), Some(log.exp()), "{what}");
}

/// Correlated points of decaying scales.
fn cloud(n: usize, d: usize, seed: u64) -> Points {
    let points = Points::gaussian(n, d, seed)
        .map(|column, value| value * (1.5 - column as f64 / d as f64) + 0.2);
    rotated(&points, seed)
}

#[test]
fn scores_and_sums_match_numpy() {
    let file = golden("partition");
    for case in file["cases"].as_array().expect("cases") {
        let points = Points::from_json(&case["points"]);
        let [positive, negative] = ["log_z_positive", "log_z_negative"]
            .map(|key| numbers(&case[key]).expect("logarithms"));
        let exact: Vec<[f64; 2]> = positive
            .into_iter()
            .zip(negative)
            .map(|(positive, negative)| [positive, negative])
            .collect();
        let expected = case["score_both_signs"].as_f64().expect("a score");
        let logarithm = case["log_score_both_signs"]
            .as_f64()
            .expect("its logarithm");
        assert_within(
            (log_score(&exact) - logarithm).abs(),
            1e-12,
            "the file agrees with itself",
        );
        for (backend, device) in devices() {
            let what = format!("{} on {backend}", case["name"]);
            let ours =
                Partition::from_points(points.tensor(&device)).expect("the device can be read");
            compare(&what, &ours, &exact, LOGARITHM);
            let score = partition(points.tensor(&device)).expect("a score");
            // The relative error of a score is the absolute error of its logarithm: 2e-5 of e⁻²⁵⁵
            // was observed.
            assert_within(
                (score - expected).abs(),
                2.0 * LOGARITHM * logarithm.abs().max(1.0) * expected,
                format!("score of {what}"),
            );
        }
    }
}

#[test]
fn extreme_points() {
    check("ordinary points", &cloud(200, 10, 1));
    check("more points than a block", &cloud(20_000, 4, 2));
    check(
        "one dimension ×100",
        &cloud(200, 10, 3).map(|column, value| if column == 5 { 100.0 * value } else { value }),
    );
    check(
        "means at 1000σ",
        &cloud(200, 10, 4)
            .map(|column, value| value + if column % 2 == 0 { 1000.0 } else { -1000.0 }),
    );
    check(
        "points of size 1e-12",
        &cloud(200, 10, 5).map(|_, value| 1e-12 * value),
    );
    check(
        "points of size 1e4",
        &cloud(200, 10, 6).map(|_, value| 1e4 * value),
    );
    check(
        "points of size 1e19",
        &cloud(200, 10, 7).map(|_, value| 1e19 * value),
    );
    check("a single number each", &cloud(30, 1, 8));
    let few = cloud(12, 5, 9);
    check(
        "each point four times",
        &Points::from_fn(48, 5, |row, column| few.row(row / 4)[column]),
    );
}

#[test]
fn what_the_points_do_not_reach_counts_as_zero() {
    // Six points in twelve dimensions: directions without second moment have exponents of 0, for
    // any choice of direction.
    let points = cloud(6, 12, 10);
    let padded = Points::new(12, 12, [points.values.clone(), vec![0.0; 72]].concat());
    // Six additional zero points add 6 to each sum, and complete the singular vectors of the
    // definition.
    let exact: Vec<[f64; 2]> = by_definition(&padded)
        .iter()
        .map(|logs| logs.map(|log: f64| (log.exp() - 6.0).ln()))
        .collect();
    for (backend, device) in devices() {
        let ours = Partition::from_points(points.tensor(&device)).expect("the device can be read");
        compare(&format!("on {backend}"), &ours, &exact, LOGARITHM);
    }
}

#[test]
fn blocks_in_any_grouping_give_the_same_score() {
    let points = cloud(500, 8, 11).map(|_, value| value + 40.0);
    let exact = by_definition(&points);
    for (backend, device) in devices() {
        let blocks: Vec<_> = [0..0, 0..1, 1..130, 130..499, 499..500]
            .map(|rows| points.filter(|row| rows.contains(&row)).tensor(&device))
            .into_iter()
            .collect();
        let mut moments = RunningMoments::new(8);
        for block in &blocks {
            moments
                .update(&Moments::from_points(block.clone()))
                .expect("the device can be read");
        }
        let empty = Partition::new(&moments, &device);
        let of = |blocks: &[_]| {
            let mut partition = empty.clone();
            blocks
                .iter()
                .cloned()
                .for_each(|block| partition.update(block).expect("the device can be read"));
            partition
        };
        compare(
            &format!("one after the other on {backend}"),
            &of(&blocks),
            &exact,
            LOGARITHM,
        );
        let mut merged = of(&blocks[3..]);
        merged.merge(&empty);
        merged.merge(&of(&blocks[..3]));
        compare(&format!("merged on {backend}"), &merged, &exact, LOGARITHM);
    }
}

#[test]
fn deviations_in_a_unit_give_the_score_of_the_points() {
    // Points at 10⁶σ in f64; f32 alone would keep one digit.
    let deviations = cloud(100, 6, 12);
    let (origin, unit) = ([1e6, -1e6, 1e6, 0.0, 3.0, 1e6], 0.25);
    let points = Points::new(
        100,
        6,
        deviations
            .values
            .iter()
            .enumerate()
            .map(|(at, value)| origin[at % 6] + unit * value)
            .collect(),
    );
    let exact = by_definition(&points);
    for (backend, device) in devices() {
        let mut moments = RunningMoments::new(6);
        moments
            .update(&Moments::from_points(deviations.tensor(&device)))
            .expect("the device can be read");
        let mut ours = Partition::from_deviations(&moments, &origin, unit, &device);
        ours.update(deviations.tensor(&device))
            .expect("the device can be read");
        // Relative to 2e6, the size of the points; the observed value is 3e-12.
        compare(&format!("on {backend}"), &ours, &exact, 5e-11);
    }
}

#[test]
fn half_precision_is_as_exact_as_its_points() {
    for (backend, device, dtype) in half_precisions() {
        let tensor = cloud(100, 8, 13).tensor_of(&device, dtype);
        let exact = by_definition(&Points::new(100, 8, values(&tensor)));
        let ours = Partition::from_points(tensor).expect("the device can be read");
        compare(&format!("{dtype:?} on {backend}"), &ours, &exact, LOGARITHM);
    }
}

#[test]
fn points_that_do_not_vary_have_their_documented_score() {
    let norm = 0.5_f64;
    let constant = Points::from_fn(
        7,
        4,
        |_, column| if column < 2 { norm / 2f64.sqrt() } else { 0.0 },
    );
    for (backend, device) in devices() {
        assert_eq!(
            partition(Points::from_fn(5, 3, |_, _| 0.0).tensor(&device)),
            Some(1.0),
            "zeros on {backend}"
        );
        for (what, points) in [
            ("equal points", constant.clone()),
            ("a single point", constant.filter(|row| row == 0)),
        ] {
            let score = partition(points.tensor(&device)).expect("a score");
            assert_within(
                (score - (-2.0 * norm).exp()).abs(),
                LOGARITHM,
                format!("{what} on {backend}"),
            );
        }
        assert_eq!(
            partition(Points::new(0, 4, vec![]).tensor(&device)),
            None,
            "no points on {backend}"
        );
        for odd in [f64::NAN, f64::INFINITY] {
            let mut points = cloud(9, 4, 14);
            points.values[7] = odd;
            assert_eq!(
                partition(points.tensor(&device)),
                None,
                "{odd} on {backend}"
            );
        }
    }
}

#[test]
fn a_score_too_small_for_a_number_has_a_logarithm() {
    let points = cloud(50, 3, 15).map(|_, value| 1000.0 * value);
    for (backend, device) in devices() {
        let ours = Partition::from_points(points.tensor(&device)).expect("the device can be read");
        assert_eq!(ours.score(), Some(0.0), "on {backend}");
        assert!(
            ours.log_score().expect("a logarithm") < -1000.0,
            "on {backend}"
        );
    }
}

#[test]
#[should_panic(expected = "a block of shape [5, 3] for directions of width 4")]
fn blocks_must_be_as_wide_as_the_directions() {
    let (_, device) = devices().remove(0);
    let _ = Partition::new(&RunningMoments::new(4), &device)
        .update(Points::gaussian(5, 3, 16).tensor(&device));
}
