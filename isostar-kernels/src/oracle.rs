//! Comparison of a fused operation with the composition that it replaces.

use burn::prelude::*;
use burn::tensor::DType;

use crate::composed;
use crate::stream::normal;

/// Largest difference of a value from the composition's, relative to the largest value.
const VALUES: f64 = 2e-6;
/// Largest difference of a gradient from the composition's, relative to the largest gradient.
const GRADIENTS: f64 = 1e-5;
/// Where everything is smaller than this, differences are relative to it: the terms that cancel are
/// of the order of 1.
const LEAST: f64 = 0.1;
/// Key of the first direction of the differences; the points and weights have the keys from 0 on.
const DIRECTIONS: u32 = 1 << 16;
/// Step of central differences in f64.
const STEP: f64 = 1e-5;

/// Asserts that `f` has the values and gradients of its composition, the same bits with 1, 2 and 7
/// threads, and gradients that agree with central differences in f64.
///
/// `inputs` are the shapes of the inputs of `f`, which are tensors of normally distributed numbers,
/// flattened.
pub(crate) fn assert_fused(inputs: &[&[usize]], f: impl Fn(Vec<Tensor<1>>) -> Tensor<1> + Sync) {
    let (points, weights, gradients) = assert_composed(inputs, &f);
    let device = Device::flex();
    for (at, gradient) in gradients.iter().enumerate() {
        let direction = normal(gradient.len(), DIRECTIONS + at as u32);
        let direction: Vec<f64> = direction.into_iter().map(f64::from).collect();
        let moved = |step: f64| {
            let mut points = tensors(&points, &device, DType::F64);
            let offset =
                Tensor::<1>::from_data(TensorData::from(&direction[..]), (&device, DType::F64))
                    * step;
            points[at] = points[at].clone() + offset;
            let weights = Tensor::from_data(weights.clone(), (&device, DType::F64));
            composed(|| (f(points) * weights).sum()).into_scalar::<f64>()
        };
        let numeric = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        let found: f64 = gradient
            .iter()
            .zip(&direction)
            .map(|(gradient, direction)| gradient * direction)
            .sum();
        let norm = |numbers: &[f64]| {
            numbers
                .iter()
                .map(|number| number * number)
                .sum::<f64>()
                .sqrt()
        };
        let scale = norm(gradient).max(LEAST) * norm(&direction);
        assert!(
            (found - numeric).abs() <= GRADIENTS * scale,
            "slope {at}: {found} where differences give {numeric}"
        );
    }
}

/// [`assert_fused`] without the differences, for functions whose gradient is defined otherwise.
/// Returns the points, the weights of the value, and the gradients of the weighted sum.
pub(crate) fn assert_composed(
    inputs: &[&[usize]],
    f: &(impl Fn(Vec<Tensor<1>>) -> Tensor<1> + Sync),
) -> (Vec<TensorData>, TensorData, Vec<Vec<f64>>) {
    let device = Device::flex();
    let random = |count, key| TensorData::from(&normal(count, key)[..]);
    let points: Vec<TensorData> = (0..)
        .zip(inputs)
        .map(|(key, shape)| random(shape.iter().product(), key))
        .collect();
    let untracked = numbers(f(tensors(&points, &device, DType::F32)));
    let weights = random(untracked.len(), points.len() as u32);

    let mut fused = evaluate(f, &points, &weights);
    let expected = composed(|| evaluate(f, &points, &weights));
    assert_close("value without a gradient", &untracked, &expected[0], VALUES);
    for (at, (found, expected)) in fused.iter().zip(&expected).enumerate() {
        let (name, tolerance) = if at == 0 {
            ("value".into(), VALUES)
        } else {
            (format!("gradient {at}"), GRADIENTS)
        };
        assert_close(&name, found, expected, tolerance);
    }
    for threads in [1, 2, 7] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let found = pool.install(|| evaluate(f, &points, &weights));
        assert!(found == fused, "other numbers with {threads} threads");
    }
    (points, weights, fused.split_off(1))
}

/// The value of `f`, and the gradients of the sum of its value times `weights`.
fn evaluate(
    f: &impl Fn(Vec<Tensor<1>>) -> Tensor<1>,
    points: &[TensorData],
    weights: &TensorData,
) -> Vec<Vec<f64>> {
    let device = Device::flex().autodiff();
    let points: Vec<_> = tensors(points, &device, DType::F32)
        .into_iter()
        .map(Tensor::require_grad)
        .collect();
    let value = f(points.clone());
    let gradients = (value.clone() * Tensor::from_data(weights.clone(), &device))
        .sum()
        .backward();
    let found = points
        .iter()
        .map(|point| numbers(point.grad(&gradients).expect("every input has a gradient")));
    std::iter::once(numbers(value)).chain(found).collect()
}

fn tensors(points: &[TensorData], device: &Device, dtype: DType) -> Vec<Tensor<1>> {
    points
        .iter()
        .map(|data| Tensor::from_data(data.clone(), (device, dtype)))
        .collect()
}

fn numbers(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data_as::<f64>().try_into_vec().unwrap()
}

fn assert_close(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let largest = expected
        .iter()
        .fold(LEAST, |largest, number| largest.max(number.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= tolerance * largest,
            "{name}: {found} instead of {expected}, of at most {largest}"
        );
    }
}
