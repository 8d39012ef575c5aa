//! Cosines of the authors of CosReg and of scikit-learn.

use isostar_core::measure::{CosineSums, cosreg, mean_cosine};

use super::{GRADIENT, SCORE, cases, name};
use crate::common::{
    Points, assert_within, devices, differentiate, distance, golden, largest, numbers, scalar,
    values,
};

/// Tolerance where the exact gradient is 0: rounding leaves 1.5e-8 if coordinates are about 1.
const COSINE_ROUNDING: f64 = 6e-8;

#[test]
fn cosines_and_their_gradients_match_the_authors_and_scikit_learn() {
    for case in cases(&golden("cosine"), "cases") {
        let points = Points::from_json(&case["points"]);
        for (backend, device) in devices() {
            let what = format!("{} on {backend}", name(&case));
            let (ours, our_gradient) = differentiate(&points, &device, cosreg);
            match (case["cosreg"].as_f64(), numbers(&case["grad_points"])) {
                (Some(expected), Some(gradient)) => {
                    assert_within((ours - expected).abs(), SCORE, format!("cosreg, {what}"));
                    // If all points have one direction, the gradient is 0 up to rounding.
                    let tolerance = (GRADIENT * largest(&gradient)).max(COSINE_ROUNDING);
                    assert_within(
                        distance(&our_gradient, &gradient),
                        tolerance,
                        format!("cosreg gradient, {what}"),
                    );
                }
                // The authors' code divides by the norm of a zero row; this crate counts its
                // cosines as 0.
                _ => {
                    let zero_row = (0..points.n)
                        .find(|&row| points.row(row).iter().all(|&entry| entry == 0.0))
                        .expect("a zero row");
                    let distinct = case["mean_cosine_distinct_pairs"]
                        .as_f64()
                        .expect("scikit-learn has a value");
                    let n = points.n as f64;
                    assert_within(
                        (ours - distinct * (n - 1.0) / n).abs(),
                        SCORE,
                        format!("cosreg, {what}"),
                    );
                    assert!(
                        our_gradient[zero_row * points.d..][..points.d]
                            .iter()
                            .all(|&entry| entry == 0.0),
                        "{what}"
                    );
                    assert!(our_gradient.iter().all(|entry| entry.is_finite()), "{what}");
                }
            }
            if let Some(expected) = case["mean_cosine_all_pairs"].as_f64() {
                let sums = CosineSums::from_rows(points.tensor(&device), None);
                let all = values(&sums.directions)
                    .iter()
                    .map(|sum| sum * sum)
                    .sum::<f64>()
                    / (points.n as f64).powi(2);
                assert_within(
                    (all - expected).abs(),
                    SCORE,
                    format!("mean cosine of all pairs, {what}"),
                );
            }
            let expected = case["mean_cosine_distinct_pairs"].as_f64().unwrap_or(0.0);
            assert_within(
                (scalar(mean_cosine(points.tensor(&device))) - expected).abs(),
                SCORE,
                format!("mean cosine, {what}"),
            );
        }
    }
}
