//! Properties that the papers claim for the measures, on random points.

use crate::common::{
    Normal, Points, assert_within, devices, differentiate_tensor, distance, largest, oracle,
    rotated, scalar, values,
};
use burn::prelude::*;
use isostar_core::measure::{cosreg, mean_cosine};
use isostar_core::{
    CosRegConfig, HiddenStates, IStar, Moments, Padding, Regularizer, RunningMoments, Shrinkage,
    ShrinkageTarget, StateSelection, StepContext, UnbiasedSums, isoscore, isoscore_of_covariance,
    isoscore_unbiased,
};
use proptest::prelude::*;

/// Absolute difference of two scores in f32 that are equal up to rounding; the largest observed is
/// 4e-7.
const SCORE: f64 = 3e-6;

/// A small, fixed set of cases, because each runs on every device.
fn few() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(2024),
        ..ProptestConfig::default()
    }
}

/// Correlated points with different scales and means away from zero.
fn cloud() -> impl Strategy<Value = Points> {
    (
        2usize..60,
        2usize..14,
        any::<u32>(),
        0.0f64..3.0,
        -5.0f64..5.0,
    )
        .prop_map(|(n, d, seed, decay, mean)| {
            let points = Points::gaussian(n, d, seed as u64);
            Points::from_fn(n, d, |row, column| {
                let row = points.row(row);
                mean + row[column] * (-decay * column as f64 / d as f64).exp() + 0.4 * row[0]
            })
        })
}

