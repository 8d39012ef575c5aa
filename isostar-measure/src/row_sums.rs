//! Sums over points, in f64 on the host.

use super::frame::Frame;

/// The range of squared norms whose terms neither overflow nor lose significant digits.
const SAFE_SQUARES: std::ops::Range<f64> = 1e-200..1e300;

/// The number of points added together: as many as a core's registers can hold.
const TOGETHER: usize = 4;

/// The number of partial sums per sum over columns. With one alone, each addition would wait for
/// the previous one.
const LANES: usize = 8;

/// Sums over points x with deviations y = (x − o)/s in a frame.
#[derive(Clone, Debug)]
pub(super) struct RowSums {
    /// The number of points.
    count: f64,
    /// The mean of x − o, or their sum while points are being added. Length d.
    pub offset: Vec<f64>,
    /// The largest |x − o| of every dimension. Length d.
    reach: Vec<f64>,
    /// Σᵢ xᵢ/‖xᵢ‖, over the points that are not zero. Length d.
    directions: Vec<f64>,
    /// The number of points that are not zero.
    directed: usize,
    /// Σᵢ ‖yᵢ‖⁴.
    fourth_powers: f64,
    /// Σᵢ ‖yᵢ‖²·yᵢ. Length d.
    third_powers: Vec<f64>,
}

impl RowSums {
    pub fn new(width: usize) -> Self {
        let zeros = || vec![0.0; width];
        Self {
            count: 0.0,
            offset: zeros(),
            reach: zeros(),
            directions: zeros(),
            directed: 0,
            fourth_powers: 0.0,
            third_powers: zeros(),
        }
    }

