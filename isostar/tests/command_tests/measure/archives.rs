//! Archives of NumPy with members that are no points.

use serde_json::json;

use super::files::{
    Folder, Oracle, cloud, f32_bytes, measure, measure_and_notes, measure_one, npy, npy_of_header,
    npz,
};
use super::refused::cause_and_remedy;

/// 24 points of width 6, as numbers of f32.
fn points() -> Vec<Vec<f64>> {
    cloud(24, 6)
        .into_iter()
        .map(|point| point.into_iter().map(|x| f64::from(x as f32)).collect())
        .collect()
}

fn array() -> Vec<u8> {
    npy(
        "<f4",
        false,
        &[24, 6],
        &f32_bytes(points().into_iter().flatten().map(|x| x as f32)),
    )
}

/// Members that are no real numbers, as numpy.save writes them.
fn others() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("ids", npy("<U6", false, &[24], &[0; 24 * 24])),
        ("bytes", npy("|S3", false, &[24, 2], &[b'x'; 24 * 6])),
        // A pickle, whose length has nothing to do with the shape.
        ("notes", npy("|O", false, &[24], b"\x80\x04]\x94.")),
        ("spectrum", npy("<c8", false, &[24, 6], &[0; 24 * 6 * 8])),
        (
            "records",
            npy_of_header(
                1,
                "{'descr': [('id', '<i8'), ('x', '<f4')], 'fortran_order': False, 'shape': (24,), }",
                &[0; 24 * 12],
            ),
        ),
        ("dates", npy("<M8[s]", false, &[24], &[0; 24 * 8])),
    ]
}

#[test]
fn members_that_are_no_numbers_are_passed_over() {
    let folder = Folder::new();
    let oracle = Oracle::of(&points());
    for (name, other) in others() {
        let path = folder.write(
            "archive.npz",
            npz(&[(name, other), ("embeddings", array())]),
        );
        for arguments in [&["--tensor", "embeddings"][..], &[]] {
            let (found, notes) = measure_and_notes(&path, arguments);
            assert_eq!((found.len(), notes.as_str()), (1, ""), "{name}: {found:?}");
            assert_eq!(found[0]["tensor"], json!("embeddings"));
            oracle.assert_agrees(&found[0]);
        }
    }
    let mut all = others();
    all.extend([("first", array()), ("second", array())]);
    let found = measure(&folder.write("all.npz", npz(&all)), &[]);
    assert_eq!(
        found
            .iter()
            .map(|line| line["tensor"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["first", "second"]
    );
}

#[test]
fn a_member_without_numbers_that_is_asked_for_is_named_with_its_type_and_the_others() {
    let folder = Folder::new();
    let mut members = others();
    members.extend([
        ("embeddings", array()),
        ("counts", npy("<i8", false, &[24, 2], &[1; 24 * 16])),
    ]);
    let path = folder.write("archive.npz", npz(&members));
    for (name, found) in [
        ("ids", "<U6 (text)"),
        ("bytes", "|S3 (text)"),
        ("notes", "|O (Python objects)"),
        ("spectrum", "<c8 (complex numbers)"),
        ("records", "[('id', '<i8'), ('x', '<f4')] (records)"),
        ("dates", "<M8[s]"),
    ] {
        let (cause, remedy) =
            cause_and_remedy(&["measure", path.to_str().unwrap(), "--tensor", name]);
        let expected = format!(
            r#"tensor "{name}": elements of type {found} are not supported; tensors of numbers: "embeddings", "counts""#
        );
        assert!(cause.ends_with(&expected), "{cause}");
        assert_eq!(remedy, r#"name one of "embeddings", "counts""#);
    }
}

#[test]
fn an_archive_without_points_says_what_it_holds() {
    let folder = Folder::new();
    let members = [
        ("ids", npy("<U6", false, &[2], &[0; 48])),
        ("counts", npy("<i8", false, &[2, 2], &[1; 32])),
    ];
    let path = folder.write("archive.npz", npz(&members));
    let (cause, remedy) = cause_and_remedy(&["measure", path.to_str().unwrap()]);
    assert!(
        cause.ends_with(
            r#"two or three dimensions; it holds "ids" (<U6 [2]), "counts" (<i8 [2, 2])"#
        ),
        "{cause}"
    );
    assert_eq!(remedy, r#"choose with --tensor: "counts""#);
    let path = folder.write(
        "complex.npz",
        npz(&[("spectrum", npy("<c8", false, &[2, 2], &[0; 32]))]),
    );
    let (cause, remedy) = cause_and_remedy(&["measure", path.to_str().unwrap()]);
    assert!(
        cause.ends_with(r#"it holds "spectrum" (<c8 [2, 2])"#),
        "{cause}"
    );
    assert!(remedy.starts_with("save points as floats"), "{remedy}");
}

#[test]
fn a_damaged_member_is_no_matter_to_those_who_ask_for_another() {
    let folder = Folder::new();
    let cut = array()[..200].to_vec();
    let path = folder.write("archive.npz", npz(&[("cut", cut), ("embeddings", array())]));
    Oracle::of(&points()).assert_agrees(&measure_one(&path, &["--tensor", "embeddings"]));
    for arguments in [&["--tensor", "cut"][..], &[]] {
        let (cause, _) =
            cause_and_remedy(&[&["measure", path.to_str().unwrap()], arguments].concat());
        assert!(
            cause.contains(r#"tensor "cut": the header declares [24, 6] numbers of 4 bytes"#),
            "{cause}"
        );
    }
    let states = npy(
        "<f4",
        false,
        &[4, 6, 6],
        &f32_bytes(points().into_iter().flatten().map(|x| x as f32)),
    );
    let path = folder.write(
        "masked.npz",
        npz(&[
            ("attention_mask", b"\x93NUMPY".to_vec()),
            ("states", states),
        ]),
    );
    let (cause, _) = cause_and_remedy(&["measure", path.to_str().unwrap(), "--tensor", "states"]);
    assert!(
        cause.contains(r#"tensor "attention_mask": the file ends within its header"#),
        "a mask is never ignored: {cause}"
    );
}

#[test]
fn booleans_and_integers_are_numbers_where_they_are_asked_for() {
    let folder = Folder::new();
    let flags: Vec<u8> = (0..24 * 6).map(|at| u8::from(at * at % 7 < 3)).collect();
    let members = [
        ("flags", npy("|b1", false, &[24, 6], &flags)),
        ("bytes", npy("|u1", false, &[24, 6], &flags)),
    ];
    let path = folder.write("archive.npz", npz(&members));
    let oracle = Oracle::of(
        &flags
            .chunks(6)
            .map(|row| row.iter().map(|flag| f64::from(*flag)).collect())
            .collect::<Vec<_>>(),
    );
    for name in ["flags", "bytes"] {
        let found = measure_one(&path, &["--tensor", name]);
        super::files::assert_close(&found, "isoscore", oracle.isoscore, super::files::SCATTER);
    }
}