fn score(points: &Points, device: &Device) -> f64 {
    scalar(isoscore(points.tensor(device)))
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn the_score_ignores_where_the_points_lie(points in cloud(), shift in -100.0f64..100.0) {
        let moved = points.map(|column, value| value + shift * (column as f64 - 2.0));
        // The exact score includes the rounding of the moved points.
        let exact = oracle::isoscore(&moved).score;
        for (backend, device) in devices() {
            assert_within((score(&moved, &device) - exact).abs(), SCORE, format!("moved, on {backend}"));
            assert_within((score(&moved, &device) - score(&points, &device)).abs(), 3e-5, format!("moved against unmoved, on {backend}"));
        }
    }

    #[test]
    fn the_score_ignores_their_scale(points in cloud(), exponent in -12.0f64..12.0) {
        let scaled = points.map(|_, value| value * 10f64.powf(exponent));
        for (backend, device) in devices() {
            assert_within((score(&scaled, &device) - score(&points, &device)).abs(), SCORE, format!("scaled, on {backend}"));
        }
    }

    #[test]
    fn the_score_ignores_rotation(points in cloud(), seed in any::<u32>()) {
        let turned = rotated(&points, seed as u64);
        for (backend, device) in devices() {
            assert_within((score(&turned, &device) - score(&points, &device)).abs(), SCORE, format!("rotated, on {backend}"));
        }
    }

    #[test]
    fn the_score_lies_between_zero_and_one(points in cloud()) {
        for (backend, device) in devices() {
            let score = score(&points, &device);
            assert!((-SCORE..=1.0 + SCORE).contains(&score), "{score} on {backend}");
            assert_within((score - oracle::isoscore(&points).score).abs(), SCORE, format!("the seven steps, on {backend}"));
        }
    }

    #[test]
    fn k_equal_directions_score_k_minus_one_over_d_minus_one(d in 2usize..12, share in 0.0f64..1.0, seed in any::<u32>(), size in 0.01f64..100.0) {
        let k = 1 + (share * d as f64) as usize;
        // The points ±e₁, …, ±eₖ, rotated.
        let corners = Points::from_fn(2 * k, d, |row, column| if row / 2 == column { if row % 2 == 0 { size } else { -size } } else { 0.0 });
        let expected = (k as f64 - 1.0) / (d as f64 - 1.0);
        for (backend, device) in devices() {
            assert_within((score(&rotated(&corners, seed as u64), &device) - expected).abs(), SCORE, format!("{k} of {d} on {backend}"));
        }
    }

    #[test]
    fn moments_merge_in_any_grouping(points in cloud(), first in 0usize..61, second in 0usize..61) {
        let (first, second) = (first.min(second) % (points.n + 1), first.max(second) % (points.n + 1));
        let (first, second) = (first.min(second), first.max(second));
        let scale = largest(&points.values);
        for (backend, device) in devices() {
            let part = |from: usize, to: usize| Moments::from_points(points.filter(|row| (from..to).contains(&row)).tensor(&device));
            let [a, b, c] = [part(0, first), part(first, second), part(second, points.n)];
            let whole = Moments::from_points(points.tensor(&device));
            let mut running = RunningMoments::new(points.d);
            let mut other = RunningMoments::new(points.d);
            running.update(&a).expect("the device can be read");
            other.update(&b).expect("the device can be read");
            other.update(&c).expect("the device can be read");
            running.merge(&other);
            let unit = points.n as f64 * scale * scale;
            assert_within(distance(running.scatter(), &values(&whole.scatter)) / unit, MERGED, format!("on the host, {backend}"));
            for (grouping, merged) in [
                ("(a b) c", a.clone().merge(b.clone()).merge(c.clone())),
                ("a (b c)", a.clone().merge(b.clone().merge(c.clone()))),
                ("c b a", Moments::union(vec![c, b, a])),
            ] {
                let what = format!("{grouping} on {backend}");
                assert_eq!(values(&merged.count), values(&whole.count));
                assert_within(distance(&values(&merged.mean), &values(&whole.mean)) / scale, MERGED, format!("mean of {what}"));
                assert_within(distance(&values(&merged.scatter), &values(&whole.scatter)) / unit, MERGED, format!("scatter of {what}"));
            }
        }
    }

    #[test]
    fn masked_rows_change_nothing(points in cloud(), seed in any::<u32>(), size in prop::sample::select(vec![1.0, 1e4, 1e30])) {
        let mut uniform = Normal::new(seed as u64);
        let keep: Vec<bool> = (0..points.n).map(|row| row < 2 || uniform.uniform() < 0.6).collect();
        let padded = Points::from_fn(points.n, points.d, |row, column| {
            if keep[row] { points.row(row)[column] } else { size * (1.0 + column as f64) * if row % 2 == 0 { 1.0 } else { -1.0 } }
        });
        let kept = points.filter(|row| keep[row]);
        let istar = IStar::new(-2.0, Shrinkage::new(0.3, ShrinkageTarget::ScaledIdentity).expect("valid"), StateSelection::default()).expect("valid");
        let cosine = CosRegConfig::new().init().expect("valid");
        let regularizers: [(&str, &dyn Regularizer); 2] = [("I-STAR", &istar), ("CosReg", &cosine)];
        for (backend, device) in devices() {
            let mask = Tensor::<2, Bool>::from_data(TensorData::new(keep.clone(), [1, points.n]), &device);
            for (name, regularizer) in regularizers {
                let autodiff = device.clone().autodiff();
                let (without, expected) = differentiate_tensor(kept.tensor(&autodiff), |rows| {
                    regularizer.penalty(&HiddenStates::from_layers(vec![rows.unsqueeze()]), &StepContext::default()).value
                });
                let (with, gradient) = differentiate_tensor(padded.tensor(&autodiff), |rows| {
                    regularizer.penalty(&HiddenStates::from_layers(vec![rows.unsqueeze()]).with_mask(mask.clone()), &StepContext::default()).value
                });
                let what = format!("{name} with masked rows of size {size:e} on {backend}");
                assert_within((with - without).abs(), SCORE, &what);
                let (counted, masked): (Vec<_>, Vec<_>) = gradient.chunks(points.d).zip(&keep).partition(|(_, keep)| **keep);
                let counted: Vec<f64> = counted.into_iter().flat_map(|(row, _)| row.to_vec()).collect();
                assert!(masked.iter().all(|(row, _)| row.iter().all(|&entry| entry == 0.0)), "{what}: masked rows have a gradient");
                let unit = largest(&expected).max(1e-2);
                assert_within(distance(&counted, &expected) / unit, 1e-4, format!("gradient of {what}"));
            }
        }
    }

    #[test]
    fn padding_that_is_kept_counts_like_any_row(points in cloud()) {
        for (backend, device) in devices() {
            let nothing = Tensor::<2, Bool>::from_data(TensorData::new(vec![false; points.n], [1, points.n]), &device);
            let states = HiddenStates::from_layers(vec![points.tensor(&device).unsqueeze()]).with_mask(nothing);
            let kept = StateSelection { padding: Padding::Keep, ..StateSelection::default() };
            let ours = scalar(isoscore_of_covariance(kept.moments(&states).covariance()));
            assert_eq!(ours, score(&points, &device), "on {backend}");
        }
    }

    #[test]
    fn cosines_ignore_rotation_and_the_length_of_each_point(points in cloud(), seed in any::<u32>()) {
        let turned = rotated(&points, seed as u64);
        let stretched = Points::from_fn(points.n, points.d, |row, column| turned.row(row)[column] * (1.0 + row as f64));
        for (backend, device) in devices() {
            for measure in [cosreg, mean_cosine] {
                let [ours, theirs] = [&points, &stretched].map(|points| scalar(measure(points.tensor(&device))));
                assert_within((ours - theirs).abs(), SCORE, format!("on {backend}"));
            }
        }
    }

    #[test]
    fn the_unbiased_estimate_is_the_u_statistic_over_distinct_rows(n in 4usize..8, d in 2usize..12, seed in any::<u32>(), mean in -20.0f64..20.0) {
        let points = Points::gaussian(n, d, seed as u64).map(|column, value| value * (1.0 + column as f64) + mean);
        let (trace, frobenius) = u_statistics(&points);
        let expected = (frobenius > 0.0).then(|| (trace * trace / frobenius - 1.0) / (d as f64 - 1.0));
        for (backend, device) in devices() {
            let estimate = isoscore_unbiased(points.tensor(&device));
            // If the denominator is nearly 0, the estimate has no significant digits.
            if frobenius.abs() < 0.02 * trace * trace {
                continue;
            }
            assert_eq!(estimate.is_some(), expected.is_some(), "on {backend}");
            if let (Some(estimate), Some(expected)) = (estimate, expected) {
                assert_within((estimate - expected).abs() / (1.0 + expected.abs()), UNBIASED, format!("{n} points of {d} dimensions on {backend}"));
            }
        }
    }

    #[test]
    fn the_unbiased_estimate_is_the_same_from_either_product(n in 6usize..20, seed in any::<u32>(), shift in -50.0f64..50.0) {
        let d = n - 1;
        let points = Points::gaussian(n, d, seed as u64);
        // Dimensions without variance do not change t²/F, but make the n×n product the smaller one.
        let wide = Points::from_fn(n, 2 * n, |row, column| if column < d { points.row(row)[column] } else { shift });
        for (backend, device) in devices() {
            let [narrow, wide] = [&points, &wide].map(|points| isoscore_unbiased(points.tensor(&device)));
            let (Some(narrow), Some(wide)) = (narrow, wide) else { continue };
            prop_assume!(narrow.abs() < 10.0);
            let ratio = (2 * n - 1) as f64 / (d - 1) as f64;
            assert_within((wide * ratio - narrow).abs() / (1.0 + narrow.abs()), UNBIASED, format!("{n} points on {backend}"));
        }
    }
}