    /// Adds points and writes their deviations. Shapes `[n, d]`.
    pub fn add(&mut self, points: &[f64], frame: &Frame, deviations: &mut [f32]) {
        /// A struct, because a closure would be compiled only for the least capable instruction
        /// set.
        struct Add<'a>(&'a mut RowSums, &'a [f64], &'a Frame, &'a mut [f32]);
        impl pulp::NullaryFnOnce for Add<'_> {
            type Output = ();
            #[inline(always)]
            fn call(self) {
                let Self(sums, points, frame, deviations) = self;
                let width = frame.origin.len();
                let mut groups = points.chunks_exact(TOGETHER * width);
                let mut group_deviations = deviations.chunks_exact_mut(TOGETHER * width);
                for (points, deviations) in groups.by_ref().zip(group_deviations.by_ref()) {
                    sums.add_together::<TOGETHER>(points, frame, deviations);
                }
                let rest = group_deviations.into_remainder();
                for (point, deviations) in groups
                    .remainder()
                    .chunks_exact(width)
                    .zip(rest.chunks_exact_mut(width))
                {
                    sums.add_together::<1>(point, frame, deviations);
                }
            }
        }
        pulp::Arch::new().dispatch(Add(self, points, frame, deviations));
    }

    /// Turns the sum of x − o into a mean. Call it after the last points are added and before other
    /// sums [absorb](Self::absorb) this one.
    pub fn finish(&mut self) {
        for sum in &mut self.offset {
            *sum /= self.count;
        }
    }

    /// Adds `N` points together, so that each sum is loaded and stored once for all of them.
    #[inline(always)]
    fn add_together<const N: usize>(
        &mut self,
        points: &[f64],
        frame: &Frame,
        deviations: &mut [f32],
    ) {
        let width = frame.origin.len();
        let mut squares = [0.0; N];
        let mut inverse_norms = [0.0; N];
        for (row, (point, deviations)) in points
            .chunks_exact(width)
            .zip(deviations.chunks_exact_mut(width))
            .enumerate()
        {
            frame.deviate(point, deviations);
            let square = sum_of(deviations, |deviation| {
                f64::from(deviation) * f64::from(deviation)
            });
            let squared_norm = sum_of(point, |value| value * value);
            squares[row] = square;
            self.fourth_powers += square * square;
            if SAFE_SQUARES.contains(&squared_norm) {
                self.directed += 1;
                inverse_norms[row] = 1.0 / squared_norm.sqrt();
            } else {
                self.add_extreme_direction(point);
            }
        }
        // Slices of equal length let the compiler check the bounds of the loop once.
        let points: [&[f64]; N] = std::array::from_fn(|row| &points[row * width..][..width]);
        let deviations: [&[f32]; N] =
            std::array::from_fn(|row| &deviations[row * width..][..width]);
        let offsets = &mut self.offset[..width];
        let directions = &mut self.directions[..width];
        let third_powers = &mut self.third_powers[..width];
        let reaches = &mut self.reach[..width];
        for (column, origin) in frame.origin.iter().enumerate() {
            let (mut offset, mut direction, mut third_power, mut reach) =
                (0.0, 0.0, 0.0, reaches[column]);
            for row in 0..N {
                let difference = points[row][column] - origin;
                offset += difference;
                direction += points[row][column] * inverse_norms[row];
                third_power += squares[row] * f64::from(deviations[row][column]);
                // f64::max handles NaN, which prevents vector instructions here.
                reach = if difference.abs() > reach {
                    difference.abs()
                } else {
                    reach
                };
            }
            offsets[column] += offset;
            directions[column] += direction;
            third_powers[column] += third_power;
            reaches[column] = reach;
        }
        self.count += N as f64;
    }

    /// Adds x/‖x‖ after scaling by the largest coordinate, so that 1e-200 squared does not vanish.
    /// A zero point has no direction.
    #[cold]
    fn add_extreme_direction(&mut self, point: &[f64]) {
        let largest = point
            .iter()
            .fold(0.0_f64, |largest, value| largest.max(value.abs()));
        if largest > 0.0 {
            let norm = point
                .iter()
                .map(|value| (value / largest).powi(2))
                .sum::<f64>()
                .sqrt();
            for (sum, value) in self.directions.iter_mut().zip(point) {
                *sum += value / largest / norm;
            }
            self.directed += 1;
        }
    }

    /// Adds the sums of other points in the same frame.
    pub fn absorb(&mut self, part: &Self) {
        self.count += part.count;
        let share = part.count / self.count;
        for column in 0..self.offset.len() {
            self.offset[column] += (part.offset[column] - self.offset[column]) * share;
            self.reach[column] = self.reach[column].max(part.reach[column]);
            self.directions[column] += part.directions[column];
            self.third_powers[column] += part.third_powers[column];
        }
        self.directed += part.directed;
        self.fourth_powers += part.fourth_powers;
    }

    /// The largest |x − o|; exactly 0 if all points equal the origin.
    pub fn reach(&self) -> f64 {
        self.reach
            .iter()
            .fold(0.0, |largest, reach| largest.max(*reach))
    }

    /// Σᵢ ‖yᵢ − δ‖⁴ about the mean δ of y, from the sums about the origin and the scatter S of y in
    /// row-major order:
    ///
    /// ```text
    ///   ‖y − δ‖² = ‖y‖² − 2δ·y + ‖δ‖²        Σᵢ(δ·yᵢ)² = δᵀSδ + n‖δ‖⁴
    /// ```
    pub fn fourth_powers(&self, delta: &[f64], scatter: &[f64]) -> f64 {
        let width = delta.len();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let shift = dot(delta, delta);
        let trace: f64 = scatter.iter().step_by(width + 1).sum();
        let along: f64 = scatter
            .chunks_exact(width)
            .zip(delta)
            .map(|(row, entry)| entry * dot(row, delta))
            .sum();
        // With q = ‖y‖², p = δ·y and D = ‖δ‖², where Σq = tr S + n·D and Σp = n·D:
        // (q − 2p + D)² = q² − 4qp + 4p² + 2qD − 4pD + D².
        let squares = trace + self.count * shift;
        self.fourth_powers - 4.0 * dot(&self.third_powers, delta)
            + 4.0 * along
            + 2.0 * shift * squares
            + self.count * shift * shift
    }

    /// Σ over i ≠ j of cos(xᵢ, xⱼ) = ‖Σᵢ x̂ᵢ‖² − Σᵢ ‖x̂ᵢ‖², where the cosine with a zero point is
    /// 0.
    pub fn cosines_of_distinct_pairs(&self) -> f64 {
        let squared: f64 = self.directions.iter().map(|sum| sum * sum).sum();
        squared - self.directed as f64
    }
}

