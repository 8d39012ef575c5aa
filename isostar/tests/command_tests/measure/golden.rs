//! Agreement with the authors' code and scikit-learn, through files.

use isostar_core::measure::{MEASURES, Needs};
use serde_json::{Value, json};

use super::files::{DIRECTIONS, Folder, SCATTER, assert_close, cloud, isostar, measure_one};

/// For points on a line, whose score is 0: what f32 rounding leaves. Largest observed: 2e-9.
const NOTHING: f64 = 1e-8;

fn golden(name: &str) -> Value {
    let path = format!(
        "{}/../isostar-core/tests/golden/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    let row = |row: &Value| {
        row.as_array()
            .unwrap()
            .iter()
            .map(|number| number.as_f64().unwrap())
            .collect()
    };
    value.as_array().unwrap().iter().map(row).collect()
}

fn assert_score(found: &Value, name: &str, expected: f64) {
    match expected < NOTHING {
        true => assert!(found[name].as_f64().unwrap() < NOTHING, "{name} in {found}"),
        false => assert_close(found, name, expected, SCATTER),
    }
}

#[test]
fn isoscore_and_isoscore_star_are_those_of_the_authors() {
    let folder = Folder::new();
    let mut compared = 0;
    for case in golden("isoscore")["cases"].as_array().unwrap() {
        let Some(isoscore) = case["isoscore"].as_f64() else {
            continue;
        };
        let points = folder.write_rows("points.npy", &rows(&case["points"]));
        let width = case["d"].as_u64().unwrap() as usize;
        let reference = match &case["c0"] {
            Value::String(_) => (0..width)
                .map(|row| (0..width).map(|column| f64::from(row == column)).collect())
                .collect(),
            matrix => rows(matrix),
        };
        let reference = folder.write_rows("reference.npy", &reference);
        for star in case["star"].as_array().unwrap() {
            let weight = star["zeta"].as_f64().unwrap().to_string();
            let found = measure_one(
                &points,
                &[
                    "--reference",
                    reference.to_str().unwrap(),
                    "--shrinkage",
                    &weight,
                ],
            );
            assert_score(&found, "isoscore", isoscore);
            assert_score(
                &found,
                "isoscore_star",
                star["isoscore_star"].as_f64().unwrap(),
            );
            compared += 1;
        }
    }
    assert!(compared >= 20, "{compared} scores were compared");
}

#[test]
fn cosines_are_those_of_the_authors_and_of_scikit_learn() {
    let folder = Folder::new();
    let mut compared = 0;
    for case in golden("cosine")["cases"].as_array().unwrap() {
        let points = rows(&case["points"]);
        // Identical rows have cosines, but no isotropy.
        if points.iter().all(|point| *point == points[0]) {
            continue;
        }
        let found = measure_one(&folder.write_rows("points.npy", &points), &[]);
        assert_close(
            &found,
            "mean_cosine",
            case["mean_cosine_distinct_pairs"].as_f64().unwrap(),
            DIRECTIONS,
        );
        if let Some(cosreg) = case["cosreg"].as_f64() {
            assert_close(&found, "cosreg", cosreg, DIRECTIONS);
        }
        compared += 1;
    }
    assert!(compared >= 4, "{compared} clouds were compared");
}

/// Proportional difference of values from f32 products and from float64; 2e-7 at most was measured.
const MEASURED: f64 = 1e-5;

#[test]
fn every_measure_of_a_file_has_the_value_of_its_definition() {
    let folder = Folder::new();
    for case in golden("measures")["cases"].as_array().unwrap() {
        let found = measure_one(
            &folder.write_rows("points.npy", &rows(&case["points"])),
            &[],
        );
        for measure in MEASURES
            .iter()
            .filter(|measure| measure.needs != Needs::Reference)
        {
            let value = match &found[measure.name] {
                Value::Object(explained) => explained["components"].as_f64().unwrap(),
                Value::Array(outliers) => outliers.len() as f64,
                value => value.as_f64().unwrap(),
            };
            let expected = case["measures"][measure.name].as_f64().unwrap();
            let difference = (value - expected).abs() / (1e-3 + expected.abs());
            assert!(
                difference <= MEASURED,
                "{} of {}: {value} and {expected}, off by {difference:e}",
                measure.name,
                case["name"]
            );
        }
    }
}

#[test]
fn points_are_a_reference_too_and_it_is_said_what_was_assumed() {
    let folder = Folder::new();
    let points = folder.write_rows("points.npy", &cloud(24, 6));
    let reference = folder.write_rows("reference.npy", &cloud(6, 6));
    let arguments = ["--reference", reference.to_str().unwrap(), "--shrinkage"];
    let star = |weight: &str| {
        measure_one(&points, &[&arguments[..], &[weight]].concat())["isoscore_star"]
            .as_f64()
            .unwrap()
    };
    assert_eq!(
        json!(star("0")),
        measure_one(&points, &[])["isoscore"],
        "the points alone"
    );
    assert_eq!(
        json!(star("1")),
        measure_one(&reference, &[])["isoscore"],
        "the reference alone"
    );

    let output = isostar(["measure"])
        .arg(&points)
        .args(arguments)
        .arg("0.5")
        .assert()
        .success()
        .get_output()
        .clone();
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .ends_with("taken as points of width 6\n"),
        "square, but not symmetric"
    );
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("IsoScore*")
    );
}

#[test]
fn a_reference_of_other_magnitude_weighs_by_its_variance() {
    let folder = Folder::new();
    let tiny = |factor: f64| {
        cloud(24, 6)
            .into_iter()
            .map(|point| point.into_iter().map(|x| x * factor).collect())
            .collect::<Vec<_>>()
    };
    let points = folder.write_rows("points.npy", &tiny(1e-200));
    let reference = folder.write_rows("reference.npy", &tiny(1e-200)[..12]);
    let (larger_points, larger_reference) = (
        folder.write_rows("larger.npy", &tiny(1.0)),
        folder.write_rows("other.npy", &tiny(1.0)[..12]),
    );
    let star = |points, reference: &std::path::Path| {
        measure_one(
            points,
            &[
                "--reference",
                reference.to_str().unwrap(),
                "--shrinkage",
                "0.3",
            ],
        )
    };
    let expected = star(&larger_points, &larger_reference)["isoscore_star"]
        .as_f64()
        .unwrap();
    assert_close(
        &star(&points, &reference),
        "isoscore_star",
        expected,
        SCATTER,
    );
}
