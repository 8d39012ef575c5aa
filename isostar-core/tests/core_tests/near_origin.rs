//! Moments of many points, from one product about a known mean and from a stream of batches, against
//! f64.

use crate::common::{
    Points, assert_within, devices, distance, half_precisions, largest, oracle, values,
};
use burn::tensor::DType;
use isostar_core::{DeviceMoments, Moments, RunningMoments};

/// Largest error of sums relative to n times the largest square; the largest observed is 5.1e-8 on
/// a CPU and 1.21e-7 on wgpu.
const PRODUCT: f64 = 3e-7;
/// The same for points in f64; the largest observed is 2.1e-16.
const DOUBLE: f64 = 1e-15;

fn mean(points: &Points) -> Vec<f64> {
    (0..points.d)
        .map(|column| {
            points
                .values
                .iter()
                .skip(column)
                .step_by(points.d)
                .sum::<f64>()
                / points.n as f64
        })
        .collect()
}

fn exact(points: &Points) -> Vec<f64> {
    let centred = oracle::centred(points);
    let scatter = centred.transpose() * &centred;
    (0..points.d * points.d)
        .map(|at| scatter[(at / points.d, at % points.d)])
        .collect()
}

/// Points whose means are as far from zero as their standard deviations; one dimension is a hundred
/// times larger than the rest.
fn cloud(n: usize, d: usize) -> Points {
    let normal = Points::gaussian(n, d, (n + d) as u64);
    let size = |column: usize| {
        if column == 1 {
            100.0
        } else {
            1.0 + column as f64 / d as f64
        }
    };
    Points::from_fn(n, d, |row, column| {
        size(column) * (normal.row(row)[column] + if column % 2 == 0 { 1.0 } else { -1.0 })
    })
}

#[test]
fn the_scatter_is_that_of_all_points_however_the_product_is_cut() {
    // One part, several parts of equal and unequal length, fewer rows than columns, narrow and
    // wide.
    let shapes = [
        (1, 3),
        (2, 3),
        (500, 7),
        (2048, 2),
        (2048, 20),
        (2051, 33),
        (2050, 96),
        (2048, 97),
        (4096, 33),
        (4097, 3),
        (9001, 5),
        (2050, 200),
        (300, 257),
        (90, 512),
        (70, 601),
        (700, 601),
    ];
    for (n, d) in shapes {
        let points = cloud(n, d);
        let exact = exact(&points);
        for (backend, device) in devices() {
            let mut running = RunningMoments::new(d);
            running
                .update_near_origin(points.tensor(&device), &mean(&points))
                .expect("the device can be read");
            assert_eq!(
                (running.count(), running.mean()),
                (n as u64, mean(&points).as_slice()),
                "[{n}, {d}] on {backend}"
            );
            let scatter = running.scatter();
            let products = largest(&points.values).powi(2) * n as f64;
            assert_within(
                distance(scatter, &exact) / products,
                PRODUCT,
                format!("[{n}, {d}] on {backend}"),
            );
            assert!(
                (0..d * d).all(|at| scatter[at] == scatter[at % d * d + at / d]),
                "[{n}, {d}] on {backend} is not symmetric"
            );
        }
    }
}

#[test]
fn both_ways_of_adding_points_add_up() {
    let (first, second) = (cloud(2500, 12), cloud(900, 12).map(|_, value| value + 0.5));
    let all = Points::concat(&[first.clone(), second.clone()]);
    for (backend, device) in devices() {
        let mut running = RunningMoments::new(12);
        running
            .update_near_origin(first.tensor(&device), &mean(&first))
            .expect("the device can be read");
        running
            .update(&Moments::from_points(second.tensor(&device)))
            .expect("the device can be read");
        let unit = largest(&all.values).powi(2) * all.n as f64;
        assert_within(
            distance(running.scatter(), &exact(&all)) / unit,
            PRODUCT,
            backend,
        );
        let before = running.clone();
        running
            .update_near_origin(Points::new(0, 12, vec![]).tensor(&device), &[0.0; 12])
            .expect("the device can be read");
        assert_eq!(running, before, "no points on {backend}");
    }
}

#[test]
fn half_precision_is_widened() {
    let points = Points::from_fn(300, 4, |row, column| {
        ((row * (column + 3)) % 16) as f64 - 8.0
    });
    for (backend, device, dtype) in half_precisions() {
        let mut running = RunningMoments::new(4);
        running
            .update_near_origin(points.tensor_of(&device, dtype), &mean(&points))
            .expect("the device can be read");
        assert_within(
            distance(running.scatter(), &exact(&points)) / (64.0 * 300.0),
            PRODUCT,
            format!("{dtype:?} on {backend}"),
        );
    }
}

