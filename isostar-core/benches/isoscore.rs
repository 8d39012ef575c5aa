//! IsoScore* with and without its gradient, beside the published seven steps with eigenvalues and beside its floor, the plain products.
//!
//! ```text
//! cargo bench -p isostar-core --profile dev
//! ```
//!
//! All columns of a line are timed one after the other in every round, so that other load hits them alike; ratios are medians over the rounds.

use std::hint::black_box;
use std::time::Instant;

use burn::prelude::*;
use burn::tensor::Distribution;
use faer::linalg::matmul::matmul;
use faer::linalg::solvers::SelfAdjointEigen;
use faer::{Accum, Mat, MatRef, Side, get_global_parallelism};
use isostar_core::{Shrinkage, ShrinkageTarget, isoscore_star};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2 and 3, which the bindings do not name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

const ZETA: f64 = 0.2;

fn main() {
    // SAFETY: the option exists, and no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    println!(
        "IsoScore* on flex, f32, ζ = {ZETA}, {} threads; milliseconds, medians",
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    println!(
        "{:<14}{:<20}{:>10}{:>12}{:>10}{:>14}{:>10}",
        "points", "", "isostar", "products", "ratio", "seven steps", "ratio"
    );
    for (n, d, rounds) in [(512, 384, 51), (4096, 768, 15), (49152, 768, 5)] {
        compare(n, d, rounds);
    }
    println!(
        "products: XᵀX, and with a gradient X·G as well; seven steps: Algorithm 1 with faer's eigenvalues, and eigenvectors for the gradient."
    );
}

fn compare(n: usize, d: usize, rounds: usize) {
    let device = Device::flex();
    device.seed(7);
    let points = Tensor::<2>::random([n, d], Distribution::Normal(0.0, 1.0), &device);
    let tracked = points.clone().autodiff().require_grad();
    let matrix = Tensor::<2>::random([d, d], Distribution::Normal(0.0, 1.0), &device);
    let target = Tensor::<2>::eye(d, &device);
    let shrinkage = Shrinkage::new(ZETA, ShrinkageTarget::Reference).expect("a weight in [0, 1]");
    let values: Vec<f32> = points.try_to_vec_as().expect("the device can be read");

    let forward = rounds_of(
        rounds,
        [
            &|| isoscore_star(points.clone(), &shrinkage, Some(&target)).into_scalar::<f64>(),
            &|| first(points.clone().transpose().matmul(points.clone())),
            &|| seven_steps(&values, n, d, false),
        ],
    );
    line(&format!("{n}×{d}"), "forward", &forward);
    let backward = rounds_of(
        rounds,
        [
            &|| {
                let gradients =
                    isoscore_star(tracked.clone(), &shrinkage, Some(&target)).backward();
                first(tracked.grad(&gradients).expect("a gradient"))
            },
            &|| {
                first(points.clone().transpose().matmul(points.clone()))
                    + first(points.clone().matmul(matrix.clone()))
            },
            &|| seven_steps(&values, n, d, true),
        ],
    );
    line("", "forward + backward", &backward);
}

/// Reading one number back makes sure that the tensor has been computed.
fn first(tensor: Tensor<2>) -> f64 {
    tensor.slice([0..1, 0..1]).into_scalar()
}

/// Milliseconds of each contestant in each round, after one round that does not count.
fn rounds_of(rounds: usize, contestants: [&dyn Fn() -> f64; 3]) -> Vec<[f64; 3]> {
    let time = |contestant: &dyn Fn() -> f64| {
        let start = Instant::now();
        black_box(contestant());
        start.elapsed().as_secs_f64() * 1e3
    };
    let _warm_up = contestants.map(time);
    (0..rounds).map(|_| contestants.map(time)).collect()
}

