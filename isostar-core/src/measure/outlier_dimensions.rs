//! Dimensions that stand out from the rest.

use serde::Serialize;

/// From what multiple of the average on a dimension is an outlier.
///
/// | Field | Default | Meaning |
/// |---|---|---|
/// | `mean` | 5 | \|mⱼ\| over the average of \|m\| |
/// | `variance` | 5 | σⱼ² over the average of σ² |
///
/// Infinity leaves a criterion out.
///
/// Variance five times the average is the rule of Rudman et al. Means are held to the same multiple: five times the average magnitude is four standard
/// deviations of means that are normal around 0, beyond the three of Kovaleva et al. and Puccetti et al., which two of 768 such means exceed by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutlierThreshold {
    /// The multiple of the average magnitude of the means.
    pub mean: f64,
    /// The multiple of the average variance.
    pub variance: f64,
}

impl Default for OutlierThreshold {
    fn default() -> Self {
        Self { mean: 5.0, variance: 5.0 }
    }
}

/// A dimension that stands out, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OutlierDimension {
    /// The dimension's index j.
    pub dimension: usize,
    /// The mean mⱼ.
    pub mean: f64,
    /// The standard deviation σⱼ.
    pub std: f64,
}

/// The dimensions whose mean or standard deviation exceeds a multiple of the average, in order of their index.
///
/// ```text
///   |mⱼ| > a·(Σ|m|/d)    or    σⱼ² > b·(Σσ²/d)        a, b of the threshold
/// ```
///
/// The averages include the outliers, so that no dimension exceeds d times the average: with multiples of 5, there is none where d ≤ 5, and fewer than d/5
/// of each kind anywhere. The set does not depend on the points' scale. Zeros and numbers that are not finite have no outliers.
///
/// # Panics
/// If there are not as many means as standard deviations.
///
/// # References
/// Rudman, Chen & Eickhoff, "Outlier Dimensions Encode Task-Specific Knowledge" (EMNLP 2023); Kovaleva et al., "BERT Busters" (Findings of ACL 2021);
/// Puccetti et al., "Outlier Dimensions that Disrupt Transformers are Driven by Frequency" (Findings of EMNLP 2022).
pub fn outlier_dimensions(mean: &[f64], std: &[f64], threshold: OutlierThreshold) -> Vec<OutlierDimension> {
    assert_eq!(mean.len(), std.len(), "outlier_dimensions: {} means and {} standard deviations", mean.len(), std.len());
    let magnitudes = over_average(mean, f64::abs);
    let variances = over_average(std, |std| std * std);
    magnitudes
        .zip(variances)
        .enumerate()
        .filter(|(_, (magnitude, variance))| *magnitude > threshold.mean || *variance > threshold.variance)
        .map(|(dimension, _)| OutlierDimension { dimension, mean: mean[dimension], std: std[dimension] })
        .collect()
}

/// `size` of each value over its average, in units of the largest value: squared, 1e-200 would vanish.
fn over_average(values: &[f64], size: impl Fn(f64) -> f64) -> impl Iterator<Item = f64> {
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let sizes: Vec<f64> = values.iter().map(|value| size(value / largest)).collect();
    let average = sizes.iter().sum::<f64>() / values.len() as f64;
    sizes.into_iter().map(move |size| size / average)
}
