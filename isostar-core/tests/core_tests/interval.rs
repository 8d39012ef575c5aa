//! Confidence intervals of the unbiased IsoScore: their coverage, and the cases without one.

use crate::common::{Normal, Points, assert_within, devices, rotated};
use burn::prelude::*;
use isostar_core::{
    IsoscoreJackknife, Moments, RunningMoments, isoscore_interval, isoscore_unbiased,
};

const CONFIDENCE: f64 = 0.9;
const SEEDS: usize = 200;

/// IsoScore of a diagonal covariance.
fn true_score(variances: &[f64]) -> f64 {
    let trace: f64 = variances.iter().sum();
    let frobenius: f64 = variances.iter().map(|variance| variance * variance).sum();
    (trace * trace / frobenius - 1.0) / (variances.len() as f64 - 1.0)
}

/// The number of 200 intervals that contain the true score of Gaussian points, and their mean
/// width.
fn coverage(n: usize, variances: &[f64], scale: impl Fn(&mut Normal) -> f64) -> (usize, f64) {
    let truth = true_score(variances);
    let device = Device::flex();
    let (mut covered, mut width) = (0, 0.0);
    for seed in 0..SEEDS {
        let mut scales = Normal::new(90_000 + seed as u64);
        let normals = Points::gaussian(n, variances.len(), 7_000 * n as u64 + seed as u64);
        let mut factor = 1.0;
        let points = Points::from_fn(n, variances.len(), |row, column| {
            if column == 0 {
                factor = scale(&mut scales);
            }
            3.0 + factor * normals.row(row)[column] * variances[column].sqrt()
        });
        let [low, high] =
            isoscore_interval(points.tensor(&device), CONFIDENCE).expect("an interval");
        assert!(0.0 <= low && low <= high && high <= 1.0, "[{low}, {high}]");
        covered += usize::from(low <= truth && truth <= high);
        width += (high - low) / SEEDS as f64;
    }
    println!(
        "{covered} of {SEEDS} intervals of {n} points cover {truth:.3}, mean width {width:.3}"
    );
    (covered, width)
}

/// Expects 180 of 200: a binomial count is in 167..=192 in 99.7% of cases; 173 to 184 were
/// observed.
fn assert_nominal(covered: usize) {
    assert!(
        (167..=192).contains(&covered),
        "{covered} of {SEEDS} intervals cover the true score"
    );
}

/// Variances that fall by e^3.48 from the first to the last, whose score at d = 96 is 0.534.
fn falling(d: usize) -> Vec<f64> {
    (0..d)
        .map(|at| (-3.48 * at as f64 / d as f64).exp())
        .collect()
}

#[test]
fn few_points_of_many_dimensions_are_covered() {
    let (covered, few) = coverage(64, &falling(96), |_| 1.0);
    assert_nominal(covered);
    let (covered, many) = coverage(256, &falling(96), |_| 1.0);
    assert_nominal(covered);
    assert!(
        many < 0.6 * few,
        "four times the points, {many} and {few} wide"
    );
}

#[test]
fn many_points_of_few_dimensions_are_covered() {
    let (covered, _) = coverage(2000, &falling(8), |_| 1.0);
    assert_nominal(covered);
}

#[test]
fn an_outlier_dimension_is_covered() {
    let mut variances = falling(24);
    variances[3] = 100.0;
    let (covered, _) = coverage(500, &variances, |_| 1.0);
    assert_nominal(covered);
}

#[test]
fn points_of_varying_length_are_covered() {
    // Scaling each point by a factor in [0.5, 1.5] keeps the shape of the covariance, but the
    // points are no longer Gaussian.
    let (covered, _) = coverage(400, &falling(24), |scales| 0.5 + scales.uniform());
    assert_nominal(covered);
}

#[test]
fn isotropic_points_are_covered() {
    // The linear term of the score is exactly zero for isotropic points.
    let (covered, width) = coverage(200, &[1.0; 40], |_| 1.0);
    // An interval clipped at 1 misses on one side only: 190 are expected, 197 were observed.
    assert!((182..=200).contains(&covered), "{covered} of {SEEDS}");
    // The score's standard deviation is that of tr Σ², 2/n: nominal intervals are 2·1.73·2/n wide,
    // and the half above 1 is clipped.
    assert!(width < 2.0 * 1.73 * 2.0 / 200.0, "{width} wide");
}

