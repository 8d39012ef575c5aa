//! Spectra of points of extreme size, without variance, or in half precision.

use burn::tensor::DType;
use isostar_core::measure::{
    EXPLAINED_SHARE, Spectrum, VAREX_FRACTION, alpha_req, effective_rank, explained_variance,
    nesum, participation_ratio, rankme, stable_rank, varex,
};
use isostar_core::{Moments, RunningMoments};

use super::{DEVICE, HOST, MEASURED, by_definition, check, cloud, exact};
use crate::common::{Points, assert_within, devices, distance, half_precisions, values};

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
