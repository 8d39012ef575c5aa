//! The same points in every format, against what NumPy, SciPy and scikit-dimension say of them.

use std::path::{Path, PathBuf};

use safetensors::Dtype;
use serde_json::{Value, json};

use super::files::{
    DIRECTIONS, Folder, SCATTER, assert_close, f32_bytes, measure, measure_one, safetensors,
};
use super::refused::cause_of;

/// Of the expected number: logarithms of sums of exponentials of f32 projections, up to 60. Largest difference observed: 6.7e-8.
const EXPONENTIALS: f64 = 1e-6;
/// Of the expected number: eigenvalues of an f32 scatter. Largest difference observed: 3.9e-9.
const EIGENVALUES: f64 = 1e-7;
/// Of the expected number: distances between deviations that were rounded to f32 once. Largest difference observed: 4.2e-8.
const DISTANCES: f64 = 1e-6;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../isostar-measure/tests/fixtures/formats")
        .join(name)
}

fn expected(of: &str) -> Value {
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()[of].clone()
}

fn number(value: &Value, name: &str) -> f64 {
    value[name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name} in {value}"))
}

fn assert_agrees(found: &Value, expected: &Value) {
    for (names, tolerance) in [
        (&["isoscore"][..], SCATTER),
        (&["mean_cosine", "cosreg"], DIRECTIONS),
        (&["partition"], EXPONENTIALS),
        (&["effective_rank", "participation_ratio"], EIGENVALUES),
        (&["twonn", "twonn_ml", "mle"], DISTANCES),
    ] {
        for name in names {
            assert_close(found, name, number(expected, name), tolerance);
        }
    }
    for name in ["points", "dimension"] {
        assert_eq!(found[name], expected[name], "{name}");
    }
    let (few, expected_few) = (
        &found["explained_variance"],
        &expected["explained_variance"],
    );
    assert_eq!(few["components"], expected_few["components"]);
    assert_close(few, "share", number(expected_few, "share"), EIGENVALUES);
    let (outliers, expected_outliers) = (
        found["outlier_dimensions"].as_array().unwrap(),
        expected["outlier_dimensions"].as_array().unwrap(),
    );
    assert_eq!(outliers.len(), expected_outliers.len(), "{outliers:?}");
    for (outlier, expected) in outliers.iter().zip(expected_outliers) {
        assert_eq!(outlier["dimension"], expected["dimension"]);
        assert_close(outlier, "mean", number(expected, "mean"), DIRECTIONS);
        assert_close(outlier, "std", number(expected, "std"), SCATTER);
    }
    let interval: Vec<f64> = found["isoscore_interval"]
        .as_array()
        .unwrap()
        .iter()
        .map(|end| end.as_f64().unwrap())
        .collect();
    assert!(
        matches!(interval[..], [low, high] if 0.0 <= low && low < high && high <= 1.0),
        "{interval:?}"
    );
    assert_eq!(found["sample"], json!(null), "of all points");
}

#[test]
fn arrays_of_an_archive_are_measured_under_their_names() {
    let expected = expected("all");
    for name in ["stored.npz", "deflated.npz"] {
        let found = measure(&fixture(name), &[]);
        assert_eq!(
            found
                .iter()
                .map(|line| line["tensor"].as_str().unwrap())
                .collect::<Vec<_>>(),
            ["points", "more"],
            "{name}"
        );
        found
            .iter()
            .for_each(|found| assert_agrees(found, &expected));
        assert_eq!(measure_one(&fixture(name), &["--tensor", "more"]), found[1]);
    }
}

