//! The contract of every measure, checked for each row of the table; a new measure is covered by
//! its row.

mod differentiable;
mod sum;

use crate::common::{Points, assert_within, devices, rotated, scalar};
use burn::prelude::*;
use isostar_core::ScaledCovariance;
use isostar_core::measure::{MEASURES, Measure, Needs, Summary};

/// Points for which every measure has a value, without symmetry or outliers.
fn points() -> Points {
    Points::gaussian(37, 6, 1).map(|column, value| 0.3 + value * (1.0 + 0.2 * column as f64))
}

/// Degenerate points: some measures have no value for them, and naive formulas give a wrong one.
fn odd_points() -> Vec<(&'static str, Points)> {
    let cloud =
        Points::gaussian(40, 12, 2).map(|column, value| value * (1.0 + column as f64 / 12.0));
    vec![
        (
            "one dimension ×100",
            cloud.map(|column, value| if column == 3 { 100.0 * value } else { value }),
        ),
        (
            "means at 1000σ",
            cloud.map(|column, value| value + if column % 2 == 0 { 1000.0 } else { -1000.0 }),
        ),
        ("fewer points than dimensions", Points::gaussian(5, 12, 3)),
        (
            "duplicates",
            Points::from_fn(40, 12, |row, column| cloud.row(row / 4)[column]),
        ),
        (
            "a line",
            Points::from_fn(20, 12, |row, column| row as f64 * (1.0 + column as f64)),
        ),
        ("two points", cloud.filter(|row| row < 2)),
        ("a single point", cloud.filter(|row| row == 0)),
        (
            "constant points",
            Points::from_fn(9, 12, |_, column| 0.1 * (1.0 + column as f64)),
        ),
        ("zeros", Points::from_fn(9, 12, |_, _| 0.0)),
        ("points of size 1e-12", cloud.map(|_, value| 1e-12 * value)),
        ("points of size 1e15", cloud.map(|_, value| 1e15 * value)),
    ]
}

/// The measures that need only points, no reference.
fn measures() -> impl Iterator<Item = &'static Measure> {
    MEASURES
        .iter()
        .filter(|measure| measure.needs != Needs::Reference)
}

/// Runs `check` for every measure that needs only points, on every device.
fn every_measure(check: impl Fn(&str, &Measure, &Device)) {
    for (backend, device) in devices() {
        for measure in measures() {
            check(&format!("{} on {backend}", measure.name), measure, &device);
        }
    }
}

/// Relative distance by which rounding in f32 moves a value out of its range; the largest observed
/// is 4e-9.
const ROUNDING: f64 = 5e-7;

#[test]
fn values_lie_in_the_declared_range() {
    every_measure(|what, measure, device| {
        let check = |name: &str, points: &Points, value: f64| {
            let range = (measure.range)(points.n, points.d);
            let beyond = (range.start() - value).max(value - range.end()).max(0.0);
            assert_within(
                beyond / (1.0 + value.abs()),
                ROUNDING,
                format!("{what}, {name}: {value} in {range:?}"),
            );
        };
        check(
            "a cloud",
            &points(),
            measure
                .of(points().tensor(device))
                .expect("a cloud has a value"),
        );
        for (name, points) in odd_points() {
            if let Some(value) = measure.of(points.tensor(device)) {
                check(name, &points, value);
            }
        }
    });
}

#[test]
fn the_same_points_give_the_same_value_bit_by_bit() {
    every_measure(|what, measure, device| {
        let [first, second] = [0, 1].map(|_| measure.of(points().tensor(device)).map(f64::to_bits));
        assert_eq!(first, second, "{what}");
    });
}

#[test]
fn measures_on_the_host_take_no_part_in_a_graph() {
    every_measure(|what, measure, device| {
        let plain = measure.of(points().tensor(device));
        let tracked = measure.of(points().tensor(&device.clone().autodiff()).require_grad());
        assert!(plain.is_some(), "{what}");
        assert_eq!(plain, tracked, "{what}");
    });
}

/// Relative difference of values of points that f32 rounded differently; the largest observed is
/// 6e-7.
const MOVED: f64 = 6e-6;

