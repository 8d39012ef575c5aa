//! Distances of candidates in f64, the check that no neighbour is missing, and the fallback if it
//! fails.

use std::ops::Range;

use burn::prelude::*;
use isostar_kernels::on_host;
use rayon::prelude::*;

use super::candidates::Candidates;
use super::centred::Centred;
use crate::moments::widen;

/// Numbers read back from the device at once.
const BATCH: usize = 1 << 20;
/// Points per batch of the fallback, which computes their distances to all others.
const POINTS: usize = 256;
/// Coordinates summed between two checks whether a distance is already too long.
const STEP: usize = 32;
/// Unit roundoff of f32, half a unit in the last place of 1.
const ROUNDOFF: f64 = f32::EPSILON as f64 / 2.0;

/// The k shortest distances of each point, ascending, shape `[n, k]`, and the number of points that
/// needed their distances to all others.
pub(super) fn settle(
    points: &Tensor<2>,
    centred: &Centred,
    norms: &[f64],
    candidates: &Candidates,
    k: usize,
) -> (Vec<f64>, usize) {
    let [n, d] = points.dims();
    let mut distances = Vec::with_capacity(n * k);
    let mut unsettled = vec![];
    let batch = (BATCH / (d * (candidates.width + 1))).max(1);
    for start in (0..n).step_by(batch) {
        let rows = start..n.min(start + batch);
        let found = of_candidates(points, centred.scale, candidates, rows.clone());
        for (row, mut found) in rows.zip(found) {
            let unsure = Doubt {
                d,
                norm: norms[row],
            };
            let consistent = found
                .iter()
                .zip(candidates.values(row))
                .all(|(&distance, &value)| unsure.agrees(distance, value));
            found.sort_by(f64::total_cmp);
            if !(consistent
                && (found.len() + 1 == n
                    || unsure.excludes(candidates.values(row)[found.len() - 1], found[k - 1])))
            {
                unsettled.push(row);
            }
            distances.extend(&found[..k]);
        }
    }
    for rows in unsettled.chunks(POINTS) {
        let found = of_all(
            points,
            centred.scale,
            rows,
            rows.iter()
                .map(|&row| distances[row * k..][..k].to_vec())
                .collect(),
        );
        for (row, found) in rows.iter().zip(found) {
            distances[row * k..][..k].copy_from_slice(&found);
        }
    }
    distances
        .iter_mut()
        .for_each(|distance| *distance /= centred.scale);
    (distances, unsettled.len())
}

/// Error bounds for the values vᵢⱼ computed in f32, for one point i.
///
/// Let aⱼ = s·xⱼ − m exactly, u the unit roundoff of f32 and γ = (d + 2)u/(1 − (d + 2)u). The
/// device holds cⱼ with ‖cⱼ − aⱼ‖ ≤ u‖aⱼ‖, and |fl(cᵢ·cⱼ) − cᵢ·cⱼ| ≤ γ‖cᵢ‖‖cⱼ‖ for any order of
/// summation. A point j closer than t has ‖aⱼ‖ ≤ R = ‖aᵢ‖ + t, so that
///
/// ```text
///   |‖cᵢ − cⱼ‖² − (‖cᵢ‖² − 2vᵢⱼ)| ≤ 2γR²          |‖aᵢ − aⱼ‖ − ‖cᵢ − cⱼ‖| ≤ 2uR
/// ```
///
/// A device that multiplies in less than f32 violates the first bound at the candidates themselves,
/// whose distances are known.
struct Doubt {
    d: usize,
    /// ‖cᵢ‖².
    norm: f64,
}

impl Doubt {
    /// Factor for the rounding of this code itself and for second-order terms.
    const SLACK: f64 = 1.01;
    /// The most that a device may lose of a product or difference that is not a normal number.
    const UNDERFLOW: f64 = f32::MIN_POSITIVE as f64;