#[test]
fn columns_of_lists_are_measured_a_point_a_row() {
    let expected = expected("all");
    for name in ["half", "single", "fixed", "double", "gzip", "brotli"] {
        let found = measure_one(&fixture(&format!("{name}.parquet")), &[]);
        assert_eq!(found["tensor"], json!("embedding"));
        assert_agrees(&found, &expected);
    }
    let path = fixture("single.parquet");
    let refused = |tensor| cause_of(&["measure", path.to_str().unwrap(), "--tensor", tensor]);
    assert!(
        refused("norm").contains("shape [72] is neither [points, dimension]"),
        "{}",
        refused("norm")
    );
    assert!(
        refused("text").ends_with(r#"tensor "text": elements of type String (text) are not supported; tensors of numbers: "embedding""#),
        "{}",
        refused("text")
    );
    assert!(
        refused("x")
            .ends_with(r#"there is no tensor "x"; it holds "id", "text", "norm", "embedding""#),
        "{}",
        refused("x")
    );
}

#[test]
fn columns_of_single_numbers_are_dimensions() {
    assert_agrees(
        &measure_one(&fixture("table.parquet"), &[]),
        &expected("all"),
    );
}

#[test]
fn lists_of_integers_are_measured_where_they_are_asked_for() {
    let (found, expected) = (
        measure_one(&fixture("integers.parquet"), &["--tensor", "embedding"]),
        expected("all"),
    );
    // The points times 32, on whose size these do not depend.
    for (name, tolerance) in [
        ("isoscore", SCATTER),
        ("mean_cosine", DIRECTIONS),
        ("effective_rank", EIGENVALUES),
        ("mle", DISTANCES),
    ] {
        assert_close(&found, name, number(&expected, name), tolerance);
    }
}

#[test]
fn masks_are_members_or_files_of_their_own() {
    let expected = expected("masked");
    for name in ["masked.npz", "masked_fortran.npz"] {
        assert_agrees(&measure_one(&fixture(name), &[]), &expected);
    }
    let mask = fixture("mask.npy");
    assert_agrees(
        &measure_one(&fixture("states.npy"), &["--mask", mask.to_str().unwrap()]),
        &expected,
    );

    // A column of single numbers, all of them positive.
    assert_agrees(
        &measure_one(&fixture("single.parquet"), &["--mask", "norm"]),
        &self::expected("all"),
    );

    let path = fixture("states.npy");
    let refused = |mask: &Path| {
        cause_of(&[
            "measure",
            path.to_str().unwrap(),
            "--mask",
            mask.to_str().unwrap(),
        ])
    };
    assert!(refused(&fixture("no.npy")).ends_with("no.npy: no such file or folder"));
    assert!(
        refused(&fixture("masked.npz"))
            .ends_with("masked.npz: not an .npy file; the mask of an .npy file must be one")
    );
    assert!(
        refused(&path).contains("states.npy\" has shape [9, 8, 12], but these points need [9, 8]")
    );
}

#[test]
fn what_follows_from_moments_is_the_same_of_files_that_are_read_once() {
    let names = [
        "stored.npz",
        "deflated.npz",
        "masked.npz",
        "masked_fortran.npz",
        "half.parquet",
        "double.parquet",
        "states.npy",
    ];
    let folder = Folder::new();
    let states = f32_bytes((0..10 * 40 * 3).map(|at| (at * at % 1013) as f32));
    // One token in five, so far apart that the others between them are not copied with them.
    let mask: Vec<u8> = (0..10 * 40).map(|at| u8::from(at % 5 == 1)).collect();
    let sparse = [
        ("states", Dtype::F32, &[10, 40, 3][..], states),
        ("mask", Dtype::BOOL, &[10, 40], mask),
    ];
    let sparse = folder.write("sparse.safetensors", safetensors(&sparse));
    for path in names.into_iter().map(fixture).chain([sparse]) {
        let (once, again) = (measure(&path, &["--moments"]), measure(&path, &[]));
        assert_eq!(once.len(), again.len());
        for (once, mut again) in once.into_iter().zip(again) {
            for name in ["partition", "twonn", "twonn_ml", "mle"] {
                again[name] = json!(null);
            }
            assert_eq!(once, again, "{}", path.display());
        }
    }
}

#[test]
fn the_measures_of_neighbours_may_take_a_sample() {
    let path = fixture("stored.npz");
    let sample =
        |arguments: &[&str]| measure_one(&path, &[&["--tensor", "points"], arguments].concat());
    let (all, some) = (sample(&[]), sample(&["--sample", "40"]));
    assert_eq!((&some["points"], &some["sample"]), (&json!(72), &json!(40)));
    for name in [
        "isoscore",
        "partition",
        "effective_rank",
        "outlier_dimensions",
    ] {
        assert_eq!(some[name], all[name], "{name} is of all points");
    }
    for name in ["twonn", "twonn_ml", "mle"] {
        assert_ne!(some[name], all[name]);
        assert_ne!(sample(&["--sample", "40", "--seed", "1"])[name], some[name]);
    }
    assert_eq!(sample(&["--sample", "40", "--seed", "0"]), some);
    assert_eq!(
        sample(&["--sample", "1000"]),
        all,
        "all points where there are no more"
    );
}