/// Largest difference of merged moments, relative to their largest possible size; the largest
/// observed is 8e-8.
const MERGED: f64 = 1e-6;
/// Relative difference of estimates in f32; the largest observed is 4e-6.
const UNBIASED: f64 = 2e-5;

/// tr Σ and the U-statistic of tr Σ² by definition: sums over distinct rows, O(n⁴).
fn u_statistics(points: &Points) -> (f64, f64) {
    let n = points.n;
    let dot = |i: usize, j: usize| -> f64 {
        points
            .row(i)
            .iter()
            .zip(points.row(j))
            .map(|(a, b)| a * b)
            .sum()
    };
    let [mut pairs, mut triples, mut quadruples, mut cross, mut own] = [0.0; 5];
    for i in 0..n {
        own += dot(i, i);
        for j in (0..n).filter(|&j| j != i) {
            cross += dot(i, j);
            pairs += dot(i, j).powi(2);
            for k in (0..n).filter(|&k| k != i && k != j) {
                triples += dot(i, j) * dot(j, k);
                for l in (0..n).filter(|&l| l != i && l != j && l != k) {
                    quadruples += dot(i, j) * dot(k, l);
                }
            }
        }
    }
    let n = n as f64;
    let (two, three, four) = (
        n * (n - 1.0),
        n * (n - 1.0) * (n - 2.0),
        n * (n - 1.0) * (n - 2.0) * (n - 3.0),
    );
    (
        own / n - cross / two,
        pairs / two - 2.0 * triples / three + quadruples / four,
    )
}

