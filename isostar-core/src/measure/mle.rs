//! The intrinsic dimension by maximum likelihood from the distances to k nearest neighbours.

use crate::NearestNeighbours;

/// The estimate of Levina and Bickel with the averaging of MacKay and Ghahramani: the inverse of
/// the mean of the points' inverse estimates.
///
/// ```text
///   1/d = (1/n) Σᵢ 1/dᵢ        1/dᵢ = 1/(k − 1) Σⱼ ln(Tₖ(xᵢ)/Tⱼ(xᵢ)),   j = 1 … k − 1
/// ```
///
/// Tⱼ(x) is the distance of x to its j-th nearest neighbour, and n counts the points without a
/// duplicate ([`NearestNeighbours::apart`]). More neighbours reduce the variance of the estimate,
/// but the curvature and the borders of the manifold then bias it downwards; k = 20 is usual.
///
/// The estimate is positive. `None` if every point has a duplicate, if there are fewer than two
/// neighbours per point, or if all neighbours are at the same distance.
///
/// # References
/// Levina & Bickel, "Maximum likelihood estimation of intrinsic dimension" (NeurIPS 2004); MacKay &
/// Ghahramani, "Comments on 'Maximum likelihood estimation of intrinsic dimension'" (2005).
pub fn mle(neighbours: &NearestNeighbours) -> Option<f64> {
    if neighbours.k < 2 {
        return None;
    }
    let (mut sum, mut count) = (0.0, 0.0);
    for distances in neighbours.apart() {
        let (farthest, nearer) = distances.split_last().expect("at least two neighbours");
        sum += nearer
            .iter()
            .map(|distance| (farthest / distance).ln())
            .sum::<f64>()
            / nearer.len() as f64;
        count += 1.0;
    }
    let dimension = count / sum;
    dimension.is_finite().then_some(dimension)
}
