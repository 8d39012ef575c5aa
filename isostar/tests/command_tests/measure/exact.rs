//! The numbers are right, whatever the file's type, order, scale and size.

use burn::tensor::{bf16, f16};
use isostar_core::measure::{MEASURES, Needs};
use safetensors::Dtype;
use serde_json::json;

use super::files::{
    DIRECTIONS, Folder, Oracle, SCATTER, assert_close, cloud, f32_bytes, isostar, measure,
    measure_one, npy, npy_of_header, safetensors,
};

#[test]
fn every_key_of_the_contract_is_there_and_right() {
    let folder = Folder::new();
    let points = cloud(24, 6);
    let path = folder.write_rows("points.npy", &points);
    let found = measure_one(&path, &[]);
    let mut keys: Vec<&str> = found
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let contract = "file tensor points dimension isoscore isoscore_unbiased isoscore_interval mean_cosine cosreg partition effective_rank \
        participation_ratio explained_variance sample twonn twonn_ml mle outlier_dimensions";
    // The keys that there have always been, and every measure that has joined the table.
    let measures = MEASURES
        .iter()
        .filter(|measure| measure.needs != Needs::Reference)
        .map(|measure| measure.name);
    let mut contract: Vec<&str> = contract.split_whitespace().chain(measures).collect();
    keys.sort();
    contract.sort();
    contract.dedup();
    assert_eq!(keys, contract);
    assert!(
        found.get("isoscore_star").is_none(),
        "only with --reference: {found}"
    );
    assert_eq!(found["file"], json!(path.to_str().unwrap()));
    assert_eq!(
        (&found["tensor"], &found["points"], &found["dimension"]),
        (&json!(null), &json!(24), &json!(6))
    );
    Oracle::of(&points).assert_agrees(&found);
}

#[test]
fn the_table_lists_every_measure_by_its_title() {
    let folder = Folder::new();
    let path = folder.write_rows("points.npy", &cloud(24, 6));
    let stdout = isostar(["measure"])
        .arg(&path)
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    let table = String::from_utf8(stdout).unwrap();
    for measure in MEASURES {
        let listed = table
            .lines()
            .filter(|line| line.starts_with(&format!("{}  ", measure.title)))
            .count();
        assert_eq!(
            listed,
            usize::from(measure.needs != Needs::Reference),
            "{} in {table}",
            measure.title
        );
    }
}

#[test]
fn what_follows_from_moments_can_be_had_alone() {
    let folder = Folder::new();
    let path = folder.write_rows("points.npy", &cloud(50, 6));
    let (mut all, alone) = (measure_one(&path, &[]), measure_one(&path, &["--moments"]));
    for name in ["partition", "twonn", "twonn_ml", "mle"] {
        assert!(all[name].is_f64(), "{name} in {all}");
        all[name] = json!(null);
    }
    assert_eq!(alone, all);
    let refused = isostar(["measure", "--moments", "--sample", "10"])
        .arg(&path)
        .assert()
        .code(2)
        .get_output()
        .clone();
    assert!(
        String::from_utf8(refused.stderr)
            .unwrap()
            .contains("--moments")
    );
}

#[test]
fn points_of_any_size_have_the_same_scores() {
    let folder = Folder::new();
    let points = cloud(24, 6);
    let oracle = Oracle::of(&points);
    for factor in [1e-300, 1e-200, 1e-30, 1e30, 1e200, 1e299] {
        let scaled: Vec<Vec<f64>> = points
            .iter()
            .map(|point| point.iter().map(|x| x * factor).collect())
            .collect();
        oracle.assert_agrees(&measure_one(&folder.write_rows("scaled.npy", &scaled), &[]));
    }
}

#[test]
fn a_mean_far_from_zero_costs_no_digits() {
    let folder = Folder::new();
    // Whole numbers, which 1e8 leaves exact; their cosines are another matter.
    let points: Vec<Vec<f64>> = cloud(24, 6)
        .into_iter()
        .map(|point| point.into_iter().map(|x| (x * 1000.0).round()).collect())
        .collect();
    let far: Vec<Vec<f64>> = points
        .iter()
        .map(|point| point.iter().map(|x| x + 1e8).collect())
        .collect();
    let oracle = Oracle::of(&points);
    let found = measure_one(&folder.write_rows("far.npy", &far), &[]);
    assert_close(&found, "isoscore", oracle.isoscore, SCATTER);
    assert_close(
        &found,
        "isoscore_unbiased",
        oracle.isoscore_unbiased,
        SCATTER,
    );
    assert_close(
        &found,
        "mean_cosine",
        Oracle::of(&far).mean_cosine,
        DIRECTIONS,
    );
}

#[test]
fn dimensions_may_differ_by_orders_of_magnitude() {
    let folder = Folder::new();
    let stretch = |point: Vec<f64>| {
        point
            .iter()
            .enumerate()
            .map(|(column, x)| x * 10f64.powi(-4 * column as i32))
            .collect()
    };
    let points: Vec<Vec<f64>> = cloud(24, 3).into_iter().map(stretch).collect();
    let oracle = Oracle::of(&points);
    assert!(oracle.isoscore < 1e-8, "{}", oracle.isoscore);
    assert_close(
        &measure_one(&folder.write_rows("stretched.npy", &points), &[]),
        "isoscore",
        oracle.isoscore,
        SCATTER,
    );
}

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

#[test]
fn the_table_has_a_column_a_file_and_a_row_a_measure() {
    let folder = Folder::new();
    let (few, many) = (
        folder.write_rows("few.npy", &cloud(24, 6)),
        folder.write_rows("many.npy", &cloud(48, 6)),
    );
    let output = isostar(["measure"])
        .arg(few)
        .arg(many)
        .assert()
        .success()
        .get_output()
        .clone();
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |name: &str| {
        text.lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("{name} in {text}"))
    };
    assert!(
        row("file").contains("few.npy") && row("file").ends_with("many.npy"),
        "{text}"
    );
    assert_eq!(
        row("points").split_whitespace().collect::<Vec<_>>(),
        ["points", "24", "48"]
    );
    assert!(
        !text.contains("IsoScore*") && !text.contains("tensor"),
        "{text}"
    );
    assert!(
        output.stderr.is_empty(),
        "no bar where stderr is no terminal"
    );
}
