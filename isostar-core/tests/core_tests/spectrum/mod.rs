//! Eigenvalues and the measures computed from them, against NumPy, theory and extreme points.

mod theory;

use crate::common::{
    Points, assert_within, devices, distance, golden, half_precisions, numbers, oracle, rotated,
    values,
};
use burn::tensor::DType;
use faer::Mat;
use isostar_core::measure::{
    EXPLAINED_SHARE, ExplainedVariance, MEASURES, Spectrum, VAREX_FRACTION, alpha_req,
    effective_rank, explained_variance, nesum, participation_ratio, rankme, stable_rank, varex,
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
fn ordinary_points() {
    check("more points than dimensions", &cloud(300, 24, 1));
    check("more points than a block", &cloud(20_000, 6, 2));
}

#[test]
fn extreme_points() {
    check(
        "one dimension ×100",
        &cloud(300, 24, 3).map(|column, value| if column == 5 { 100.0 * value } else { value }),
    );
    check(
        "one dimension ×100 at 50σ",
        &cloud(300, 24, 4).map(|column, value| {
            if column == 5 {
                100.0 * (value + 50.0)
            } else {
                value
            }
        }),
    );
    check(
        "means at 1000σ",
        &cloud(300, 24, 5)
            .map(|column, value| value + if column % 2 == 0 { 1000.0 } else { -1000.0 }),
    );
    check("fewer points than dimensions", &cloud(9, 40, 6));
    check("as many points as dimensions", &cloud(16, 16, 7));
    check("two points", &cloud(2, 5, 8));
    let few = cloud(12, 8, 9);
    check(
        "each point four times",
        &Points::from_fn(48, 8, |row, column| few.row(row / 4)[column]),
    );
}

#[test]
fn points_of_any_size() {
    let points = cloud(60, 8, 10);
    let exact = exact(&points);
    let (rank, ratio, _) = by_definition(&exact);
    for (backend, device) in devices() {
        for (size, dtype) in [
            (1e-30, DType::F32),
            (1e19, DType::F32),
            (1e-200, DType::F64),
            (1e200, DType::F64),
        ] {
            if !device.supports_dtype(dtype) {
                println!("skipped: {backend} has no {dtype:?}");
                continue;
            }
            let scaled = Points::new(
                points.n,
                points.d,
                points.values.iter().map(|value| value * size).collect(),
            );
            let spectrum = Spectrum::from_points(scaled.tensor_of(&device, dtype));
            let what = format!("size {size:e} on {backend}");
            assert_within(
                (effective_rank(&spectrum).expect("variance") / rank - 1.0).abs(),
                MEASURED,
                format!("effective rank, {what}"),
            );
            assert_within(
                (participation_ratio(&spectrum).expect("variance") / ratio - 1.0).abs(),
                MEASURED,
                format!("ratio, {what}"),
            );
            // Scaled into the range of f64, the eigenvalues are those of the original points.
            let ours = spectrum.scaled(1.0 / size).eigenvalues();
            assert_within(
                distance(&ours, &exact) / exact[0],
                DEVICE,
                format!("eigenvalues, {what}"),
            );
        }
    }
    for size in [1e-300, 1e300] {
        let diagonal = [4.0 * size, 0.0, 0.0, size];
        let spectrum = Spectrum::from_covariance(&diagonal, 2);
        assert_within(
            (participation_ratio(&spectrum).expect("variance") - 25.0 / 17.0).abs(),
            HOST,
            format!("variances of {size:e}"),
        );
        assert_within(
            (spectrum.eigenvalues()[0] / (4.0 * size) - 1.0).abs(),
            HOST,
            format!("eigenvalue of {size:e}"),
        );
    }
}

#[test]
fn half_precision_is_as_exact_as_its_points() {
    for (backend, device, dtype) in half_precisions() {
        let tensor = cloud(100, 8, 11)
            .map(|_, value| value + 3.0)
            .tensor_of(&device, dtype);
        let rounded = exact(&Points::new(100, 8, values(&tensor)));
        let ours = Spectrum::from_points(tensor).eigenvalues();
        assert_within(
            distance(&ours, &rounded) / rounded[0],
            DEVICE,
            format!("{dtype:?} on {backend}"),
        );
    }
}

#[test]
fn points_that_do_not_vary_have_a_spectrum_of_zeros_and_no_measures() {
    let nothing = |spectrum: Spectrum, what: &str| {
        assert!(
            spectrum.eigenvalues().iter().all(|&value| value == 0.0),
            "{what}: {spectrum:?}"
        );
        without_measures(&spectrum, what);
    };
    for (backend, device) in devices() {
        let constant = Points::from_fn(9, 4, |_, column| 77.7 * column as f64 + 0.1);
        for (what, points) in [
            ("constant", constant.clone()),
            ("a single point", cloud(1, 4, 12)),
            ("no point", Points::new(0, 4, vec![])),
        ] {
            nothing(
                Spectrum::from_points(points.tensor(&device)),
                &format!("{what} on {backend}"),
            );
        }
        let mut running = RunningMoments::new(4);
        nothing(Spectrum::from_moments(&running), "no moments");
        running
            .update(&Moments::from_points(constant.tensor(&device)))
            .expect("the device can be read");
        nothing(
            Spectrum::from_moments(&running),
            &format!("constant moments on {backend}"),
        );

        let mut broken = cloud(9, 4, 13);
        broken.values[5] = f64::NAN;
        let spectrum = Spectrum::from_points(broken.tensor(&device));
        assert!(
            spectrum.eigenvalues().iter().all(|value| value.is_nan()),
            "{spectrum:?} on {backend}"
        );
        without_measures(&spectrum, "NaN");
    }
    nothing(Spectrum::from_covariance(&[0.0; 9], 3), "no covariance");
    without_measures(
        &Spectrum::from_covariance(&[1.0, 0.0, 0.0, f64::INFINITY], 2),
        "an infinite variance",
    );
}

fn without_measures(spectrum: &Spectrum, what: &str) {
    assert_eq!(spectrum.shares(), None, "{what}");
    assert_eq!(effective_rank(spectrum), None, "{what}");
    assert_eq!(participation_ratio(spectrum), None, "{what}");
    assert_eq!(
        explained_variance(spectrum, EXPLAINED_SHARE),
        None,
        "{what}"
    );
    assert_eq!(varex(spectrum, VAREX_FRACTION), None, "{what}");
    for measure in [stable_rank, alpha_req, rankme, nesum] {
        assert_eq!(measure(spectrum), None, "{what}");
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
fn k_equal_eigenvalues_have_rank_and_ratio_k() {
    for (k, d) in [(1, 6), (3, 6), (6, 6), (10, 30)] {
        // The points ±e₁, …, ±eₖ, rotated.
        let corners = Points::from_fn(2 * k, d, |row, column| {
            if row / 2 == column {
                if row % 2 == 0 { 5.0 } else { -5.0 }
            } else {
                0.0
            }
        });
        for (backend, device) in devices() {
            let spectrum = Spectrum::from_points(rotated(&corners, k as u64).tensor(&device));
            let what = format!("{k} of {d} on {backend}");
            let relative = |value: Option<f64>| (value.expect("variance") / k as f64 - 1.0).abs();
            assert_within(
                relative(effective_rank(&spectrum)),
                MEASURED,
                format!("effective rank, {what}"),
            );
            assert_within(
                relative(participation_ratio(&spectrum)),
                MEASURED,
                format!("participation ratio, {what}"),
            );
            assert_within(
                relative(stable_rank(&spectrum)),
                MEASURED,
                format!("stable rank, {what}"),
            );
            assert_within(
                relative(nesum(&spectrum)),
                MEASURED,
                format!("NESum, {what}"),
            );
            match alpha_req(&spectrum) {
                Some(decay) => assert_within(decay, MEASURED, format!("αReQ, {what}")),
                None => assert_eq!(k, 1, "{what}"),
            }
        }
        let diagonal: Vec<f64> = (0..d * d)
            .map(|at| {
                if at / d == at % d && at / d < k {
                    2.5
                } else {
                    0.0
                }
            })
            .collect();
        let spectrum = Spectrum::from_covariance(&diagonal, d);
        // Nine of ten equal components explain exactly nine tenths of the variance.
        let components = (9 * k).div_ceil(10);
        let explained = explained_variance(&spectrum, EXPLAINED_SHARE).expect("variance");
        assert_eq!(explained.components, components, "{k} of {d}");
        assert_within(
            (explained.share - components as f64 / k as f64).abs(),
            HOST,
            format!("share of {k} of {d}"),
        );
        let first = ((VAREX_FRACTION * d as f64) as usize).max(1);
        let expected = (first as f64 / d as f64) / (first as f64 / k as f64).min(1.0);
        assert_within(
            (varex(&spectrum, VAREX_FRACTION).expect("variance") - expected).abs(),
            HOST,
            format!("VarEx of {k} of {d}"),
        );
    }
}

fn of_diagonal(values: &[f64]) -> Spectrum {
    let d = values.len();
    Spectrum::from_covariance(
        &(0..d * d)
            .map(|at| {
                if at / d == at % d {
                    values[at / d]
                } else {
                    0.0
                }
            })
            .collect::<Vec<_>>(),
        d,
    )
}

#[test]
fn a_power_law_decays_with_its_exponent() {
    for (exponent, size) in [(0.5, 1.0), (1.0, 1e-300), (2.5, 1e300)] {
        let mut values: Vec<f64> = (1..=40)
            .map(|at| size * f64::from(at).powf(-exponent))
            .collect();
        assert_within(
            (alpha_req(&of_diagonal(&values)).expect("a decay") - exponent).abs(),
            HOST,
            format!("i^−{exponent}"),
        );
        // Eigenvalues that f32 cannot tell from zero are ignored, whether they are zero or not.
        values.extend([1e-8 * size, 1e-14 * size, 0.0]);
        assert_within(
            (alpha_req(&of_diagonal(&values)).expect("a decay") - exponent).abs(),
            HOST,
            format!("i^−{exponent} and zeros"),
        );
    }
    assert_eq!(
        alpha_req(&of_diagonal(&[3.0, 1e-9, 0.0])),
        None,
        "one eigenvalue has no decay"
    );
}

#[test]
fn ranks_of_known_eigenvalues_are_exact() {
    let spectrum = of_diagonal(&[4.0, 2.0, 1.0, 0.0]);
    assert_within(
        (stable_rank(&spectrum).expect("variance") - 21.0 / 16.0).abs(),
        HOST,
        "stable rank",
    );
    assert_within(
        (nesum(&spectrum).expect("variance") - 7.0 / 4.0).abs(),
        HOST,
        "NESum",
    );
    // Singular values 4, 2 and 1: e^H = 7/(4^(4/7)·2^(2/7)).
    let rank = 7.0 / (4_f64.powf(4.0 / 7.0) * 2_f64.powf(2.0 / 7.0));
    assert_within(
        (rankme(&of_diagonal(&[16.0, 4.0, 1.0, 0.0])).expect("points that are not zero") - rank)
            .abs(),
        HOST,
        "RankMe",
    );
}

#[test]
fn singular_values_are_those_of_points_that_are_not_centred() {
    let points = cloud(40, 7, 16).map(|column, value| value + column as f64);
    let matrix = Mat::from_fn(points.n, points.d, |row, column| points.row(row)[column]);
    let squares: Vec<f64> = matrix
        .singular_values()
        .expect("finite")
        .iter()
        .map(|value| value * value)
        .collect();
    for (backend, device) in devices() {
        let mut moments = RunningMoments::new(7);
        moments
            .update(&Moments::from_points(points.tensor(&device)))
            .expect("the device can be read");
        let found = Spectrum::from_second_moment(&moments, &[0.0; 7], 1.0).eigenvalues();
        assert_within(distance(&found, &squares) / squares[0], DEVICE, backend);

        // The same points as deviations from an origin, in units of different sizes.
        for unit in [1e-200, 1e-3, 1e200] {
            let origin: Vec<f64> = (0..7).map(|column| unit * (column as f64 - 2.0)).collect();
            let mut deviations = RunningMoments::new(7);
            let shifted = points.map(|column, value| value - (column as f64 - 2.0));
            deviations
                .update(&Moments::from_points(shifted.tensor(&device)))
                .expect("the device can be read");
            let found = Spectrum::from_second_moment(&deviations, &origin, unit)
                .scaled(1.0 / unit)
                .eigenvalues();
            assert_within(
                distance(&found, &squares) / squares[0],
                DEVICE,
                format!("{backend}, unit {unit:e}"),
            );
        }
    }
}

/// Error from eigenvalues of 0 that rounding in f64 made 1e-17, after the square root; the largest
/// observed is 2.1e-7.
const ZEROS: f64 = 1e-6;

#[test]
fn equal_points_have_one_singular_value_and_zeros_have_none() {
    let rank = MEASURES
        .iter()
        .find(|measure| measure.name == "rankme")
        .expect("RankMe is a measure");
    for (backend, device) in devices() {
        let of = |points: &Points| rank.of(points.tensor(&device));
        // Sums of these numbers are exact, and so are all deviations.
        let equal = Points::from_fn(8, 4, |_, column| 0.5 + column as f64);
        assert_within(
            (of(&equal).expect("points that are not zero") - 1.0).abs(),
            ZEROS,
            backend,
        );
        assert_eq!(of(&Points::from_fn(8, 4, |_, _| 0.0)), None, "{backend}");
        let few = cloud(3, 9, 17);
        assert!(
            of(&few).is_some_and(|rank| rank > 1.0 && rank <= 3.0),
            "{:?} of three points on {backend}",
            of(&few)
        );
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