    /// The bounds 2γR² and 2uR for points closer than `distance`.
    fn bounds(&self, distance: f64) -> (f64, f64) {
        let [d, radius] = [self.d as f64, self.norm.sqrt() + distance];
        let relative = (d + 2.0) * ROUNDOFF;
        let gamma = if relative < 1.0 {
            relative / (1.0 - relative)
        } else {
            f64::INFINITY
        };
        let squared = Self::SLACK * 2.0 * gamma * radius * radius + 4.0 * d * Self::UNDERFLOW;
        (
            squared,
            Self::SLACK * 2.0 * ROUNDOFF * radius + 2.0 * d.sqrt() * Self::UNDERFLOW,
        )
    }

    /// Whether a candidate's value is as exact as f32 allows.
    fn agrees(&self, distance: f64, value: f32) -> bool {
        let (squared, plain) = self.bounds(distance);
        let formed = self.norm - 2.0 * value as f64;
        let [least, most] = [(distance - plain).max(0.0), distance + plain];
        formed >= least * least - squared && formed <= most * most + squared
    }

    /// Whether no point with a value of at most `value` can be closer than `distance`.
    fn excludes(&self, value: f32, distance: f64) -> bool {
        let (squared, plain) = self.bounds(distance);
        let least = self.norm - 2.0 * value as f64 - squared;
        least.max(0.0).sqrt() - plain >= distance || distance == 0.0
    }
}

/// The distances s·‖xᵢ − xⱼ‖ of the points i in `rows` to their candidates j, in the order of the
/// candidates.
fn of_candidates(
    points: &Tensor<2>,
    scale: f64,
    candidates: &Candidates,
    rows: Range<usize>,
) -> Vec<Vec<f64>> {
    let own = widen(points.clone().narrow(0, rows.start, rows.len())).into_data();
    let others = select(
        points,
        candidates.points(rows).iter().map(|&point| point as i64),
    );
    let (d, width) = (points.dims()[1], candidates.width);
    fn each<T: Copy + Into<f64> + Sync>(
        own: &[T],
        others: &[T],
        d: usize,
        width: usize,
        scale: f64,
    ) -> Vec<Vec<f64>> {
        let rows = own.par_chunks(d).zip(others.par_chunks(d * width));
        rows.map(|(own, others)| {
            others
                .chunks_exact(d)
                .map(|other| squared(own, other, scale, f64::INFINITY).sqrt())
                .collect()
        })
        .collect()
    }
    on_host(
        &own,
        |own| {
            each(
                own,
                others.as_slice().expect("of one type"),
                d,
                width,
                scale,
            )
        },
        |own| {
            each(
                own,
                others.as_slice().expect("of one type"),
                d,
                width,
                scale,
            )
        },
    )
}

/// The shortest distances s·‖xᵢ − xⱼ‖ of the points in `rows`, from their differences to all other
/// points. `upper` holds upper bounds of these distances.
fn of_all(points: &Tensor<2>, scale: f64, rows: &[usize], upper: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let [n, d] = points.dims();
    let own = select(points, rows.iter().map(|&row| row as i64));
    let mut lists: Vec<Vec<f64>> = upper
        .iter()
        .map(|upper| vec![f64::INFINITY; upper.len()])
        .collect();
    // Slightly above the square, because the root may have been rounded down.
    let limits: Vec<f64> = upper
        .iter()
        .map(|upper| upper[upper.len() - 1])
        .map(|limit| limit * limit * (1.0 + 1e-12))
        .collect();
    let block = (BATCH / d).max(1);
    for start in (0..n).step_by(block) {
        let others = widen(points.clone().narrow(0, start, block.min(n - start))).into_data();
        let search = Search {
            d,
            scale,
            rows,
            start,
            limits: &limits,
            lists: &lists,
        };
        lists = on_host(
            &own,
            |own| search.block(own, others.as_slice().expect("of one type")),
            |own| search.block(own, others.as_slice().expect("of one type")),
        );
    }
    lists.iter_mut().for_each(|list| {
        list.iter_mut()
            .for_each(|squared| *squared = squared.sqrt())
    });
    lists
}

/// A search for the nearest neighbours of the points `rows` within one block of points.
struct Search<'a> {
    d: usize,
    scale: f64,
    rows: &'a [usize],
    /// Index of the block's first point.
    start: usize,
    /// Upper bounds of the squared distances to look for.
    limits: &'a [f64],
    /// The shortest squared distances so far, ascending.
    lists: &'a [Vec<f64>],
}