/// Intervals of points drawn with replacement, which form pairs with themselves, miss the score.
#[test]
fn points_drawn_twice_would_miss_the_score() {
    let variances = falling(96);
    let truth = true_score(&variances);
    let device = Device::flex();
    let points = Points::gaussian(64, 96, 1).map(|column, value| value * variances[column].sqrt());
    let mut uniform = Normal::new(2);
    let mut scores: Vec<f64> = (0..100)
        .map(|_| {
            let rows: Vec<usize> = (0..64)
                .map(|_| (64.0 * uniform.uniform()) as usize)
                .collect();
            let drawn = Points::from_fn(64, 96, |row, column| points.row(rows[row])[column]);
            isoscore_unbiased(drawn.tensor(&device)).expect("an estimate")
        })
        .collect();
    scores.sort_by(f64::total_cmp);
    assert!(
        scores[95] < truth - 0.1,
        "the bootstrap's 95% quantile {} lies far below {truth}",
        scores[95]
    );
    let [low, high] = isoscore_interval(points.tensor(&device), CONFIDENCE).expect("an interval");
    assert!(low < truth && truth < high, "[{low}, {high}]");
}

#[test]
fn sentences_of_equal_tokens_widen_the_interval() {
    let device = Device::flex();
    let independent = Points::gaussian(800, 12, 3);
    let repeated = Points::from_fn(800, 12, |row, column| independent.row(row / 8)[column]);
    let width = |points: &Points| {
        let [low, high] =
            isoscore_interval(points.tensor(&device), CONFIDENCE).expect("an interval");
        high - low
    };
    assert!(
        width(&repeated) > 3.0 * width(&independent),
        "{} and {}",
        width(&repeated),
        width(&independent)
    );
}

/// Absolute difference of interval ends in f32; the largest observed is 2e-7.
const END: f64 = 2e-6;

#[test]
fn the_interval_ignores_where_the_points_lie_their_size_and_rotation() {
    let points = Points::gaussian(120, 10, 4).map(|column, value| value * (1.0 + column as f64));
    for (backend, device) in devices() {
        let ends = |points: &Points| {
            isoscore_interval(points.tensor(&device), CONFIDENCE).expect("an interval")
        };
        let [low, high] = ends(&points);
        for (what, moved) in [
            (
                "moved",
                points.map(|column, value| value + 100.0 * column as f64),
            ),
            ("of size 1e-12", points.map(|_, value| 1e-12 * value)),
            ("of size 1e19", points.map(|_, value| 1e19 * value)),
            ("rotated", rotated(&points, 5)),
        ] {
            let ends = ends(&moved);
            assert_within(
                (ends[0] - low).abs().max((ends[1] - high).abs()),
                END,
                format!("{what} on {backend}"),
            );
        }
    }
}

#[test]
fn a_stream_in_blocks_gives_the_interval_of_the_points() {
    let points =
        Points::gaussian(403, 9, 6).map(|column, value| value * (1.0 + column as f64) + 20.0);
    for (backend, device) in devices() {
        let mut jackknife = IsoscoreJackknife::new(9);
        let mut rows = 0;
        for range in IsoscoreJackknife::groups(403) {
            assert_eq!(range.start, rows, "groups are contiguous");
            assert!(
                (20..=21).contains(&range.len()),
                "groups are of one size, but for one"
            );
            rows = range.end;
            let mut group = RunningMoments::new(9);
            for block in [range.start..range.start + 8, range.start + 8..range.end] {
                let block = points.filter(|row| block.contains(&row)).tensor(&device);
                group
                    .update(&Moments::from_points(block))
                    .expect("the device can be read");
            }
            jackknife.push(&group);
        }
        assert_eq!(rows, 403);
        let [ours, whole] = [
            jackknife.interval(CONFIDENCE),
            isoscore_interval(points.tensor(&device), CONFIDENCE),
        ];
        let ([low, high], [whole_low, whole_high]) =
            (ours.expect("an interval"), whole.expect("an interval"));
        assert_within(
            (low - whole_low).abs().max((high - whole_high).abs()),
            END,
            format!("on {backend}"),
        );
    }
}

