//! Shared test helpers: devices, golden files, reproducible points and an oracle in f64.
#![allow(dead_code, reason = "no test binary uses all of it")]

pub mod oracle;

use burn::prelude::*;
use burn::tensor::DType;
use faer::Mat;
use serde_json::Value;

/// The devices available to this build of the tests.
pub fn devices() -> Vec<(&'static str, Device)> {
    #[allow(
        deprecated,
        reason = "the second implementation of every operation, for as long as Burn ships it"
    )]
    let ndarray = Device::ndarray();
    vec![
        ("flex", Device::flex()),
        ("ndarray", ndarray),
        #[cfg(feature = "wgpu")]
        (
            "wgpu",
            Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        ),
    ]
}

/// The devices with the half-precision types that each supports.
pub fn half_precisions() -> Vec<(&'static str, Device, DType)> {
    let pairs = devices().into_iter().flat_map(|(backend, device)| {
        [DType::F16, DType::BF16].map(|dtype| (backend, device.clone(), dtype))
    });
    let supported = pairs.filter(|(backend, device, dtype)| {
        let supports = device.supports_dtype(*dtype);
        if !supports {
            println!("skipped: {backend} has no {dtype:?}");
        }
        supports
    });
    supported.collect()
}

/// A golden file, written by `scripts/golden_isoscore.py` with the authors' code, or by the script
/// that its `meta` names.
pub fn golden(name: &str) -> Value {
    let path = format!("{}/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All numbers of a nested JSON array in reading order; `None` for null.
pub fn numbers(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Null => None,
        Value::Number(number) => Some(vec![number.as_f64().expect("a JSON number is an f64")]),
        Value::Array(items) => Some(
            items
                .iter()
                .flat_map(|item| numbers(item).expect("no null inside an array"))
                .collect(),
        ),
        other => panic!("neither a number nor an array: {other}"),
    }
}

/// Points in f64. The tensors made of them are f32, so every value must be exact in f32 if an
/// oracle also reads it.
#[derive(Clone, Debug)]
pub struct Points {
    pub n: usize,
    pub d: usize,
    pub values: Vec<f64>,
}

impl Points {
    pub fn new(n: usize, d: usize, values: Vec<f64>) -> Self {
        assert_eq!(values.len(), n * d);
        Self { n, d, values }
    }

    pub fn from_json(value: &Value) -> Self {
        let rows = value.as_array().expect("an array of rows");
        let values = numbers(value).expect("an array of rows");
        Self::new(
            rows.len(),
            values.len().checked_div(rows.len()).unwrap_or(0),
            values,
        )
    }

    /// Points with the values `f(row, column)`, rounded to f32.
    pub fn from_fn(n: usize, d: usize, mut f: impl FnMut(usize, usize) -> f64) -> Self {
        let values = (0..n * d)
            .map(|at| f(at / d, at % d) as f32 as f64)
            .collect();
        Self { n, d, values }
    }

    /// Points with standard normal coordinates, rounded to f32.
    pub fn gaussian(n: usize, d: usize, seed: u64) -> Self {
        let mut normal = Normal::new(seed);
        Self::from_fn(n, d, |_, _| normal.draw())
    }

    /// Maps each value by `f(column, value)`, rounded to f32.
    pub fn map(&self, f: impl Fn(usize, f64) -> f64) -> Self {
        Self::from_fn(self.n, self.d, |row, column| {
            f(column, self.values[row * self.d + column])
        })
    }

    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.d..][..self.d]
    }

    /// The rows for which `keep` is true.
    pub fn filter(&self, keep: impl Fn(usize) -> bool) -> Self {
        let rows: Vec<usize> = (0..self.n).filter(|&row| keep(row)).collect();
        Self::new(
            rows.len(),
            self.d,
            rows.iter()
                .flat_map(|&row| self.row(row).to_vec())
                .collect(),
        )
    }

    /// The rows of all `parts`, concatenated.
    pub fn concat(parts: &[Points]) -> Self {
        let d = parts[0].d;
        let values: Vec<f64> = parts.iter().flat_map(|part| part.values.clone()).collect();
        Self::new(values.len() / d, d, values)
    }

    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        self.tensor_of(device, DType::F32)
    }

    pub fn tensor_of(&self, device: &Device, dtype: DType) -> Tensor<2> {
        Tensor::from_data(
            TensorData::new(self.values.clone(), [self.n, self.d]).convert_dtype(dtype),
            (device, dtype),
        )
    }
}

/// A random rotation, the orthogonal factor of a Gaussian matrix.
fn rotation(d: usize, seed: u64) -> Mat<f64> {
    let mut normal = Normal::new(seed);
    Mat::from_fn(d, d, |_, _| normal.draw()).qr().compute_Q()
}

/// The points, rotated by a random rotation.
pub fn rotated(points: &Points, seed: u64) -> Points {
    let rotation = rotation(points.d, seed);
    Points::from_fn(points.n, points.d, |row, column| {
        (0..points.d)
            .map(|at| points.row(row)[at] * rotation[(at, column)])
            .sum()
    })
}

/// The numbers of a tensor, in f64.
pub fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.try_to_vec_as().expect("the device can be read")
}

/// The single number of a tensor.
pub fn scalar(tensor: Tensor<1>) -> f64 {
    assert_eq!(tensor.dims(), [1], "a measure is a tensor of shape [1]");
    tensor.into_scalar()
}

/// Value and gradient of `measure` at `points`.
pub fn differentiate(
    points: &Points,
    device: &Device,
    measure: impl Fn(Tensor<2>) -> Tensor<1>,
) -> (f64, Vec<f64>) {
    differentiate_tensor(points.tensor(&device.clone().autodiff()), measure)
}

/// Value and gradient of `measure` at a tensor on an autodiff device.
pub fn differentiate_tensor<const D: usize>(
    input: Tensor<D>,
    measure: impl Fn(Tensor<D>) -> Tensor<1>,
) -> (f64, Vec<f64>) {
    let input = input.require_grad();
    let value = measure(input.clone());
    let gradients = value.backward();
    let gradient = input
        .grad(&gradients)
        .expect("the measure depends on its input");
    assert_eq!(gradient.dims(), input.dims());
    (scalar(value), values(&gradient))
}

/// The largest magnitude; NaN if a value is NaN.
pub fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest: f64, value| {
        if value.is_nan() || largest.is_nan() {
            f64::NAN
        } else {
            largest.max(value.abs())
        }
    })
}

/// The largest difference; NaN if a value is NaN.
pub fn distance(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    largest(
        &ours
            .iter()
            .zip(theirs)
            .map(|(ours, theirs)| ours - theirs)
            .collect::<Vec<_>>(),
    )
}

/// Panics unless `difference` ≤ `tolerance`; NaN panics. Prints the difference if ISOSTAR_MEASURE
/// is set.
#[track_caller]
pub fn assert_within(difference: f64, tolerance: f64, what: impl std::fmt::Display) {
    if std::env::var_os("ISOSTAR_MEASURE").is_some() {
        println!("measured {difference:9.2e} of {tolerance:9.2e}  {what}");
    }
    assert!(
        difference <= tolerance,
        "{what}: off by {difference:e}, allowed {tolerance:e}"
    );
}

/// Generates standard normal numbers, the same on every machine, by SplitMix64 and Box–Muller.
pub struct Normal {
    state: u64,
}

impl Normal {
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0xD134_2543_DE82_EF95),
        }
    }

    /// A uniform number in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        ((mixed >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub fn draw(&mut self) -> f64 {
        let (radius, angle) = (self.uniform(), self.uniform());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}
