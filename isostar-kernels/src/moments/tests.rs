use burn::tensor::Distribution;
use rayon::ThreadPoolBuilder;

use super::*;

/// Tolerance of values and gradients, relative to the largest of a tensor; 4e-7 and 2e-6 were found.
const VALUE: f64 = 2e-6;
const GRADIENT: f64 = 1e-5;

fn points(rows: usize, d: usize, device: &Device) -> Tensor<2> {
    Tensor::random([rows, d], Distribution::Normal(0.0, 1.0), device)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Largest difference of the numbers, relative to the largest number.
fn difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let size = expected
        .iter()
        .fold(1e-30_f64, |size, number| size.max(number.abs()));
    found.iter().zip(expected).fold(0.0, |most, (one, other)| {
        f64::max(most, (one - other).abs() / size)
    })
}

/// A loss ΣA∘S + b·m, with A not symmetric.
struct Loss {
    matrix: Tensor<2>,
    vector: Tensor<1>,
}

impl Loss {
    fn new(d: usize, device: &Device) -> Self {
        Self {
            matrix: points(d, d, device),
            vector: points(1, d, device).reshape([d]),
        }
    }

    fn of(&self, mean: Tensor<1>, scatter: Tensor<2>) -> Tensor<1> {
        (scatter * self.matrix.clone()).sum() + (mean * self.vector.clone()).sum()
    }
}

/// Count, mean, scatter, and the gradients of the sets.
fn outcome(sets: &[Tensor<2>], mask: Option<Tensor<1, Bool>>, loss: &Loss) -> [Vec<f64>; 4] {
    let device = sets[0].device().autodiff();
    let sets: Vec<_> = sets
        .iter()
        .map(|set| Tensor::<2>::from_data(set.to_data(), &device).require_grad())
        .collect();
    let (count, mean, scatter) = moments(sets.clone(), mask);
    let gradients = loss.of(mean.clone(), scatter.clone()).backward();
    let gradients = sets
        .iter()
        .flat_map(|set| numbers(set.grad(&gradients).unwrap()))
        .collect();
    [numbers(count), numbers(mean), numbers(scatter), gradients]
}

/// The same in f64, by the definition.
fn exact(sets: &[Tensor<2>], mask: &[bool], loss: &Loss) -> [Vec<f64>; 4] {
    let d = sets[0].dims()[1];
    let sets: Vec<Vec<f64>> = sets.iter().map(|set| numbers(set.clone())).collect();
    let kept: Vec<&[f64]> = sets
        .iter()
        .flat_map(|set| {
            set.chunks(d)
                .zip(mask)
                .filter(|(_, keep)| **keep)
                .map(|(row, _)| row)
        })
        .collect();
    let n = kept.len() as f64;
    let mean: Vec<f64> = (0..d)
        .map(|column| kept.iter().map(|row| row[column]).sum::<f64>() / n.max(1.0))
        .collect();
    let product = |row: usize, column: usize| {
        kept.iter()
            .map(|x| (x[row] - mean[row]) * (x[column] - mean[column]))
            .sum()
    };
    let scatter = (0..d * d).map(|at| product(at / d, at % d)).collect();
    let (a, b) = (numbers(loss.matrix.clone()), numbers(loss.vector.clone()));
    let mut gradients = vec![];
    for row in sets.iter().flat_map(|set| set.chunks(d).zip(mask)) {
        for column in 0..d {
            let both = |other: usize| {
                (a[column * d + other] + a[other * d + column]) * (row.0[other] - mean[other])
            };
            let gradient = (0..d).map(both).sum::<f64>() + b[column] / n.max(1.0);
            gradients.push(if *row.1 { gradient } else { 0.0 });
        }
    }
    [vec![n], mean, scatter, gradients]
}

fn assert_close(found: &[Vec<f64>; 4], expected: &[Vec<f64>; 4], case: &str) {
    for (at, limit) in [0.0, VALUE, VALUE, GRADIENT].into_iter().enumerate() {
        let apart = difference(&found[at], &expected[at]);
        assert!(
            apart <= limit,
            "{case}: number {at} of count, mean, scatter and gradients is {apart:e} off"
        );
    }
}

