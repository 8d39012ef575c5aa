//! Spectra of known eigenvalues: the measures have exact values.

use isostar_core::measure::{
    EXPLAINED_SHARE, Spectrum, VAREX_FRACTION, alpha_req, effective_rank, explained_variance,
    nesum, participation_ratio, rankme, stable_rank, varex,
};

use super::{HOST, MEASURED};
use crate::common::{Points, assert_within, devices, rotated};

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
