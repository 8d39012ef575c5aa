//! Parquet files: tables of a column for each dimension.

use std::path::PathBuf;

use serde_json::json;

use super::columns::{Column, ROWS, Values, WIDTH, integers, lists, parquet, scores, single};
use super::files::{
    DIRECTIONS, Folder, SCATTER, assert_close, cloud, measure_and_notes, measure_one,
};
use super::refused::cause_and_remedy;

/// A table of four columns of floats of two types, among them an id, a text, a flag and an index of pandas.
fn table(folder: &Folder) -> (PathBuf, Vec<Vec<f64>>) {
    let points: Vec<Vec<f64>> = cloud(ROWS, WIDTH)
        .iter()
        .map(|row| row.iter().map(|x| f64::from(*x as f32)).collect())
        .collect();
    let dimension = |column: usize| points.iter().map(|row| row[column]).collect::<Vec<f64>>();
    let singles =
        |column: usize| Values::Float(dimension(column).into_iter().map(|x| x as f32).collect());
    let columns = [
        single("id", Values::Int64((0..ROWS as i64).collect())),
        single("x0", singles(0)),
        single("text", Values::Text(vec!["a row"; ROWS])),
        single("x1", Values::Double(dimension(1))),
        single("x2", singles(2)),
        single(
            "kept",
            Values::Bool((0..ROWS).map(|row| row % 3 != 1).collect()),
        ),
        single("x3", singles(3)),
        single(
            "__index_level_0__",
            Values::Double((0..ROWS).map(|row| row as f64).collect()),
        ),
    ];
    (folder.write("table.parquet", parquet(&columns)), points)
}

#[test]
fn the_floating_point_columns_of_a_table_are_measured_as_one_matrix_and_it_is_said() {
    let folder = Folder::new();
    let (path, points) = table(&folder);
    let (found, notes) = measure_and_notes(&path, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    let expected = measure_one(&folder.write_rows("points.npy", &points), &[]);
    assert_eq!(
        (&found[0]["tensor"], &found[0]["dimension"]),
        (&json!(null), &json!(WIDTH))
    );
    assert_eq!(scores(found[0].clone()), scores(expected.clone()));
    let said = "the 4 floating-point columns are used as the dimensions of the points; unused: \"id\" (INT64 [30]), \
        \"text\" (String [30]), \"kept\" (BOOLEAN [30]), \"__index_level_0__\" (DOUBLE [30])\n";
    assert_eq!(notes, format!("{}: {said}", path.display()));

    // As a reference, and as points of which a column says which count.
    let reference = ["--reference", path.to_str().unwrap(), "--shrinkage", "1"];
    let star = measure_one(&folder.write_rows("points.npy", &points), &reference);
    assert_close(
        &star,
        "isoscore_star",
        expected["isoscore"].as_f64().unwrap(),
        SCATTER,
    );
    let kept: Vec<Vec<f64>> = points
        .into_iter()
        .enumerate()
        .filter(|(row, _)| row % 3 != 1)
        .map(|(_, row)| row)
        .collect();
    let expected = measure_one(&folder.write_rows("kept.npy", &kept), &[]);
    let found = measure_one(&path, &["--mask", "kept"]);
    assert_eq!(found["points"], json!(kept.len()));
    assert_close(
        &found,
        "isoscore",
        expected["isoscore"].as_f64().unwrap(),
        SCATTER,
    );
    assert_close(
        &found,
        "mean_cosine",
        expected["mean_cosine"].as_f64().unwrap(),
        DIRECTIONS,
    );
}

#[test]
fn one_column_of_a_table_is_no_points_and_the_remedy_works() {
    let folder = Folder::new();
    let (path, _) = table(&folder);
    let (cause, remedy) = cause_and_remedy(&["measure", path.to_str().unwrap(), "--tensor", "x1"]);
    assert!(cause.ends_with(r#"tensor "x1": the column holds one number per row, which is one dimension of the points"#), "{cause}");
    assert_eq!(
        remedy,
        "omit --tensor to measure all 4 floating-point columns together"
    );
}

#[test]
fn a_table_beside_a_column_of_lists_is_no_points() {
    let folder = Folder::new();
    let numbers = Values::Int32(integers().into_iter().map(|x| x as i32).collect());
    let columns = [
        lists("int32 element (INTEGER(8,true))", WIDTH, numbers, None),
        single(
            "score",
            Values::Float((0..ROWS).map(|row| row as f32).collect()),
        ),
        single(
            "norm",
            Values::Float((0..ROWS).map(|row| (row * row % 7) as f32).collect()),
        ),
    ];
    let path = folder.write("scores.parquet", parquet(&columns));
    let (cause, remedy) = cause_and_remedy(&["measure", path.to_str().unwrap()]);
    assert!(
        cause.contains("holds no floating-point tensor of two or three dimensions"),
        "{cause}"
    );
    assert_eq!(remedy, r#"choose with --tensor: "emb""#);
}

#[test]
fn a_table_of_integers_is_not_taken_for_points() {
    let folder = Folder::new();
    let columns = [
        single("id", Values::Int64((0..ROWS as i64).collect())),
        single(
            "label",
            Values::Int32((0..ROWS as i32).map(|row| row % 2).collect()),
        ),
        single(
            "score",
            Values::Float((0..ROWS).map(|row| row as f32).collect()),
        ),
    ];
    let path = folder.write("labels.parquet", parquet(&columns));
    let (cause, remedy) = cause_and_remedy(&["measure", path.to_str().unwrap()]);
    assert!(
        cause
            .ends_with(r#"it holds "id" (INT64 [30]), "label" (INT32 [30]), "score" (FLOAT [30])"#),
        "{cause}"
    );
    assert_eq!(
        remedy,
        "save points as floats: an array [points, dimension]; in Parquet, a column of lists or one column per dimension"
    );
}

#[test]
fn a_null_in_a_table_is_named_with_its_column_and_row() {
    let folder = Folder::new();
    let values =
        |rows: usize| Values::Float((0..rows).map(|row| (row * row % 11) as f32).collect());
    let mut definitions = vec![1; ROWS];
    definitions[12] = 0;
    let hole = Column {
        schema: "optional float x1;".into(),
        values: values(ROWS - 1),
        levels: Some((definitions, Vec::new())),
    };
    let path = folder.write("hole.parquet", parquet(&[single("x0", values(ROWS)), hole]));
    let (cause, _) = cause_and_remedy(&["measure", path.to_str().unwrap()]);
    assert!(
        cause.ends_with(r#"hole.parquet, tensor "x1": row 12 is null or empty"#),
        "{cause}"
    );
}