fn mask(rows: usize, keep: impl Fn(usize) -> bool) -> (Vec<bool>, Option<Tensor<1, Bool>>) {
    let mask: Vec<bool> = (0..rows).map(keep).collect();
    let tensor = Tensor::from_data(TensorData::new(mask.clone(), [rows]), &Device::flex());
    (mask, Some(tensor))
}

#[test]
fn one_pass_gives_the_moments_and_gradients_of_the_definition_and_of_the_composition() {
    let device = Device::flex();
    device.seed(1);
    for (rows, d, sets) in [
        (1, 5, 1),
        (2, 1, 3),
        (7, 3, 2),
        (130, 16, 1),
        (600, 37, 2),
        (1100, 100, 1),
    ] {
        let loss = Loss::new(d, &device);
        let sets: Vec<_> = (0..sets)
            .map(|set| points(rows, d, &device) + set as f64)
            .collect();
        let masks = [
            (vec![true; rows], None),
            mask(rows, |_| true),
            mask(rows, |row| row % 64 < 41),
            mask(rows, |row| row == rows / 2),
            mask(rows, |_| false),
        ];
        for (which, (kept, mask)) in masks.into_iter().enumerate() {
            let case = format!("{} sets of {rows}×{d}, mask {which}", sets.len());
            let found = outcome(&sets, mask.clone(), &loss);
            assert_close(&found, &exact(&sets, &kept, &loss), &case);
            assert_close(
                &found,
                &crate::composed(|| outcome(&sets, mask, &loss)),
                &case,
            );
        }
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_definition() {
    let device = Device::flex();
    device.seed(2);
    let (rows, d, step) = (40, 6, 1e-4);
    let (set, loss) = (points(rows, d, &device), Loss::new(d, &device));
    let [.., gradient] = outcome(std::slice::from_ref(&set), None, &loss);
    let values = numbers(set);
    let value = |at: usize, step: f64| {
        let mut moved = values.clone();
        moved[at] += step;
        let mean: Vec<f64> = (0..d)
            .map(|column| moved.chunks(d).map(|row| row[column]).sum::<f64>() / rows as f64)
            .collect();
        let entry = |at: usize| {
            moved
                .chunks(d)
                .map(|row| (row[at / d] - mean[at / d]) * (row[at % d] - mean[at % d]))
                .sum::<f64>()
        };
        let matrix: f64 = numbers(loss.matrix.clone())
            .iter()
            .enumerate()
            .map(|(at, weight)| weight * entry(at))
            .sum();
        matrix
            + numbers(loss.vector.clone())
                .iter()
                .zip(&mean)
                .map(|(weight, mean)| weight * mean)
                .sum::<f64>()
    };
    for at in (0..rows * d).step_by(7) {
        let numeric = (value(at, step) - value(at, -step)) / (2.0 * step);
        assert!(
            (gradient[at] - numeric).abs() <= 1e-4 * (1.0 + numeric.abs()),
            "number {at}: {} and {numeric}",
            gradient[at]
        );
    }
}

#[test]
fn accuracy_does_not_depend_on_the_distance_from_the_origin() {
    let device = Device::flex();
    device.seed(3);
    let (rows, d) = (700, 20);
    let loss = Loss::new(d, &device);
    let mut values = numbers(points(rows, d, &device));
    for row in values.chunks_mut(d) {
        // One column of large spread, and one that is far away.
        row[3] *= 100.0;
        row[5] += 10_000.0;
    }
    let set = Tensor::<2>::from_data(TensorData::new(values, [rows, d]).convert::<f32>(), &device);
    let sets = [set.clone(), set + 3.0];
    let found = outcome(&sets, None, &loss);
    let expected = exact(&sets, &vec![true; rows], &loss);
    assert_close(&found, &expected, "far from the origin");
    // Each entry by itself, relative to the standard deviations of its row and column.
    let deviations: Vec<f64> = expected[2]
        .iter()
        .step_by(d + 1)
        .map(|variance| variance.sqrt())
        .collect();
    for (at, (found, expected)) in found[2].iter().zip(&expected[2]).enumerate() {
        let size = deviations[at / d] * deviations[at % d];
        assert!(
            (found - expected).abs() <= 2e-6 * size,
            "entry {at}: {found} and {expected}"
        );
    }
}

#[test]
fn an_outlier_in_the_sample_of_the_centre_does_no_harm() {
    let device = Device::flex();
    device.seed(4);
    let (rows, d) = (2000, 8);
    let loss = Loss::new(d, &device);
    let mut values = numbers(points(rows, d, &device));
    // The first row is always in the sample.
    values[..d].fill(1e5);
    let set = [Tensor::<2>::from_data(
        TensorData::new(values, [rows, d]).convert::<f32>(),
        &device,
    )];
    let (found, mut expected) = (
        outcome(&set, None, &loss),
        exact(&set, &vec![true; rows], &loss),
    );
    // The mean is as exact as the spread of the points allows.
    let deviation = (expected[2][0] / rows as f64).sqrt();
    for (found, expected) in found[1].iter().zip(&expected[1]) {
        assert!(
            (found - expected).abs() <= 1e-6 * deviation,
            "a mean of {found}, not {expected}"
        );
    }
    expected[1].clone_from(&found[1]);
    assert_close(&found, &expected, "an outlier");
}

#[test]
fn equal_points_have_no_scatter() {
    let set =
        Tensor::<2>::from_floats([[0.1, 1e6 / 3.0, -7.7e-9]], &Device::flex()).repeat_dim(0, 333);
    let (_, mean, scatter) = moments(vec![set.clone(), set.clone()], None);
    assert!(numbers(scatter).iter().all(|entry| *entry == 0.0));
    assert_eq!(numbers(mean), numbers(set.narrow(0, 0, 1)));
}

#[test]
fn masked_rows_do_not_change_the_moments() {
    let device = Device::flex();
    device.seed(5);
    let (rows, d) = (300, 12);
    let loss = Loss::new(d, &device);
    let (kept, mask) = mask(rows, |row| row % 3 > 0);
    let set = points(rows, d, &device);
    let weights = mask.clone().unwrap().float().unsqueeze_dim::<2>(1);
    let other = set.clone() * weights.clone() + (weights - 1.0) * 1e20;
    assert!(kept.contains(&false));
    assert_eq!(
        outcome(&[set], mask.clone(), &loss),
        outcome(&[other], mask, &loss)
    );
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let device = Device::flex();
    device.seed(6);
    let (rows, d) = (1500, 100);
    let loss = Loss::new(d, &device);
    let sets = [points(rows, d, &device), points(rows, d, &device)];
    let (_, mask) = mask(rows, |row| row % 5 > 0);
    for mask in [None, mask] {
        let with = |threads: usize| {
            let pool = ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| outcome(&sets, mask.clone(), &loss))
        };
        let one = with(1);
        assert_eq!(one, with(2));
        assert_eq!(one, with(7));
    }
}

#[test]
fn strided_points_are_read_in_their_order() {
    let device = Device::flex().autodiff();
    let set = points(50, 30, &device).require_grad();
    let part = |set: Tensor<2>| set.transpose().slice([3..20, 5..45]);
    let copy = Tensor::<2>::from_data(part(set.clone()).into_data(), &device).require_grad();
    let [one, other] =
        [part(set.clone()), copy.clone()].map(|points| moments(vec![points], None).2);
    assert_eq!(one.to_data(), other.to_data());
    let gradients = (one * 2.0).sum().backward();
    let found = part(set.grad(&gradients).unwrap());
    let gradients = (other * 2.0).sum().backward();
    assert_eq!(
        found.into_data(),
        copy.grad(&gradients).unwrap().into_data()
    );
}
