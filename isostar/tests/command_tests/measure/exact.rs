//! The numbers are right, whatever the file's type, order, scale and size.

use isostar_core::measure::{MEASURES, Needs};
use serde_json::json;

use super::files::{
    DIRECTIONS, Folder, Oracle, SCATTER, assert_close, cloud, isostar, measure_one,
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
