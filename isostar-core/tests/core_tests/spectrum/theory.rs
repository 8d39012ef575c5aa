//! Spectra that theory predicts: of a Gaussian of known covariance, and of white noise.

use isostar_core::measure::{
    EXPLAINED_SHARE, Spectrum, effective_rank, explained_variance, participation_ratio,
};

use super::by_definition;
use crate::common::{Points, assert_within, devices, rotated};

/// Tolerance in standard errors; larger errors occur once in 15,000 cases.
const DEVIATIONS: f64 = 4.0;

#[test]
fn a_gaussian_of_known_covariance_has_its_spectrum() {
    const N: usize = 40_000;
    let variances = [9.0, 6.0, 4.0, 2.5, 1.5, 1.0];
    let points = rotated(
        &Points::gaussian(N, 6, 14).map(|column, value| value * f64::sqrt(variances[column]) + 2.0),
        15,
    );
    let (rank, ratio, components) = by_definition(&variances);
    // √n·(λ̂ₖ/λₖ − 1) is normal with variance 2 (Anderson 1963) and independent of the others; the
    // delta method gives the rest.
    let deviation = (2.0 / N as f64).sqrt();
    let total: f64 = variances.iter().sum();
    let spread = |slope: &dyn Fn(f64) -> f64| {
        deviation
            * variances
                .iter()
                .map(|value| (slope(*value) * value).powi(2))
                .sum::<f64>()
                .sqrt()
    };
    let squares: f64 = variances.iter().map(|value| value * value).sum();
    let ratio_spread = spread(&|value| ratio * (2.0 / total - 2.0 * value / squares));
    let rank_spread = spread(&|value| rank * (-(value / total).ln() - rank.ln()) / total);
    for (backend, device) in devices() {
        let spectrum = Spectrum::from_points(points.tensor(&device));
        for (ours, exact) in spectrum.eigenvalues().iter().zip(variances) {
            assert_within(
                (ours / exact - 1.0).abs(),
                DEVIATIONS * deviation,
                format!("eigenvalue {exact} on {backend}"),
            );
        }
        let off = |ours: Option<f64>, exact: f64| (ours.expect("variance") - exact).abs();
        assert_within(
            off(participation_ratio(&spectrum), ratio),
            DEVIATIONS * ratio_spread,
            format!("ratio {ratio} on {backend}"),
        );
        assert_within(
            off(effective_rank(&spectrum), rank),
            DEVIATIONS * rank_spread,
            format!("effective rank {rank} on {backend}"),
        );
        assert_eq!(
            explained_variance(&spectrum, EXPLAINED_SHARE)
                .expect("variance")
                .components,
            components
        );
    }
}

/// The share of eigenvalues of white noise at or below `at`, with d/n = γ < 1, by Marchenko and
/// Pastur.
fn marchenko_pastur(at: f64, gamma: f64) -> f64 {
    let (low, high) = ((1.0 - gamma.sqrt()).powi(2), (1.0 + gamma.sqrt()).powi(2));
    const STEPS: usize = 20_000;
    let width = (at.clamp(low, high) - low) / STEPS as f64;
    let density =
        |x: f64| ((high - x) * (x - low)).max(0.0).sqrt() / (std::f64::consts::TAU * gamma * x);
    (0..STEPS)
        .map(|step| width * density(low + (step as f64 + 0.5) * width))
        .sum()
}

#[test]
fn white_noise_has_the_spectrum_of_marchenko_and_pastur() {
    const D: usize = 250;
    let gamma: f64 = 0.25;
    assert_within(
        (marchenko_pastur(9.0, gamma) - 1.0).abs(),
        1e-5,
        "the density",
    );
    let points = Points::gaussian(1000, D, 16);
    let (low, high) = ((1.0 - gamma.sqrt()).powi(2), (1.0 + gamma.sqrt()).powi(2));
    for (backend, device) in devices() {
        let spectrum = Spectrum::from_points(points.tensor(&device));
        let eigenvalues = spectrum.eigenvalues();
        // The edges fluctuate by about d^(-2/3) = 0.025 of their size (Tracy and Widom).
        assert_within(
            (eigenvalues[0] - high).abs(),
            0.1,
            format!("the largest eigenvalue on {backend}"),
        );
        assert_within(
            (eigenvalues[D - 1] - low).abs(),
            0.03,
            format!("the least eigenvalue on {backend}"),
        );
        // Inner eigenvalues repel each other: the shares below a value are exact to a few of 250.
        for quantile in [0.1, 0.25, 0.5, 0.75, 0.9] {
            let at = eigenvalues[D - 1 - (quantile * D as f64) as usize];
            assert_within(
                (marchenko_pastur(at, gamma) - quantile).abs(),
                0.012,
                format!("quantile {quantile} on {backend}"),
            );
        }
        // For n points of white noise, 1/PR is 1/d + 1/n.
        let ratio = participation_ratio(&spectrum).expect("variance");
        assert_within(
            (ratio / (D as f64 / (1.0 + gamma)) - 1.0).abs(),
            0.01,
            format!("participation ratio on {backend}"),
        );
    }
}
