//! Types, the precision and speed of products, and the gradient of an embedding.

use burn::prelude::*;
use burn::tensor::{DType, Distribution};
use serde_json::json;

use crate::{tell, timed};

pub fn run(device: &Device) {
    for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16, DType::I64] {
        tell(
            "probe",
            json!({ "dtype": format!("{dtype:?}"), "supported": device.supports_dtype(dtype) }),
        );
    }
    let dtypes = [DType::F32, DType::BF16, DType::F64];
    for dtype in dtypes
        .into_iter()
        .filter(|dtype| device.supports_dtype(*dtype))
    {
        for shape in [[64, 64, 64], [768, 4096, 768], [4096, 768, 3072]] {
            product(device, dtype, shape);
        }
    }
    gram(device);
    embedding_gradient(device);
}

fn product(device: &Device, dtype: DType, [m, k, n]: [usize; 3]) {
    // 1 + 2⁻¹²: exact in f32; TF32 and bf16 round it to 1.
    let excess = 2f64.powi(-12);
    let left = Tensor::<2>::ones([m, k], (device, dtype)) * (1.0 + excess);
    let right = Tensor::<2>::ones([k, n], (device, dtype));
    let random =
        |shape| Tensor::<2>::random(shape, Distribution::Normal(0.0, 1.0), (device, dtype));
    let (random_left, random_right) = (random([m, k]), random([k, n]));
    let (first, median) = timed(device, 20, || {
        random_left.clone().matmul(random_right.clone())
    });
    let corner = left
        .matmul(right)
        .narrow(0, 0, 1)
        .narrow(1, 0, 1)
        .cast(DType::F32);
    let found = corner.into_scalar::<f64>() / k as f64 - 1.0;
    tell(
        "probe",
        json!({ "product": [m, k, n], "dtype": format!("{dtype:?}"), "excess": found, "exact_excess": excess,
            "rounds_to_tf32_or_less": found.abs() < 1e-5, "first_ms": first, "ms": median,
            "tflops": 2.0 * (m * k * n) as f64 / median / 1e9 }),
    );
}

/// The product of the hook, with a transposed left side, beside f64 on the host.
fn gram(device: &Device) {
    const D: usize = 768;
    let rows = Tensor::<2>::random([4096, D], Distribution::Normal(0.5, 1.0), device);
    let found: Vec<f32> = rows
        .clone()
        .transpose()
        .matmul(rows.clone())
        .try_into_vec_as()
        .expect("the device can be read");
    let values: Vec<f32> = rows.try_into_vec_as().expect("the device can be read");
    let errors = (0..50).map(|at| (at * 7 % D, at * 131 % D)).map(|(i, j)| {
        let exact: f64 = values
            .chunks_exact(D)
            .map(|row| f64::from(row[i]) * f64::from(row[j]))
            .sum();
        (f64::from(found[i * D + j]) - exact).abs() / 4096.0
    });
    tell(
        "probe",
        json!({ "gram_error_over_n": errors.fold(0.0, f64::max) }),
    );
}

/// Burn 0.22's gradient of an embedding is one thread per column that visits all tokens.
fn embedding_gradient(device: &Device) {
    let device = device.clone().autodiff();
    for (vocabulary, rows, tokens) in [(30_522, 32, 128), (2, 32, 128)] {
        let table =
            Tensor::<2>::random([vocabulary, 768], Distribution::Normal(0.0, 0.02), &device)
                .require_grad();
        let ids: Vec<i32> = (0..rows * tokens)
            .map(|at| at * 7919 % vocabulary)
            .collect();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [rows, tokens]), &device);
        let weights =
            Tensor::<3>::random([rows, tokens, 768], Distribution::Normal(0.0, 1.0), &device);
        let look_up = || burn::tensor::module::embedding(table.clone(), ids.clone());
        let (first, both) = timed(&device, 10, || {
            let loss = (look_up() * weights.clone()).sum();
            table.grad(&loss.backward()).expect("the table is tracked")
        });
        let (_, forward) = timed(&device, 10, look_up);
        tell(
            "probe",
            json!({ "embedding": [vocabulary, rows, tokens], "first_ms": first, "forward_backward_ms": both, "forward_ms": forward }),
        );
    }
}
