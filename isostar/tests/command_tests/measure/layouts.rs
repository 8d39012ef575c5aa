//! The same points in every layout of an array, in blocks, masked, and in files of several tensors.

use burn::tensor::{bf16, f16};
use safetensors::Dtype;
use serde_json::json;

use super::files::{
    Folder, Oracle, SCATTER, assert_close, cloud, f32_bytes, measure, measure_one, npy,
    npy_of_header, safetensors,
};

#[test]
fn every_layout_of_an_array_holds_the_same_points() {
    let folder = Folder::new();
    let points: Vec<Vec<f64>> = cloud(24, 6)
        .into_iter()
        .map(|point| point.into_iter().map(|x| (x * 500.0).round()).collect())
        .collect();
    let oracle = Oracle::of(&points);
    let (rows, columns) = (
        || points.iter().flatten().copied(),
        || (0..6).flat_map(|column| points.iter().map(move |point| point[column])),
    );
    let c_order: Vec<f64> = rows().collect();
    let fortran_order: Vec<f64> = columns().collect();
    let bytes = |values: &[f64], encode: &dyn Fn(f64) -> Vec<u8>| {
        values
            .iter()
            .flat_map(|value| encode(*value))
            .collect::<Vec<u8>>()
    };

    let files = [
        (
            "C f8",
            npy(
                "<f8",
                false,
                &[24, 6],
                &bytes(&c_order, &|x| x.to_le_bytes().into()),
            ),
        ),
        (
            "Fortran f4",
            npy(
                "<f4",
                true,
                &[24, 6],
                &bytes(&fortran_order, &|x| (x as f32).to_le_bytes().into()),
            ),
        ),
        (
            "big-endian f8",
            npy(
                ">f8",
                false,
                &[24, 6],
                &bytes(&c_order, &|x| x.to_be_bytes().into()),
            ),
        ),
        (
            "big-endian Fortran f4",
            npy(
                ">f4",
                true,
                &[24, 6],
                &bytes(&fortran_order, &|x| (x as f32).to_be_bytes().into()),
            ),
        ),
        (
            "f2",
            npy(
                "<f2",
                false,
                &[24, 6],
                &bytes(&c_order, &|x| f16::from_f64(x).to_le_bytes().into()),
            ),
        ),
        (
            "i2",
            npy(
                "<i2",
                false,
                &[24, 6],
                &bytes(&c_order, &|x| (x as i16).to_le_bytes().into()),
            ),
        ),
        (
            "sequences",
            npy(
                "<f4",
                false,
                &[4, 6, 6],
                &bytes(&c_order, &|x| (x as f32).to_le_bytes().into()),
            ),
        ),
        (
            "Fortran sequences",
            npy(
                "<f4",
                true,
                &[4, 6, 6],
                &bytes(&fortran_order, &|x| (x as f32).to_le_bytes().into()),
            ),
        ),
    ];
    for (name, content) in files {
        let found = measure_one(&folder.write("array.npy", content), &[]);
        assert_eq!(
            (&found["points"], &found["dimension"]),
            (&json!(24), &json!(6)),
            "{name}"
        );
        oracle.assert_agrees(&found);
    }
    for version in [2, 3] {
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (24, 6)}";
        let content = npy_of_header(
            version,
            header,
            &bytes(&c_order, &|x| x.to_le_bytes().into()),
        );
        oracle.assert_agrees(&measure_one(&folder.write("version.npy", content), &[]));
    }
}