/// The sum of `term` over all values, in [`LANES`] partial sums.
#[inline(always)]
fn sum_of<T: Copy>(values: &[T], term: impl Fn(T) -> f64) -> f64 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += term(chunk[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|value| term(*value)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points that include zero and a point whose square underflows.
    const POINTS: [[f64; 3]; 6] = [
        [1.0, 2.0, -3.0],
        [4.0, -1.0, 0.5],
        [0.0; 3],
        [1e-200, 0.0, -1e-200],
        [7.0, 7.0, 1.0],
        [-2.0, 0.0, 3.5],
    ];

    fn sums(frame: &Frame, points: &[[f64; 3]]) -> (RowSums, Vec<f32>) {
        let mut deviations = vec![0.0; 3 * points.len()];
        let mut sums = RowSums::new(3);
        sums.add(points.as_flattened(), frame, &mut deviations);
        sums.finish();
        (sums, deviations)
    }

    #[test]
    fn merged_parts_match_the_definitions() {
        let frame = Frame {
            origin: vec![1.0, 2.0, -3.0],
            unit: 4.0,
        };
        let (all, deviations) = sums(&frame, &POINTS);
        let mut parts = RowSums::new(3);
        POINTS
            .chunks(2)
            .for_each(|part| parts.absorb(&sums(&frame, part).0));
        assert_eq!(deviations[3..6], [0.75, -0.75, 0.875]);

        let mean: [f64; 3] = std::array::from_fn(|column| {
            POINTS.iter().map(|point| point[column]).sum::<f64>() / 6.0
        });
        let delta: Vec<f64> = mean
            .iter()
            .zip(&frame.origin)
            .map(|(mean, origin)| (mean - origin) / frame.unit)
            .collect();
        let centred = POINTS.map(|point| {
            std::array::from_fn::<_, 3, _>(|column| (point[column] - mean[column]) / frame.unit)
        });
        let scatter: Vec<f64> = (0..9)
            .map(|at| {
                centred
                    .iter()
                    .map(|point| point[at / 3] * point[at % 3])
                    .sum()
            })
            .collect();
        let fourth: f64 = centred
            .iter()
            .map(|point| point.iter().map(|value| value * value).sum::<f64>().powi(2))
            .sum();
        let mut cosines = 0.0;
        for (at, a) in POINTS.iter().enumerate() {
            for b in POINTS[..at]
                .iter()
                .filter(|b| b.iter().chain(a).any(|value| *value != 0.0))
            {
                let unit = |point: &[f64; 3]| {
                    let largest = point
                        .iter()
                        .fold(0.0, |largest: f64, value| largest.max(value.abs()));
                    let norm = point
                        .iter()
                        .map(|value| (value / largest).powi(2))
                        .sum::<f64>()
                        .sqrt();
                    point.map(|value| {
                        if largest > 0.0 {
                            value / largest / norm
                        } else {
                            0.0
                        }
                    })
                };
                cosines += 2.0 * unit(a).iter().zip(unit(b)).map(|(a, b)| a * b).sum::<f64>();
            }
        }
        for sums in [all, parts] {
            let offset: Vec<f64> = sums
                .offset
                .iter()
                .map(|offset| offset / frame.unit)
                .collect();
            assert!(
                offset
                    .iter()
                    .zip(&delta)
                    .all(|(found, expected)| (found - expected).abs() < 1e-15),
                "{offset:?}, expected {delta:?}"
            );
            let found = sums.fourth_powers(&delta, &scatter);
            assert!(
                (found / fourth - 1.0).abs() < 1e-13,
                "{found}, expected {fourth}"
            );
            assert_eq!(sums.reach(), 6.5);
            let found = sums.cosines_of_distinct_pairs();
            assert!(
                (found - cosines).abs() < 1e-14,
                "{found}, expected {cosines}"
            );
        }
    }
}
