//! Measures of the singular values of points that are not centred.

use faer::Mat;
use isostar_core::measure::{MEASURES, Spectrum};
use isostar_core::{Moments, RunningMoments};

use super::{DEVICE, cloud};
use crate::common::{Points, assert_within, devices, distance};

#[test]
fn singular_values_are_those_of_points_that_are_not_centred() {
    let points = cloud(40, 7, 16).map(|column, value| value + column as f64);
    let matrix = Mat::from_fn(points.n, points.d, |row, column| points.row(row)[column]);
    let squares: Vec<f64> = matrix
        .singular_values()
        .expect("finite")
        .iter()
        .map(|value| value * value)
        .collect();
    for (backend, device) in devices() {
        let mut moments = RunningMoments::new(7);
        moments
            .update(&Moments::from_points(points.tensor(&device)))
            .expect("the device can be read");
        let found = Spectrum::from_second_moment(&moments, &[0.0; 7], 1.0).eigenvalues();
        assert_within(distance(&found, &squares) / squares[0], DEVICE, backend);

        // The same points as deviations from an origin, in units of different sizes.
        for unit in [1e-200, 1e-3, 1e200] {
            let origin: Vec<f64> = (0..7).map(|column| unit * (column as f64 - 2.0)).collect();
            let mut deviations = RunningMoments::new(7);
            let shifted = points.map(|column, value| value - (column as f64 - 2.0));
            deviations
                .update(&Moments::from_points(shifted.tensor(&device)))
                .expect("the device can be read");
            let found = Spectrum::from_second_moment(&deviations, &origin, unit)
                .scaled(1.0 / unit)
                .eigenvalues();
            assert_within(
                distance(&found, &squares) / squares[0],
                DEVICE,
                format!("{backend}, unit {unit:e}"),
            );
        }
    }
}

/// Error from eigenvalues of 0 that rounding in f64 made 1e-17, after the square root; the largest
/// observed is 2.1e-7.
const ZEROS: f64 = 1e-6;

#[test]
fn equal_points_have_one_singular_value_and_zeros_have_none() {
    let rank = MEASURES
        .iter()
        .find(|measure| measure.name == "rankme")
        .expect("RankMe is a measure");
    for (backend, device) in devices() {
        let of = |points: &Points| rank.of(points.tensor(&device));
        // Sums of these numbers are exact, and so are all deviations.
        let equal = Points::from_fn(8, 4, |_, column| 0.5 + column as f64);
        assert_within(
            (of(&equal).expect("points that are not zero") - 1.0).abs(),
            ZEROS,
            backend,
        );
        assert_eq!(of(&Points::from_fn(8, 4, |_, _| 0.0)), None, "{backend}");
        let few = cloud(3, 9, 17);
        assert!(
            of(&few).is_some_and(|rank| rank > 1.0 && rank <= 3.0),
            "{:?} of three points on {backend}",
            of(&few)
        );
    }
}