#[test]
fn blocks_are_merged_into_the_covariance_of_all() {
    // Two dimensions in blocks of 2²¹ rows; the second of the two has another mean.
    const POINTS: usize = (1 << 21) + 300_000;
    let folder = Folder::new();
    let value = |row: usize, column: usize| {
        ((row * (7 + 4 * column)) % 101 + if row > 1 << 21 { 64 } else { 0 }) as f64
    };
    let bytes: Vec<u8> = (0..POINTS)
        .flat_map(|row| [value(row, 0) as u8, value(row, 1) as u8])
        .collect();
    let found = measure_one(
        &folder.write("long.npy", npy("|u1", false, &[POINTS, 2], &bytes)),
        &[],
    );

    let mean =
        |column: usize| (0..POINTS).map(|row| value(row, column)).sum::<f64>() / POINTS as f64;
    let means = [mean(0), mean(1)];
    let entry = |i: usize, j: usize| {
        (0..POINTS)
            .map(|row| (value(row, i) - means[i]) * (value(row, j) - means[j]))
            .sum::<f64>()
    };
    let (xx, xy, yy) = (entry(0, 0), entry(0, 1), entry(1, 1));
    let expected = (xx + yy).powi(2) / (xx * xx + 2.0 * xy * xy + yy * yy) - 1.0;
    assert_eq!(found["points"], json!(POINTS));
    assert_close(&found, "isoscore", expected, SCATTER);
}

#[test]
fn masked_points_do_not_count() {
    let folder = Folder::new();
    let points: Vec<Vec<f64>> = cloud(24, 6)
        .into_iter()
        .map(|point| point.into_iter().map(|x| f64::from(x as f32)).collect())
        .collect();
    let counts = |row: usize| row % 3 != 1;
    let kept: Vec<Vec<f64>> = points
        .iter()
        .enumerate()
        .filter(|(row, _)| counts(*row))
        .map(|(_, point)| point.clone())
        .collect();
    let values = points.iter().enumerate().flat_map(|(row, point)| {
        point
            .iter()
            .map(move |x| if counts(row) { *x as f32 } else { f32::NAN })
    });
    let mask: Vec<u8> = (0..24).map(|row| counts(row).into()).collect();
    let states = f32_bytes(values);
    let tensors = |mask_name| {
        safetensors(&[
            ("layer.1", Dtype::F32, &[4, 6, 6], states.clone()),
            (mask_name, Dtype::BOOL, &[4, 6], mask.clone()),
        ])
    };
    let oracle = Oracle::of(&kept);

    let by_default = measure_one(&folder.write("default.safetensors", tensors("mask")), &[]);
    assert_eq!(
        (&by_default["tensor"], &by_default["points"]),
        (&json!("layer.1"), &json!(16))
    );
    oracle.assert_agrees(&by_default);
    let by_name = measure_one(
        &folder.write("named.safetensors", tensors("attention")),
        &["--mask", "attention"],
    );
    oracle.assert_agrees(&by_name);
}

#[test]
fn every_floating_point_tensor_of_a_file_is_measured_or_the_one_named() {
    let folder = Folder::new();
    let points = cloud(24, 6);
    let half: Vec<Vec<f64>> = points
        .iter()
        .map(|point| point.iter().map(|x| bf16::from_f64(*x).to_f64()).collect())
        .collect();
    let bytes = |encode: &dyn Fn(f64) -> Vec<u8>| {
        points
            .iter()
            .flatten()
            .flat_map(|x| encode(*x))
            .collect::<Vec<u8>>()
    };
    let path = folder.write(
        "tensors.safetensors",
        safetensors(&[
            (
                "double",
                Dtype::F64,
                &[24, 6],
                bytes(&|x| x.to_le_bytes().into()),
            ),
            (
                "half",
                Dtype::BF16,
                &[24, 6],
                bytes(&|x| bf16::from_f64(x).to_le_bytes().into()),
            ),
            ("ids", Dtype::I64, &[2, 2], vec![0; 32]),
            ("bias", Dtype::F32, &[3], vec![0; 12]),
        ]),
    );
    let found = measure(&path, &[]);
    assert_eq!(
        found
            .iter()
            .map(|line| line["tensor"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["double", "half"]
    );
    Oracle::of(&points).assert_agrees(&found[0]);
    Oracle::of(&half).assert_agrees(&found[1]);
    assert_eq!(measure_one(&path, &["--tensor", "half"]), found[1]);
}