#[test]
fn a_measure_ignores_what_it_says_it_does_and_nothing_else() {
    // One outlier dimension, for the measures of outliers; a rotation hides it.
    let points = Points::gaussian(60, 12, 4).map(|column, value| {
        0.2 + value
            * if column == 2 {
                4.0
            } else {
                0.3 + 0.02 * column as f64
            }
    });
    let translated = points.map(|column, value| value + if column == 5 { 30.0 } else { -1.0 });
    let scaled = points.map(|_, value| value * 3.7);
    let turned = rotated(&points, 5);
    every_measure(|what, measure, device| {
        let value = |points: &Points| measure.of(points.tensor(device)).expect("a value");
        let before = value(&points);
        let ignores = measure.ignores;
        for (name, moved, ignored) in [
            ("translated", &translated, ignores.translation),
            ("scaled", &scaled, ignores.scale),
            ("rotated", &turned, ignores.rotation),
        ] {
            let after = value(moved);
            let difference = (after - before).abs() / (before.abs() + after.abs()).max(1e-30);
            if ignored {
                assert_within(
                    difference,
                    MOVED,
                    format!("{what}, {name}: {before} and {after}"),
                );
            } else {
                assert!(
                    difference > 100.0 * MOVED,
                    "{what}, {name}: {before} and {after} should differ"
                );
            }
        }
    });
}

/// Difference between a value computed in f64 from moments and by the tensor code in f32, for
/// values of at most 1; the largest observed is 6e-8.
const AGREEMENT: f64 = 1e-6;

#[test]
fn tensor_code_and_summary_have_the_same_value() {
    every_measure(|what, measure, device| {
        let Some(function) = measure.differentiable else {
            return;
        };
        let value = measure
            .of(points().tensor(device))
            .expect("a cloud has a value");
        assert_within(
            (scalar(function(points().tensor(device))) - value).abs(),
            AGREEMENT,
            what,
        );
    });
}

#[test]
fn names_and_titles_are_those_of_no_other_measure() {
    for name in [
        |measure: &Measure| measure.name,
        |measure: &Measure| measure.title,
        |measure: &Measure| measure.column,
    ] {
        let mut names: Vec<_> = MEASURES.iter().map(name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MEASURES.len());
    }
}

#[test]
fn every_measure_says_where_and_when_it_was_published() {
    for Measure {
        name, reference, ..
    } in MEASURES
    {
        let year = reference
            .rsplit(' ')
            .next()
            .and_then(|year| year.parse::<u32>().ok());
        assert!(
            year.is_some_and(|year| (1900..2100).contains(&year)),
            "{name}: {reference}"
        );
    }
}

#[test]
fn a_measure_without_what_it_needs_has_no_value() {
    for (backend, device) in devices() {
        let summary =
            Summary::from_points(points().tensor(&device)).expect("the device can be read");
        for measure in MEASURES {
            let further = matches!(
                measure.needs,
                Needs::Partition | Needs::Neighbours | Needs::Reference
            );
            assert_eq!(
                (measure.value)(&summary).is_none(),
                further,
                "{} on {backend}",
                measure.name
            );
        }
    }
}

#[test]
fn a_reference_that_alone_counts_is_all_that_is_scored() {
    let measure = MEASURES
        .iter()
        .find(|measure| measure.needs == Needs::Reference)
        .expect("IsoScore*");
    let reference = ScaledCovariance::from_entries(
        6,
        (0..36)
            .map(|at| if at % 7 == 0 { 2.0 } else { 0.0 })
            .collect(),
    );
    let reference = reference.expect("a covariance that is not 0");
    for (backend, device) in devices() {
        let summary =
            || Summary::from_points(points().tensor(&device)).expect("the device can be read");
        let star = |weight| {
            (measure.value)(&summary().with_reference(&reference, weight)).expect("a score")
        };
        assert_eq!(
            star(0.0),
            summary()
                .covariance()
                .and_then(|covariance| covariance.isoscore())
                .expect("a score"),
            "{backend}"
        );
        assert!(star(0.0) < star(0.5) && star(0.5) < star(1.0), "{backend}");
        assert_within((star(1.0) - 1.0).abs(), ROUNDING, backend);
    }
}