#[test]
fn confidence_widens_the_interval_around_the_estimate() {
    let points = Points::gaussian(300, 10, 7).map(|column, value| value * (1.0 + column as f64));
    let tensor = points.tensor(&Device::flex());
    let ends = |confidence| isoscore_interval(tensor.clone(), confidence).expect("an interval");
    let estimate = isoscore_unbiased(tensor.clone()).expect("an estimate");
    let [[none, same], narrow, wide, all] = [0.0, 0.5, 0.99, 1.0].map(ends);
    assert_eq!(none, same);
    assert_within(
        (none - estimate).abs(),
        0.25 * (wide[1] - wide[0]),
        "the estimate of groups and that of all pairs",
    );
    assert!(
        wide[0] < narrow[0] && narrow[0] < none && none < narrow[1] && narrow[1] < wide[1],
        "{wide:?} {narrow:?} {none}"
    );
    assert_eq!(all, [0.0, 1.0]);
    assert_eq!([ends(-1.0), ends(2.0)], [[none, same], all]);
    assert_eq!(isoscore_interval(tensor.clone(), f64::NAN), None);
}

#[test]
fn there_is_no_interval_of_few_points_nor_of_constant_ones() {
    for (backend, device) in devices() {
        let interval = |points: Points| isoscore_interval(points.tensor(&device), CONFIDENCE);
        assert!(
            interval(Points::gaussian(20, 3, 8)).is_some(),
            "on {backend}"
        );
        assert_eq!(interval(Points::gaussian(19, 3, 8)), None, "on {backend}");
        assert_eq!(
            interval(Points::gaussian(40, 1, 9)),
            None,
            "one dimension on {backend}"
        );
        assert_eq!(
            interval(Points::from_fn(40, 3, |_, column| 0.1 + column as f64)),
            None,
            "constant points on {backend}"
        );
        let mut broken = Points::gaussian(40, 3, 10);
        broken.values[50] = f64::NAN;
        assert_eq!(interval(broken), None, "NaN on {backend}");
        // All points of one group are equal; the other groups still give an interval.
        let still = Points::gaussian(40, 3, 11);
        let still = Points::from_fn(
            40,
            3,
            |row, column| if row < 5 { 1.0 } else { still.row(row)[column] },
        );
        assert!(
            interval(still).is_some_and(|[low, high]| 0.0 <= low && low < high && high <= 1.0),
            "on {backend}"
        );
    }
    let one_varies = Points::gaussian(20, 3, 13);
    let one_varies = Points::from_fn(20, 3, |row, column| {
        if row < 15 {
            1.0
        } else {
            one_varies.row(row)[column]
        }
    });
    for confidence in [0.0, CONFIDENCE, 1.0] {
        assert_eq!(
            isoscore_interval(one_varies.tensor(&Device::flex()), confidence),
            None,
            "one group that varies, {confidence}"
        );
    }
    let mut jackknife = IsoscoreJackknife::new(3);
    (0..4).for_each(|_| jackknife.push(&RunningMoments::new(3)));
    assert_eq!(
        jackknife.interval(CONFIDENCE),
        None,
        "groups without points"
    );
}

#[test]
#[should_panic(expected = "a group of width 4 for a jackknife of width 3")]
fn groups_must_be_of_one_width() {
    IsoscoreJackknife::new(3).push(&RunningMoments::new(4));
}

#[test]
fn the_estimate_of_groups_is_the_mean_over_pairs_of_points_in_different_groups() {
    // The definition in terms of differences of pairs within groups, without covariances.
    let points = Points::gaussian(20, 4, 12).map(|column, value| value * (1.0 + column as f64));
    let differences = |rows: std::ops::Range<usize>| -> Vec<Vec<f64>> {
        let pairs = rows
            .clone()
            .flat_map(|i| (rows.start..i).map(move |j| (i, j)));
        pairs
            .map(|(i, j)| {
                points
                    .row(i)
                    .iter()
                    .zip(points.row(j))
                    .map(|(a, b)| a - b)
                    .collect()
            })
            .collect()
    };
    let groups: Vec<_> = IsoscoreJackknife::groups(20).map(differences).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let [mut products, mut traces] = [vec![], vec![]];
    for (g, h) in (0..4).flat_map(|g| (0..g).map(move |h| (g, h))) {
        products.extend(
            groups[g]
                .iter()
                .flat_map(|a| groups[h].iter().map(|b| dot(a, b).powi(2) / 4.0)),
        );
        traces.extend(
            groups[g]
                .iter()
                .flat_map(|a| groups[h].iter().map(|b| dot(a, a) * dot(b, b) / 4.0)),
        );
    }
    let expected = (mean(traces) / mean(products) - 1.0) / 3.0;
    for (backend, device) in devices() {
        let [low, high] = isoscore_interval(points.tensor(&device), 0.0).expect("an estimate");
        assert_eq!(low, high);
        assert_within((low - expected).abs(), END, format!("on {backend}"));
    }
}
