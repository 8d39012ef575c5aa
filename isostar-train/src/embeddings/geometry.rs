//! The scores of points in a file.

use burn::tensor::Device;
use isostar_core::Shrinkage;
use serde::Serialize;

use super::spread::Spread;
use super::{EmbeddingsError, Points, Reference};

/// The geometry of points.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Geometry {
    /// The number n of points that were measured.
    pub points: usize,
    /// Their width d.
    pub dimension: usize,
    /// IsoScore of the sample covariance, in `[0, 1]`; biased low unless n ≫ d.
    pub isoscore: f64,
    /// Nearly unbiased at any n, see [`isostar_core::UnbiasedSums`]; it may leave `[0, 1]`, and does not exist for some sets of few points.
    pub isoscore_unbiased: Option<f64>,
    /// IsoScore* of the covariance shrunk towards a reference, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isoscore_star: Option<f64>,
    /// The mean cosine similarity over distinct pairs, `(‖Σᵢ x̂ᵢ‖² − n)/(n(n − 1))`, that with a zero point being 0.
    pub mean_cosine: f64,
    /// The cosine penalty of Gao et al., `(‖Σᵢ x̂ᵢ‖² − n)/n²`.
    pub cosreg: f64,
}

/// Measures points in two passes over their file.
///
/// The shrinkage's weight ζ is that of the reference: `(1 − ζ)·Σ_X + ζ·Σ_S`. `progress` is told of rows done, each row counting once a pass.
///
/// # Errors
/// If a point holds a number that is not finite, all points are equal, or the device fails.
///
/// # Panics
/// If the reference has another width.
pub fn measure(
    points: &Points,
    reference: Option<(&Reference, &Shrinkage)>,
    device: &Device,
    progress: &dyn Fn(usize),
) -> Result<Geometry, EmbeddingsError> {
    let no_variance = || EmbeddingsError::NoVariance { place: points.place().clone() };
    let spread = Spread::of(points, device, progress)?;
    let covariance = spread.covariance();
    let isoscore_star = match reference {
        None => None,
        Some((reference, shrinkage)) => {
            let (found, expected) = (reference.width(), points.width());
            assert_eq!(found, expected, "measure: a reference of width {found} for points of width {expected}");
            let shrunk = covariance.shrunk_towards(&reference.covariance, shrinkage.weight());
            Some(shrunk.isoscore().ok_or_else(no_variance)?)
        }
    };
    let n = points.count() as f64;
    let cosines = spread.cosines_of_distinct_pairs();
    Ok(Geometry {
        points: points.count(),
        dimension: points.width(),
        isoscore: covariance.isoscore().ok_or_else(no_variance)?,
        isoscore_unbiased: spread.unbiased_sums().isoscore(points.width()),
        isoscore_star,
        mean_cosine: cosines / (n * (n - 1.0)),
        cosreg: cosines / (n * n),
    })
}
