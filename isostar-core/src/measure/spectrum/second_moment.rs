//! The second moment of points about zero, from moments about a mean.

use crate::RunningMoments;

/// Returns l and the entries of XᵀX/l², row by row, for points x = origin + unit·y, where `moments`
/// are those of the deviations y. XᵀX is unit²·S + n·m·mᵀ with m the mean of x. The length l, the
/// larger of unit and origin, keeps squares within f64.
pub(super) fn second_moment(
    moments: &RunningMoments,
    origin: &[f64],
    unit: f64,
) -> (f64, Vec<f64>) {
    let d = moments.width();
    let length = origin
        .iter()
        .fold(unit, |length, origin| length.max(origin.abs()));
    let mean: Vec<f64> = origin
        .iter()
        .zip(moments.mean())
        .map(|(origin, mean)| origin / length + unit / length * mean)
        .collect();
    let within = (unit / length).powi(2);
    let count = moments.count() as f64;
    let mut second: Vec<f64> = moments.scatter().iter().map(|sum| within * sum).collect();
    for (row, sums) in second.chunks_exact_mut(d.max(1)).enumerate() {
        sums.iter_mut()
            .zip(&mean)
            .for_each(|(sum, other)| *sum += count * mean[row] * other);
    }
    (length, second)
}
