//! Where the points lie is guessed from a few rows; no digit hangs on the guess.

use isostar_core::UnbiasedSums;
use serde_json::Value;

use super::files::{DIRECTIONS, Folder, SCATTER, assert_close, f32_bytes, measure_one, npy};

const POINTS: usize = 640_000;
const WIDTH: usize = 3;

/// Whether a row is one of the 64 runs of 16 rows that are looked at first.
fn is_looked_at(row: usize) -> bool {
    row % (POINTS / 64) < 16
}

/// What is printed of the points f(row, column).
fn measured(points: impl Fn(usize, usize) -> f64) -> Value {
    let folder = Folder::new();
    let bytes = f32_bytes((0..POINTS * WIDTH).map(|at| points(at / WIDTH, at % WIDTH) as f32));
    measure_one(
        &folder.write("points.npy", npy("<f4", false, &[POINTS, WIDTH], &bytes)),
        &["--moments"],
    )
}

/// Measures the points f(row, column), rounded to f32, and compares with their sums in f64.
fn check(what: &str, value: impl Fn(usize, usize) -> f64) {
    println!("{what}");
    let points: Vec<[f64; WIDTH]> = (0..POINTS)
        .map(|row| std::array::from_fn(|column| f64::from(value(row, column) as f32)))
        .collect();
    let found = measured(|row, column| points[row][column]);

    let count = POINTS as f64;
    // In two steps, so that the mean of numbers far from zero has all digits.
    let near: [f64; WIDTH] =
        std::array::from_fn(|column| points.iter().map(|point| point[column]).sum::<f64>() / count);
    let mean: [f64; WIDTH] = std::array::from_fn(|column| {
        near[column]
            + points
                .iter()
                .map(|point| point[column] - near[column])
                .sum::<f64>()
                / count
    });
    let (mut scatter, mut fourth_powers, mut directions) =
        ([[0.0; WIDTH]; WIDTH], 0.0, [0.0; WIDTH]);
    for point in &points {
        let centred: [f64; WIDTH] = std::array::from_fn(|column| point[column] - mean[column]);
        let norm = point.iter().map(|value| value * value).sum::<f64>().sqrt();
        for row in 0..WIDTH {
            (0..WIDTH).for_each(|column| scatter[row][column] += centred[row] * centred[column]);
            directions[row] += point[row] / norm;
        }
        fourth_powers += centred
            .iter()
            .map(|value| value * value)
            .sum::<f64>()
            .powi(2);
    }
    let squared_norms: f64 = (0..WIDTH).map(|at| scatter[at][at]).sum();
    let scatter_squared: f64 = scatter.iter().flatten().map(|sum| sum * sum).sum();
    let isoscore = (squared_norms * squared_norms / scatter_squared - 1.0) / (WIDTH as f64 - 1.0);
    let unbiased = UnbiasedSums {
        count,
        squared_norms,
        fourth_powers,
        scatter_squared,
    }
    .isoscore(WIDTH);
    let cosines = directions.iter().map(|sum| sum * sum).sum::<f64>() - count;
    assert_close(&found, "isoscore", isoscore, SCATTER);
    assert_close(
        &found,
        "isoscore_unbiased",
        unbiased.expect("enough points, and no two of them make up all variance"),
        SCATTER,
    );
    assert_close(
        &found,
        "mean_cosine",
        cosines / (count * (count - 1.0)),
        DIRECTIONS,
    );
}

/// From −50 to 50, without a pattern that runs of rows share.
fn noise(row: usize, column: usize) -> f64 {
    let hashed = (row * WIDTH + column + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((hashed >> 32) % 1009) as f64 / 10.09 - 50.0
}

#[test]
fn the_rows_that_are_looked_at_may_be_like_no_others() {
    check("like all others", |row, column| {
        noise(row, column) * (1.0 + column as f64)
    });
    check("beside the others", |row, column| {
        noise(row, column) * (1.0 + column as f64) + if is_looked_at(row) { 2000.0 } else { 0.0 }
    });
    check("all equal", |row, column| {
        if is_looked_at(row) {
            7.0
        } else {
            noise(row, column) * (1.0 + column as f64)
        }
    });
    check("nearer to each other", |row, column| {
        noise(row, column)
            * if is_looked_at(row) {
                1e-20
            } else {
                1.0 + column as f64
            }
    });
    check("farther from each other", |row, column| {
        noise(row, column)
            * if is_looked_at(row) {
                1e3
            } else {
                1.0 + column as f64
            }
    });
}

#[test]
fn points_may_be_sorted_or_far_from_zero() {
    check("sorted", |row, column| {
        noise(row, column)
            + if column == 1 {
                row as f64 / 1000.0
            } else {
                0.0
            }
    });
    check("far from zero", |row, column| {
        (noise(row, column) * 16.0).round() + 1e6
    });
}

#[test]
fn one_point_may_be_far_from_all_others() {
    check("far", |row, column| {
        noise(row, column) * if row == POINTS / 64 + 20 { 50.0 } else { 1.0 }
    });
    // Beside the line through these, nothing of the others is left in f32.
    for far in [1e15, 1e25] {
        let found = measured(|row, column| {
            if row == POINTS / 64 + 20 {
                far * (1.0 + column as f64)
            } else {
                noise(row, column)
            }
        });
        assert!(
            (0.0..SCATTER).contains(&found["isoscore"].as_f64().unwrap()),
            "{far}: {found}"
        );
        assert!(
            (found["effective_rank"].as_f64().unwrap() - 1.0).abs() < SCATTER,
            "{far}: {found}"
        );
    }
}