#[test]
fn the_unbiased_estimate_of_few_points_is_near_where_the_plug_in_is_far_off() {
    const D: usize = 96;
    let device = Device::flex();
    let variances: Vec<f64> = (0..D)
        .map(|at| (-3.48 * at as f64 / D as f64).exp())
        .collect();
    let trace: f64 = variances.iter().sum();
    let frobenius: f64 = variances.iter().map(|variance| variance * variance).sum();
    let truth = (trace * trace / frobenius - 1.0) / (D as f64 - 1.0);
    assert_within((truth - 0.534).abs(), 5e-3, "the true score");

    // Points, draws, largest error of the mean unbiased estimate, smallest error of the mean
    // plug-in estimate.
    for (n, draws, near, far) in [
        (16, 200, 0.08, 0.40),
        (64, 100, 0.025, 0.22),
        (256, 60, 0.012, 0.08),
    ] {
        let [mut unbiased, mut plug_in] = [0.0; 2];
        for draw in 0..draws {
            let points = Points::gaussian(n, D, 1000 * n as u64 + draw)
                .map(|column, value| value * variances[column].sqrt() + 3.0);
            unbiased +=
                isoscore_unbiased(points.tensor(&device)).expect("an estimate") / draws as f64;
            plug_in += score(&points, &device) / draws as f64;
        }
        assert_within(
            (unbiased - truth).abs(),
            near,
            format!("{n} points: unbiased {unbiased:.3}, plug-in {plug_in:.3}, true {truth:.3}"),
        );
        assert!(
            truth - plug_in > far,
            "{n} points: the plug-in score {plug_in} should be far below {truth}"
        );
    }
}

#[test]
fn the_unbiased_estimate_ignores_where_the_points_lie() {
    for (n, d) in [(12, 30), (40, 10)] {
        let points = Points::gaussian(n, d, 5);
        for (backend, device) in devices() {
            let here = isoscore_unbiased(points.tensor(&device)).expect("an estimate");
            // Multiples of 1/64 are exact next to 1000, so moving the points does not round them.
            let grid = points.map(|_, value| (value * 64.0).round() / 64.0);
            let exact = isoscore_unbiased(grid.tensor(&device)).expect("an estimate");
            let there = isoscore_unbiased(
                grid.map(|column, value| value + 1000.0 * (1.0 + column as f64 % 3.0))
                    .tensor(&device),
            )
            .expect("an estimate");
            assert_within(
                (there - exact).abs(),
                UNBIASED,
                format!("{n} points moved by 1000σ on {backend}"),
            );
            assert!((exact - here).abs() < 0.05);
        }
    }
}

#[test]
fn the_three_sums_give_the_estimate_without_any_tensor() {
    let points = Points::gaussian(30, 7, 6);
    let centred = oracle::centred(&points);
    let norms: Vec<f64> = (0..30)
        .map(|row| centred.row(row).iter().map(|entry| entry * entry).sum())
        .collect();
    let scatter = 29.0 * oracle::covariance(&points);
    let sums = UnbiasedSums {
        count: 30.0,
        squared_norms: norms.iter().sum(),
        fourth_powers: norms.iter().map(|norm| norm * norm).sum(),
        scatter_squared: (0..7)
            .flat_map(|column| scatter.col(column).iter().copied().collect::<Vec<_>>())
            .map(|entry| entry * entry)
            .sum(),
    };
    let (trace, frobenius) = u_statistics(&points);
    let expected = (trace * trace / frobenius - 1.0) / 6.0;
    assert_within(
        (sums.isoscore(7).expect("an estimate") - expected).abs(),
        1e-10,
        "the estimate in f64",
    );
    assert_eq!(UnbiasedSums { count: 3.0, ..sums }.isoscore(7), None);
    assert_eq!(sums.isoscore(1), None);
    assert_eq!(
        UnbiasedSums {
            squared_norms: 0.0,
            ..sums
        }
        .isoscore(7),
        None
    );
}
