//! Outlier dimensions: dimensions with a large mean or variance.

use serde::Serialize;

/// Multiples of the average above which a dimension is an outlier.
///
/// | Field | Default | Meaning |
/// |---|---|---|
/// | `mean` | 5 | \|mⱼ\| over the average of \|m\| |
/// | `variance` | 5 | σⱼ² over the average of σ² |
///
/// Infinity disables a criterion.
///
/// Rudman et al. use five times the average variance. The same multiple applies to the means: for
/// means that are normally distributed around 0, five times the average magnitude is four standard
/// deviations. That is stricter than the three standard deviations of Kovaleva et al. and Puccetti
/// et al., which two of 768 such means exceed by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutlierThreshold {
    /// Multiple of the average magnitude of the means.
    pub mean: f64,
    /// Multiple of the average variance.
    pub variance: f64,
}

impl Default for OutlierThreshold {
    fn default() -> Self {
        Self {
            mean: 5.0,
            variance: 5.0,
        }
    }
}

/// One outlier dimension.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OutlierDimension {
    /// Index j of the dimension, from 0.
    pub dimension: usize,
    /// Mean mⱼ.
    pub mean: f64,
    /// Standard deviation σⱼ.
    pub std: f64,
}

/// The dimensions whose mean or variance exceeds a multiple of the average, in order of their
/// index.
///
/// ```text
///   |mⱼ| > a·(Σ|m|/d)    or    σⱼ² > b·(Σσ²/d)        a, b of the threshold
/// ```
///
/// The averages include the outliers, so no dimension exceeds d times the average: with multiples
/// of 5, there is no outlier if d ≤ 5, and there are fewer than d/5 of each kind for any d. The
/// result does not depend on the points' scale. Zeros and non-finite numbers give no outliers.
///
/// # Panics
/// If `mean` and `std` differ in length.
///
/// # References
/// Rudman, Chen & Eickhoff, "Outlier Dimensions Encode Task-Specific Knowledge" (EMNLP 2023);
/// Kovaleva et al., "BERT Busters" (Findings of ACL 2021); Puccetti et al., "Outlier Dimensions
/// that Disrupt Transformers are Driven by Frequency" (Findings of EMNLP 2022).
pub fn outlier_dimensions(
    mean: &[f64],
    std: &[f64],
    threshold: OutlierThreshold,
) -> Vec<OutlierDimension> {
    assert_eq!(
        mean.len(),
        std.len(),
        "outlier_dimensions: {} means and {} standard deviations",
        mean.len(),
        std.len()
    );
    let magnitudes = over_average(mean, f64::abs);
    let variances = over_average(std, |std| std * std);
    magnitudes
        .zip(variances)
        .enumerate()
        .filter(|(_, (magnitude, variance))| {
            *magnitude > threshold.mean || *variance > threshold.variance
        })
        .map(|(dimension, _)| OutlierDimension {
            dimension,
            mean: mean[dimension],
            std: std[dimension],
        })
        .collect()
}

/// The `size` of each value divided by the average size. Values are first divided by the largest,
/// because the square of 1e-200 would underflow.
fn over_average(values: &[f64], size: impl Fn(f64) -> f64) -> impl Iterator<Item = f64> {
    let largest = values
        .iter()
        .fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let sizes: Vec<f64> = values.iter().map(|value| size(value / largest)).collect();
    let average = sizes.iter().sum::<f64>() / values.len() as f64;
    sizes.into_iter().map(move |size| size / average)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn found(mean: &[f64], std: &[f64], threshold: OutlierThreshold) -> Vec<usize> {
        outlier_dimensions(mean, std, threshold)
            .iter()
            .map(|outlier| outlier.dimension)
            .collect()
    }

    /// 768 dimensions with means in [−1, 1) and deviations in [0.5, 1.5), without outliers or short
    /// repeating patterns.
    fn ordinary() -> (Vec<f64>, Vec<f64>) {
        let fraction = |at: usize, step: f64| (at as f64 * step).fract();
        (
            (0..768).map(|at| 2.0 * fraction(at, 0.618) - 1.0).collect(),
            (0..768).map(|at| 0.5 + fraction(at, 0.414)).collect(),
        )
    }

    #[test]
    fn dimensions_of_large_mean_or_deviation_are_found_with_both_numbers() {
        let (mut mean, mut std) = ordinary();
        assert_eq!(found(&mean, &std, OutlierThreshold::default()), NONE);
        mean[308] = -50.0;
        (mean[381], std[381]) = (50.0, 100.0);
        std[5] = 100.0;
        let outliers = outlier_dimensions(&mean, &std, OutlierThreshold::default());
        let expected = [5, 308, 381].map(|at| OutlierDimension {
            dimension: at,
            mean: mean[at],
            std: std[at],
        });
        assert_eq!(outliers, expected);
    }

    #[test]
    fn a_dimension_is_an_outlier_beyond_five_times_the_average() {
        // If one of ten dimensions is nine times the others, it is five times the average.
        for (value, expected) in [(8.999, vec![]), (9.001, vec![3])] {
            let mut sizes = [1.0; 10];
            sizes[3] = value;
            let (same, none) = (
                [1.0; 10],
                OutlierThreshold {
                    mean: f64::INFINITY,
                    variance: f64::INFINITY,
                },
            );
            assert_eq!(
                found(&sizes, &same, OutlierThreshold::default()),
                expected,
                "mean {value}"
            );
            assert_eq!(
                found(&sizes.map(|size| -size), &same, OutlierThreshold::default()),
                expected,
                "mean -{value}"
            );
            assert_eq!(
                found(&same, &sizes.map(f64::sqrt), OutlierThreshold::default()),
                expected,
                "variance {value}"
            );
            assert_eq!(found(&sizes, &sizes, none), NONE, "without criteria");
        }
    }

    #[test]
    fn the_size_of_points_changes_nothing() {
        let (mut mean, mut std) = ordinary();
        (mean[7], std[9]) = (50.0, 50.0);
        for size in [1e-300, 1e-200, 1.0, 1e200, 1e300] {
            let scaled =
                |values: &[f64]| values.iter().map(|value| value * size).collect::<Vec<_>>();
            assert_eq!(
                found(&scaled(&mean), &scaled(&std), OutlierThreshold::default()),
                [7, 9],
                "size {size:e}"
            );
        }
    }

    #[test]
    fn nothing_and_what_is_not_finite_has_no_outliers() {
        let threshold = OutlierThreshold::default();
        assert_eq!(found(&[], &[], threshold), NONE);
        assert_eq!(found(&[0.0; 9], &[0.0; 9], threshold), NONE);
        assert_eq!(found(&[f64::NAN; 9], &[f64::INFINITY; 9], threshold), NONE);
        assert_eq!(
            found(&[0.0, 0.0, 0.0, 9.0, 0.0], &[1.0; 5], threshold),
            NONE,
            "of five dimensions none exceeds five times the average"
        );
        assert_eq!(
            found(
                &[0.0, 0.0, 0.0, 9.0, 0.0],
                &[1.0; 5],
                OutlierThreshold {
                    mean: 4.9,
                    ..threshold
                }
            ),
            [3]
        );
    }

    #[test]
    #[should_panic(expected = "3 means and 2 standard deviations")]
    fn means_and_deviations_go_together() {
        outlier_dimensions(&[0.0; 3], &[0.0; 2], OutlierThreshold::default());
    }
}
