//! Parquet files: lists of any numbers, and tables of a column for each dimension.

use std::path::PathBuf;
use std::sync::Arc;

use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

use super::files::{
    DIRECTIONS, Folder, SCATTER, assert_close, cloud, measure_and_notes, measure_one, npy,
};
use super::refused::cause_and_remedy;

/// The values of a column that are there.
enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Text(Vec<&'static str>),
}

/// A column: its type, its values, and the definition and repetition level of each place; none where every row holds one value.
struct Column {
    schema: String,
    values: Values,
    levels: Option<(Vec<i16>, Vec<i16>)>,
}

/// A column of lists of `width` values. Level 1 is an empty list, 2 a null element, 3 a value.
fn lists(element: &str, width: usize, values: Values, definitions: Option<Vec<i16>>) -> Column {
    let schema =
        format!("optional group emb (LIST) {{ repeated group list {{ optional {element}; }} }}");
    let count = values.len();
    let definitions = definitions.unwrap_or(vec![3; count]);
    let repetitions = (0..definitions.len())
        .map(|at| i16::from(at % width != 0))
        .collect();
    Column {
        schema,
        values,
        levels: Some((definitions, repetitions)),
    }
}

/// A column of one value a row.
fn single(name: &str, values: Values) -> Column {
    let schema = match &values {
        Values::Bool(_) => format!("required boolean {name};"),
        Values::Int32(_) => format!("required int32 {name};"),
        Values::Int64(_) => format!("required int64 {name};"),
        Values::Float(_) => format!("required float {name};"),
        Values::Double(_) => format!("required double {name};"),
        Values::Text(_) => format!("required binary {name} (STRING);"),
    };
    Column {
        schema,
        values,
        levels: None,
    }
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::Int32(values) => values.len(),
            Self::Int64(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }
}

fn write<T: DataType>(
    writer: &mut SerializedColumnWriter,
    values: &[T::T],
    levels: Option<&(Vec<i16>, Vec<i16>)>,
) {
    let definitions = levels.map(|(definitions, _)| definitions.as_slice());
    let repetitions = levels
        .map(|(_, repetitions)| repetitions.as_slice())
        .filter(|levels| !levels.is_empty());
    writer
        .typed::<T>()
        .write_batch(values, definitions, repetitions)
        .unwrap();
}