#[test]
fn double_precision_keeps_its_digits() {
    let points = cloud(5000, 6);
    for (backend, device) in devices()
        .into_iter()
        .filter(|(_, device)| device.supports_dtype(DType::F64))
    {
        let mut running = RunningMoments::new(6);
        running
            .update_near_origin(points.tensor_of(&device, DType::F64), &mean(&points))
            .expect("the device can be read");
        let products = largest(&points.values).powi(2) * 5000.0;
        assert_within(
            distance(running.scatter(), &exact(&points)) / products,
            DOUBLE,
            backend,
        );
    }
}

#[test]
#[should_panic(expected = "points of width 3 and a mean of width 2 for moments of width 3")]
fn a_mean_of_another_width_is_refused() {
    let (_, device) = devices().remove(0);
    let _ = RunningMoments::new(3).update_near_origin(cloud(4, 3).tensor(&device), &[0.0; 2]);
}

/// Eight points of about the given size; their dimensions have different means.
fn batch(seed: u64, size: f64) -> Points {
    Points::gaussian(8, 5, seed).map(|column, value| size * (value + 0.3 * column as f64))
}

#[test]
fn a_stream_read_many_batches_at_a_time_is_bit_for_bit_one_read_batch_by_batch() {
    // The other batches are below the last place of the first one in f32.
    let batches: Vec<Points> = (0..400)
        .map(|seed| batch(seed, if seed == 0 { 1e4 } else { 0.3 }))
        .collect();
    const BATCH: usize = 5 * 5 * 4;
    for (backend, device) in devices() {
        let moments: Vec<Moments> = batches
            .iter()
            .map(|batch| Moments::from_points(batch.tensor(&device)))
            .collect();
        let mut host = RunningMoments::new(5);
        for batch in &moments {
            host.update(batch).expect("the device can be read");
        }
        for limit in [0, 7 * BATCH, DeviceMoments::PENDING] {
            let mut stream = DeviceMoments::new(5).with_limit(limit);
            for batch in &moments {
                stream.add(batch.clone()).expect("the device can be read");
            }
            assert_eq!(
                stream.read().expect("the device can be read"),
                host,
                "{limit} bytes on {backend}"
            );
        }

        let all = Points::concat(&batches);
        let unit = largest(&all.values).powi(2) * all.n as f64;
        assert_within(
            distance(host.scatter(), &exact(&all)) / unit,
            PRODUCT,
            format!("oracle on {backend}"),
        );

        let single = moments
            .iter()
            .map(|batch| batch.scatter.clone())
            .reduce(|sum, scatter| sum + scatter)
            .expect("batches");
        let lost = distance(&values(&single), host.scatter()) / largest(host.scatter());
        assert!(
            lost > 1e-9,
            "plain addition in f32 must lose what is tested here: {lost} on {backend}"
        );
    }
}

#[test]
fn batches_without_points_change_no_stream() {
    let points = batch(7, 1.0);
    for (backend, device) in devices() {
        let (some, nothing) = (
            Moments::from_points(points.tensor(&device)),
            Moments::from_points(Points::new(0, 5, vec![]).tensor(&device)),
        );
        let mut expected = RunningMoments::new(5);
        assert_eq!(
            DeviceMoments::new(5)
                .read()
                .expect("the device can be read"),
            expected,
            "on {backend}"
        );
        expected.update(&some).expect("the device can be read");
        let mut stream = DeviceMoments::new(5);
        for batch in [nothing.clone(), some, nothing] {
            stream.add(batch).expect("the device can be read");
        }
        assert_eq!(
            stream.read().expect("the device can be read"),
            expected,
            "on {backend}"
        );
    }
}

#[test]
fn double_precision_keeps_its_digits_batch_by_batch() {
    let points = cloud(200, 6);
    for (backend, device) in devices()
        .into_iter()
        .filter(|(_, device)| device.supports_dtype(DType::F64))
    {
        let mut stream = DeviceMoments::new(6);
        for rows in [0..120, 120..200] {
            let rows = points.tensor_of(&device, DType::F64).slice([rows]);
            stream
                .add(Moments::from_points(rows))
                .expect("the device can be read");
        }
        let products = largest(&points.values).powi(2) * 200.0;
        let read = stream.read().expect("the device can be read");
        assert_within(
            distance(read.scatter(), &exact(&points)) / products,
            DOUBLE,
            backend,
        );
    }
}
