//! IsoScore* by the published seven steps, with eigenvalues, in f64. It does not use the closed
//! form.

use faer::linalg::matmul::matmul;
use faer::linalg::solvers::SelfAdjointEigen;
use faer::{Accum, Mat, MatRef, Par, Side};

use super::Points;

/// Score, and its gradient with respect to the points; entry (i, j) is at index i·d + j.
pub struct Scored {
    pub score: f64,
    pub gradient: Vec<f64>,
}

/// The centred points, as a matrix.
pub fn centred(points: &Points) -> Mat<f64> {
    let Points { n, d, values } = points;
    let values = MatRef::from_row_major_slice(values, *n, *d);
    let mean: Vec<f64> = (0..*d)
        .map(|column| values.col(column).iter().sum::<f64>() / *n as f64)
        .collect();
    Mat::from_fn(*n, *d, |row, column| values[(row, column)] - mean[column])
}

/// The sample covariance, divided by n − 1.
pub fn covariance(points: &Points) -> Mat<f64> {
    let centred = centred(points);
    let mut product = Mat::zeros(points.d, points.d);
    matmul(
        product.as_mut(),
        Accum::Replace,
        centred.transpose(),
        centred.as_ref(),
        1.0 / (points.n as f64 - 1.0),
        Par::Seq,
    );
    product
}

/// IsoScore of points.
pub fn isoscore(points: &Points) -> Scored {
    isoscore_star(points, &Mat::zeros(points.d, points.d), 0.0)
}

/// IsoScore* of points with a target and a weight, step by step.
pub fn isoscore_star(points: &Points, target: &Mat<f64>, zeta: f64) -> Scored {
    let shrunk = (1.0 - zeta) * covariance(points) + zeta * target;
    let (score, towards_covariance) = from_covariance(&shrunk);
    let mut gradient = Mat::zeros(points.n, points.d);
    let scale = (1.0 - zeta) * 2.0 / (points.n as f64 - 1.0);
    matmul(
        gradient.as_mut(),
        Accum::Replace,
        centred(points).as_ref(),
        towards_covariance.as_ref(),
        scale,
        Par::Seq,
    );
    let gradient = (0..points.n)
        .flat_map(|row| gradient.row(row).iter().copied().collect::<Vec<_>>())
        .collect();
    Scored { score, gradient }
}

/// IsoScore* of a covariance by Algorithm 1, and its gradient by the chain rule through each step.
pub fn from_covariance(covariance: &Mat<f64>) -> (f64, Mat<f64>) {
    let d = covariance.nrows() as f64;
    let eigen = SelfAdjointEigen::new(covariance.as_ref(), Side::Lower)
        .expect("a finite covariance has eigenvalues");
    let lambda: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
    let (score, towards_lambda) = seven_steps(&lambda, d);
    let vectors = eigen.U();
    let scaled = Mat::from_fn(lambda.len(), lambda.len(), |row, column| {
        vectors[(row, column)] * towards_lambda[column]
    });
    (score, scaled * vectors.transpose())
}

/// Steps 2 to 7 of Algorithm 1, and their gradient with respect to the eigenvalues.
fn seven_steps(lambda: &[f64], d: f64) -> (f64, Vec<f64>) {
    let norm = lambda.iter().map(|value| value * value).sum::<f64>().sqrt();
    let normalised: Vec<f64> = lambda.iter().map(|value| d.sqrt() * value / norm).collect();
    let defect_squared = normalised
        .iter()
        .map(|value| (value - 1.0).powi(2))
        .sum::<f64>()
        / (2.0 * (d - d.sqrt()));
    let uniform_dimensions = d - defect_squared * (d - d.sqrt());
    let fraction = uniform_dimensions.powi(2) / (d * d);
    let score = (d * fraction - 1.0) / (d - 1.0);

    let towards_fraction = d / (d - 1.0);
    let towards_defect_squared =
        -towards_fraction * 2.0 * uniform_dimensions / (d * d) * (d - d.sqrt());
    let towards_normalised: Vec<f64> = normalised
        .iter()
        .map(|value| towards_defect_squared * (value - 1.0) / (d - d.sqrt()))
        .collect();
    let along: f64 = towards_normalised
        .iter()
        .zip(lambda)
        .map(|(slope, value)| slope * value)
        .sum::<f64>()
        / (norm * norm);
    let towards_lambda = towards_normalised
        .iter()
        .zip(lambda)
        .map(|(slope, value)| d.sqrt() / norm * (slope - along * value))
        .collect();
    (score, towards_lambda)
}