fn parquet(columns: &[Column]) -> Vec<u8> {
    let fields: Vec<&str> = columns
        .iter()
        .map(|column| column.schema.as_str())
        .collect();
    let schema =
        Arc::new(parse_message_type(&format!("message table {{ {} }}", fields.join(" "))).unwrap());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(
        &mut file,
        schema,
        Arc::new(WriterProperties::builder().build()),
    )
    .unwrap();
    let mut group = writer.next_row_group().unwrap();
    for Column { values, levels, .. } in columns {
        let mut column = group.next_column().unwrap().unwrap();
        let levels = levels.as_ref();
        match values {
            Values::Bool(values) => write::<BoolType>(&mut column, values, levels),
            Values::Int32(values) => write::<Int32Type>(&mut column, values, levels),
            Values::Int64(values) => write::<Int64Type>(&mut column, values, levels),
            Values::Float(values) => write::<FloatType>(&mut column, values, levels),
            Values::Double(values) => write::<DoubleType>(&mut column, values, levels),
            Values::Text(texts) => {
                let texts: Vec<ByteArray> =
                    texts.iter().map(|text| ByteArray::from(*text)).collect();
                write::<ByteArrayType>(&mut column, &texts, levels);
            }
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    file
}

/// The measures, whatever the file and the tensor are called.
fn scores(mut found: Value) -> Value {
    found["file"] = json!(null);
    found["tensor"] = json!(null);
    found
}

const ROWS: usize = 30;
const WIDTH: usize = 4;

/// Correlated whole numbers from −100 to 100.
fn integers() -> Vec<i64> {
    cloud(ROWS, WIDTH)
        .into_iter()
        .flatten()
        .map(|x| ((x - 0.9) * 100.0).round().clamp(-100.0, 100.0) as i64)
        .collect()
}

#[test]
fn lists_of_integers_of_any_type_are_the_same_integers() {
    let folder = Folder::new();
    let small = integers();
    let unsigned: Vec<i64> = small.iter().map(|x| x + 100).collect();
    // Beyond what a signed number of as many bits could hold.
    let wide: Vec<u32> = unsigned
        .iter()
        .map(|x| u32::MAX - *x as u32 * 10_000_000)
        .collect();
    let widest: Vec<u64> = unsigned
        .iter()
        .map(|x| u64::MAX - (*x as u64) * (1 << 55))
        .collect();
    let int32 = |values: &[i64]| Values::Int32(values.iter().map(|x| *x as i32).collect());
    let bytes = |values: &[i64], size: usize| {
        values
            .iter()
            .flat_map(|x| x.to_le_bytes()[..size].to_vec())
            .collect::<Vec<u8>>()
    };
    let cases = [
        (
            "int32 element (INTEGER(8,true))",
            int32(&small),
            npy("|i1", false, &[ROWS, WIDTH], &bytes(&small, 1)),
        ),
        (
            "int32 element (INTEGER(16,true))",
            int32(&small),
            npy("<i2", false, &[ROWS, WIDTH], &bytes(&small, 2)),
        ),
        (
            "int32 element (INTEGER(32,true))",
            int32(&small),
            npy("<i4", false, &[ROWS, WIDTH], &bytes(&small, 4)),
        ),
        (
            "int32 element",
            int32(&small),
            npy("<i4", false, &[ROWS, WIDTH], &bytes(&small, 4)),
        ),
        (
            "int32 element (INT_8)",
            int32(&small),
            npy("|i1", false, &[ROWS, WIDTH], &bytes(&small, 1)),
        ),
        (
            "int32 element (INTEGER(8,false))",
            int32(&unsigned),
            npy("|u1", false, &[ROWS, WIDTH], &bytes(&unsigned, 1)),
        ),
        (
            "int32 element (INTEGER(16,false))",
            int32(&unsigned),
            npy("<u2", false, &[ROWS, WIDTH], &bytes(&unsigned, 2)),
        ),
        (
            "int32 element (UINT_32)",
            Values::Int32(wide.iter().map(|x| *x as i32).collect()),
            npy(
                "<u4",
                false,
                &[ROWS, WIDTH],
                &wide
                    .iter()
                    .flat_map(|x| x.to_le_bytes())
                    .collect::<Vec<u8>>(),
            ),
        ),
        (
            "int64 element",
            Values::Int64(small.clone()),
            npy("<i8", false, &[ROWS, WIDTH], &bytes(&small, 8)),
        ),
        (
            "int64 element (INTEGER(64,true))",
            Values::Int64(small.clone()),
            npy("<i8", false, &[ROWS, WIDTH], &bytes(&small, 8)),
        ),
        (
            "int64 element (INTEGER(64,false))",
            Values::Int64(widest.iter().map(|x| *x as i64).collect()),
            npy(
                "<u8",
                false,
                &[ROWS, WIDTH],
                &widest
                    .iter()
                    .flat_map(|x| x.to_le_bytes())
                    .collect::<Vec<u8>>(),
            ),
        ),
        (
            "boolean element",
            Values::Bool(small.iter().map(|x| *x > 0).collect()),
            npy(
                "|b1",
                false,
                &[ROWS, WIDTH],
                &small.iter().map(|x| u8::from(*x > 0)).collect::<Vec<u8>>(),
            ),
        ),
    ];
    for (element, values, array) in cases {
        let path = folder.write(
            "integers.parquet",
            parquet(&[lists(element, WIDTH, values, None)]),
        );
        let found = measure_one(&path, &["--tensor", "emb"]);
        let expected = measure_one(&folder.write("integers.npy", array), &[]);
        assert_eq!(
            (&found["tensor"], &found["points"]),
            (&json!("emb"), &json!(ROWS)),
            "{element}"
        );
        assert_eq!(scores(found), scores(expected), "{element}");
        let (cause, remedy) = cause_and_remedy(&["measure", path.to_str().unwrap()]);
        assert!(
            cause.contains(
                r#"holds no floating-point tensor of two or three dimensions; it holds "emb" ("#
            ),
            "{cause}"
        );
        assert_eq!(remedy, r#"choose with --tensor: "emb""#);
    }
}

#[test]
fn lists_of_what_is_no_number_are_named_so() {
    let folder = Folder::new();
    let days = Values::Int32(vec![1; ROWS * WIDTH]);
    let path = folder.write(
        "dates.parquet",
        parquet(&[lists("int32 element (DATE)", WIDTH, days, None)]),
    );
    let (cause, _) = cause_and_remedy(&["measure", path.to_str().unwrap(), "--tensor", "emb"]);
    assert!(
        cause.ends_with(r#"tensor "emb": elements of type lists of Date are not supported"#),
        "{cause}"
    );
    let words = Values::Text(vec!["a"; ROWS * WIDTH]);
    let path = folder.write(
        "words.parquet",
        parquet(&[lists("binary element (STRING)", WIDTH, words, None)]),
    );
    let (cause, _) = cause_and_remedy(&["measure", path.to_str().unwrap(), "--tensor", "emb"]);
    assert!(
        cause.ends_with(
            r#"tensor "emb": elements of type lists of String (text) are not supported"#
        ),
        "{cause}"
    );
}

#[test]
fn an_element_that_is_null_is_named_with_its_row() {
    let folder = Folder::new();
    for null in [0, 2, 17 * WIDTH + 3] {
        let mut definitions = vec![3; ROWS * WIDTH];
        definitions[null] = 2;
        let values = integers()
            .into_iter()
            .enumerate()
            .filter(|(at, _)| *at != null)
            .map(|(_, x)| x as i32)
            .collect();
        let column = lists(
            "int32 element (INTEGER(8,true))",
            WIDTH,
            Values::Int32(values),
            Some(definitions),
        );
        let path = folder.write("null.parquet", parquet(&[column]));
        let (cause, remedy) =
            cause_and_remedy(&["measure", path.to_str().unwrap(), "--tensor", "emb"]);
        let expected = format!(
            r#"tensor "emb": element {} of row {} is null"#,
            null % WIDTH,
            null / WIDTH
        );
        assert!(cause.ends_with(&expected), "{cause}");
        assert_eq!(remedy, "drop the row, or replace the null by a number");
    }
}

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