fn line(points: &str, what: &str, rounds: &[[f64; 3]]) {
    let median = |value: &dyn Fn(&[f64; 3]) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let [ours, products, steps] = [0, 1, 2].map(|at| median(&|round| round[at]));
    let (over, under) = (
        median(&|round| round[0] / round[1]),
        median(&|round| round[2] / round[0]),
    );
    println!(
        "{points:<14}{what:<20}{ours:>10.2}{products:>12.2}{over:>9.2}×{steps:>14.2}{under:>9.2}×"
    );
}

/// Algorithm 1 with target I in f32, its gradient by the chain rule through the eigenvalues. The score, or one entry of the gradient.
fn seven_steps(values: &[f32], n: usize, d: usize, gradient: bool) -> f64 {
    let parallel = get_global_parallelism();
    let mut mean = vec![0.0f32; d];
    for row in values.chunks_exact(d) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(sum, value)| *sum += value);
    }
    mean.iter_mut().for_each(|sum| *sum /= n as f32);
    let centred: Vec<f32> = values
        .chunks_exact(d)
        .flat_map(|row| row.iter().zip(&mean).map(|(value, mean)| value - mean))
        .collect();
    let centred = MatRef::from_row_major_slice(&centred, n, d);
    let zeta = ZETA as f32;
    let mut covariance = Mat::<f32>::identity(d, d) * faer::Scale(zeta);
    matmul(
        covariance.as_mut(),
        Accum::Add,
        centred.transpose(),
        centred,
        (1.0 - zeta) / (n as f32 - 1.0),
        parallel,
    );

    let (lambda, vectors) = if gradient {
        let eigen =
            SelfAdjointEigen::new(covariance.as_ref(), Side::Lower).expect("a finite covariance");
        (
            eigen.S().column_vector().iter().copied().collect(),
            Some(eigen.U().to_owned()),
        )
    } else {
        (
            covariance
                .self_adjoint_eigenvalues(Side::Lower)
                .expect("a finite covariance"),
            None,
        )
    };
    let size = d as f32;
    let norm = lambda.iter().map(|value| value * value).sum::<f32>().sqrt();
    let normalised: Vec<f32> = lambda
        .iter()
        .map(|value| size.sqrt() * value / norm)
        .collect();
    let scale = 2.0 * (size - size.sqrt());
    let defect = (normalised
        .iter()
        .map(|value| (value - 1.0).powi(2))
        .sum::<f32>()
        / scale)
        .sqrt();
    let dimensions = size - defect * defect * (size - size.sqrt());
    let fraction = dimensions * dimensions / (size * size);
    let score = (size * fraction - 1.0) / (size - 1.0);
    let Some(vectors) = vectors else {
        return score as f64;
    };

    let slope = -2.0 * dimensions / (size * (size - 1.0));
    let towards: Vec<f32> = normalised
        .iter()
        .map(|value| slope * (value - 1.0))
        .collect();
    let along: f32 = towards
        .iter()
        .zip(&lambda)
        .map(|(slope, value)| slope * value)
        .sum::<f32>()
        / (norm * norm);
    let towards: Vec<f32> = towards
        .iter()
        .zip(&lambda)
        .map(|(slope, value)| size.sqrt() / norm * (slope - along * value))
        .collect();
    let scaled = Mat::from_fn(d, d, |row, column| vectors[(row, column)] * towards[column]);
    let mut towards_covariance = Mat::<f32>::zeros(d, d);
    matmul(
        towards_covariance.as_mut(),
        Accum::Replace,
        scaled.as_ref(),
        vectors.transpose(),
        1.0,
        parallel,
    );
    let mut towards_points = vec![0.0f32; n * d];
    let output = faer::MatMut::from_row_major_slice_mut(&mut towards_points, n, d);
    matmul(
        output,
        Accum::Replace,
        centred,
        towards_covariance.as_ref(),
        2.0 * (1.0 - zeta) / (n as f32 - 1.0),
        parallel,
    );
    black_box(towards_points)[0] as f64
}
