//! Parquet files: lists of any numbers.

use serde_json::json;

use super::columns::{ROWS, Values, WIDTH, integers, lists, parquet, scores};
use super::files::{Folder, measure_one, npy};
use super::refused::cause_and_remedy;

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