impl Search<'_> {
    /// The lists after a search of the points `others`.
    fn block<T: Copy + Into<f64> + Sync>(&self, own: &[T], others: &[T]) -> Vec<Vec<f64>> {
        let rows = self
            .rows
            .par_iter()
            .zip(own.par_chunks(self.d))
            .zip(self.limits)
            .zip(self.lists);
        let found = rows.map(|(((&row, own), &limit), list)| {
            let mut list = list.clone();
            let last = list.len() - 1;
            for (_, other) in (self.start..)
                .zip(others.chunks_exact(self.d))
                .filter(|&(point, _)| point != row)
            {
                let longest = list[last].min(limit);
                let squared = squared(own, other, self.scale, longest);
                if squared <= longest && squared < list[last] {
                    let at = list.partition_point(|&shorter| shorter <= squared);
                    list[at..].rotate_right(1);
                    list[at] = squared;
                }
            }
            list
        });
        found.collect()
    }
}

/// The squared distance s²·‖x − y‖²; if it exceeds `longest`, some value above `longest`.
#[inline(always)]
fn squared<T: Copy + Into<f64>>(x: &[T], y: &[T], scale: f64, longest: f64) -> f64 {
    const LANES: usize = 8;
    let mut total = 0.0;
    for (x, y) in x.chunks(STEP).zip(y.chunks(STEP)) {
        let difference = |x: T, y: T| {
            let difference = (x.into() - y.into()) * scale;
            difference * difference
        };
        let mut sums = [0.0; LANES];
        let (xs, x_rest) = x.as_chunks::<LANES>();
        let (ys, y_rest) = y.as_chunks::<LANES>();
        for (x, y) in xs.iter().zip(ys) {
            for lane in 0..LANES {
                sums[lane] += difference(x[lane], y[lane]);
            }
        }
        let rest: f64 = x_rest
            .iter()
            .zip(y_rest)
            .map(|(&x, &y)| difference(x, y))
            .sum();
        total += sums.iter().sum::<f64>() + rest;
        if total > longest {
            return total;
        }
    }
    total
}

/// Reads rows of the points, given by index.
fn select(points: &Tensor<2>, rows: impl Iterator<Item = i64>) -> TensorData {
    let rows: Vec<i64> = rows.collect();
    let count = rows.len();
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), &points.device());
    widen(points.clone().select(0, rows)).into_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_in_less_than_f32_show() {
        // ‖cᵢ‖² = 3 and ‖cⱼ‖² = 2 at distance 1: vᵢⱼ = 2 − 1. A factor of bfloat16 or TF32 is off
        // by up to 2⁻⁹ or 2⁻¹².
        let doubt = Doubt { d: 64, norm: 3.0 };
        assert!(doubt.agrees(1.0, 1.0 + f32::EPSILON));
        for roundoff in [2f32.powi(-9), 2f32.powi(-12)] {
            assert!(!doubt.agrees(1.0, 1.0 + roundoff));
            assert!(!doubt.agrees(1.0, 1.0 - roundoff));
        }
    }

    #[test]
    fn only_what_is_clearly_farther_is_excluded() {
        let doubt = Doubt { d: 64, norm: 3.0 };
        // ‖cᵢ − cⱼ‖² ≥ 3 − 2v: 1.1, 1 and 0.9.
        assert!(doubt.excludes(0.95, 1.0));
        assert!(!doubt.excludes(1.0, 1.0));
        assert!(!doubt.excludes(1.05, 1.0));
        assert!(doubt.excludes(1.5, 0.0), "nothing is closer than 0");
        assert!(
            !Doubt {
                d: 1 << 24,
                norm: 3.0
            }
            .excludes(0.0, 1.0),
            "no bound in so many dimensions"
        );
    }

    #[test]
    fn long_distances_are_left_early_and_short_ones_are_not() {
        let (x, y) = (vec![1.0f32; 100], vec![3.0f32; 100]);
        assert_eq!(squared(&x, &y, 0.5, f64::INFINITY), 100.0);
        assert_eq!(squared(&x, &y, 0.5, 100.0), 100.0);
        let left = squared(&x, &y, 0.5, 40.0);
        assert!(left > 40.0 && left < 100.0, "{left}");
    }
}
