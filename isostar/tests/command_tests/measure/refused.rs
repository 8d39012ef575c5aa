//! Every fault of a file or an option ends in one line of cause and one of remedy, and in nothing on stdout.

use std::path::Path;

use safetensors::Dtype;

use super::files::{Folder, cloud, f32_bytes, isostar, npy, npy_of_header, safetensors};

/// Runs the command and gives back the cause.
pub fn cause_of(arguments: &[&str]) -> String {
    cause_and_remedy(arguments).0
}

/// Runs the command and gives back the line of cause and that of remedy.
pub fn cause_and_remedy(arguments: &[&str]) -> (String, String) {
    let output = isostar(arguments.iter().copied())
        .assert()
        .code(1)
        .get_output()
        .clone();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{arguments:?}: {stderr}");
    assert!(
        lines[0].starts_with("error: ") && lines[1].starts_with("  try: "),
        "{stderr}"
    );
    assert!(
        output.stdout.is_empty(),
        "{arguments:?}: {:?}",
        output.stdout
    );
    (lines[0].into(), lines[1]["  try: ".len()..].into())
}

fn refuses(path: &Path, arguments: &[&str], cause: &str) {
    let found = cause_of(&[&["measure", path.to_str().unwrap()], arguments].concat());
    assert!(
        found.ends_with(cause),
        "{found:?} does not end with {cause:?}"
    );
    assert!(
        found.contains(path.file_name().unwrap().to_str().unwrap()),
        "{found:?} does not name the file"
    );
}

fn floats(shape: &[usize]) -> Vec<u8> {
    npy(
        "<f4",
        false,
        shape,
        &f32_bytes((0..shape.iter().product()).map(|at: usize| at as f32)),
    )
}

#[test]
fn files_that_are_no_arrays() {
    let folder = Folder::new();
    refuses(&folder.path("missing.npy"), &[], ": no such file or folder");
    refuses(&folder.write("empty.npy", ""), &[], ": the file is empty");
    refuses(
        &folder.write("text.npy", "1.0 2.0\n3.0 4.0\n"),
        &[],
        ": neither an .npy, .npz, .safetensors nor Parquet file",
    );
    refuses(
        &folder.write("short.safetensors", "abc"),
        &[],
        ": not a complete safetensors file: header too small",
    );
    std::fs::create_dir(folder.path("folder")).unwrap();
    let found = cause_of(&["measure", folder.path("folder").to_str().unwrap()]);
    assert!(found.contains("folder: cannot be read"), "{found}");

    let whole = safetensors(&[(
        "points",
        Dtype::F32,
        &[2, 2],
        f32_bytes([1.0, 2.0, 3.0, 5.0]),
    )]);
    let path = folder.write("cut.safetensors", &whole[..whole.len() - 1]);
    let found = cause_of(&["measure", path.to_str().unwrap()]);
    assert!(
        found.contains("cut.safetensors: not a complete safetensors file: "),
        "{found}"
    );
    let path = folder.write("header.safetensors", &whole[..20]);
    let found = cause_of(&["measure", path.to_str().unwrap()]);
    assert!(
        found.contains("header.safetensors: not a complete safetensors file: "),
        "{found}"
    );
}

#[test]
fn headers_that_declare_what_is_not_there() {
    let folder = Folder::new();
    let cut = npy("<f4", false, &[4, 4], &[0; 60]);
    refuses(
        &folder.write("cut.npy", cut),
        &[],
        ": the header declares [4, 4] numbers of 4 bytes, but only 60 bytes follow",
    );
    // 2⁶² numbers of 4 bytes: 2⁶⁴ bytes overflow to 0, which would fit.
    for shape in [[1 << 61, 2], [1 << 33, 1 << 33], [usize::MAX, usize::MAX]] {
        let path = folder.write("overflow.npy", npy("<f4", false, &shape, &[0; 64]));
        refuses(
            &path,
            &[],
            &format!(
                ": the header declares {shape:?} numbers of 4 bytes, but only 64 bytes follow"
            ),
        );
    }
    refuses(
        &folder.write("magic.npy", &floats(&[2, 2])[..7]),
        &[],
        ": the file ends within its header",
    );
    refuses(
        &folder.write("middle.npy", &floats(&[2, 2])[..40]),
        &[],
        ": the file ends within its header",
    );
    refuses(
        &folder.write("version.npy", npy_of_header(9, "{}", &[])),
        &[],
        ": unknown version of the .npy format",
    );
    refuses(
        &folder.write("header.npy", npy_of_header(1, "{'descr': '<f4'}", &[])),
        &[],
        ": the header cannot be parsed",
    );
}

#[test]
fn types_that_are_no_real_numbers() {
    let folder = Folder::new();
    let types = [
        ("|O", 8, " (Python objects)"),
        ("<c8", 8, " (complex numbers)"),
        (">c16", 16, " (complex numbers)"),
    ];
    let others = [
        ("<U5", 20, " (text)"),
        ("|S3", 3, " (text)"),
        ("<M8[ns]", 8, ""),
        ("|V2", 2, ""),
    ];
    for (description, size, meaning) in types.into_iter().chain(others) {
        let path = folder.write(
            "type.npy",
            npy(description, false, &[2, 2], &vec![0; 4 * size]),
        );
        refuses(
            &path,
            &[],
            &format!(": elements of type {description}{meaning} are not supported"),
        );
    }
    let record = npy_of_header(
        1,
        "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2, 2), }",
        &[0; 16],
    );
    refuses(
        &folder.write("record.npy", record),
        &[],
        ": elements of type [('x', '<f4')] (records) are not supported",
    );
    let fields: Vec<String> = (0..40).map(|at| format!("('field{at}', '<f4')")).collect();
    let header = format!(
        "{{'descr': [{}], 'fortran_order': False, 'shape': (2,), }}",
        fields.join(", ")
    );
    let long = cause_of(&[
        "measure",
        folder
            .write("long.npy", npy_of_header(1, &header, &[0; 320]))
            .to_str()
            .unwrap(),
    ]);
    assert!(
        long.ends_with("… (records) are not supported") && long.len() < 300,
        "{long}"
    );
    let eighth = safetensors(&[("points", Dtype::F8_E4M3, &[2, 2], vec![0; 4])]);
    refuses(
        &folder.write("f8.safetensors", eighth),
        &["--tensor", "points"],
        ": elements of type F8_E4M3 are not supported",
    );
}

#[test]
fn points_without_a_score() {
    let folder = Folder::new();
    refuses(
        &folder.write("line.npy", floats(&[8])),
        &[],
        ": shape [8] is neither [points, dimension] nor [sequences, tokens, dimension]",
    );
    refuses(
        &folder.write("deep.npy", floats(&[2, 2, 2, 2])),
        &[],
        "nor [sequences, tokens, dimension]",
    );
    refuses(
        &folder.write("single.npy", floats(&[1, 8])),
        &[],
        ": 1 point has no covariance: there must be at least two points",
    );
    refuses(
        &folder.write("none.npy", floats(&[0, 8])),
        &[],
        ": 0 points have no covariance: there must be at least two points",
    );
    refuses(
        &folder.write("narrow.npy", floats(&[8, 1])),
        &[],
        ": points of width 1 have no isotropy: there must be at least two dimensions",
    );
    refuses(
        &folder.write("nothing.npy", floats(&[8, 0])),
        &[],
        ": points of width 0 have no isotropy: there must be at least two dimensions",
    );
    refuses(
        &folder.write("wide.npy", floats(&[2, 16_385])),
        &[],
        ": a covariance may have at most 16384 dimensions",
    );
    let constant = vec![vec![0.1, 0.2, 0.3]; 9];
    refuses(
        &folder.write_rows("constant.npy", &constant),
        &[],
        ": all points are equal: no direction has variance, so no score is defined",
    );
    refuses(
        &folder.write("sample.npy", floats(&[8, 2])),
        &["--sample", "1"],
        "there must be at least two points",
    );
}

#[test]
fn numbers_that_are_not_finite_are_named_with_row_and_column() {
    let folder = Folder::new();
    for (value, written) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (-f64::INFINITY, "-inf"),
        (1e301, "1e301"),
    ] {
        let mut points = cloud(400, 6);
        points[257][4] = value;
        refuses(
            &folder.write_rows("points.npy", &points),
            &[],
            &format!(": {written} at row 257, column 4"),
        );
    }
    let mut values = vec![0.0_f32; 24];
    values[17] = f32::NAN;
    let sequences = npy("<f4", false, &[2, 4, 3], &f32_bytes(values.clone()));
    refuses(
        &folder.write("sequences.npy", sequences),
        &[],
        ": NaN at sequence 1, token 1, column 2",
    );
    // In this order the first index varies fastest: 17 = 1 + 2·(0 + 4·2).
    let sequences = npy("<f4", true, &[2, 4, 3], &f32_bytes(values));
    refuses(
        &folder.write("sequences.npy", sequences),
        &[],
        ": NaN at sequence 1, token 0, column 2",
    );
}

#[test]
fn tensors_and_masks_that_are_not_there_or_do_not_fit() {
    let folder = Folder::new();
    let states = || f32_bytes((0..24).map(|at| at as f32));
    let tensors = safetensors(&[
        ("layer.0", Dtype::F32, &[2, 4, 3], states()),
        ("none", Dtype::BOOL, &[2, 4], vec![0; 8]),
        ("short", Dtype::BOOL, &[2, 3], vec![1; 6]),
    ]);
    let path = folder.write("states.safetensors", tensors);
    refuses(
        &path,
        &["--tensor", "layer.1"],
        r#": there is no tensor "layer.1"; it holds "layer.0", "none", "short""#,
    );
    refuses(
        &path,
        &["--mask", "attention"],
        r#": there is no tensor "attention"; it holds "layer.0", "none", "short""#,
    );
    refuses(
        &path,
        &["--mask", "short"],
        r#"tensor "layer.0": the mask "short" has shape [2, 3], but these points need [2, 4]"#,
    );
    refuses(
        &path,
        &["--mask", "none"],
        r#"tensor "layer.0": the mask "none" is false everywhere"#,
    );

    let biases = safetensors(&[("bias", Dtype::F32, &[4], vec![0; 16])]);
    let cause =
        r#": holds no floating-point tensor of two or three dimensions; it holds "bias" (F32 [4])"#;
    refuses(&folder.write("biases.safetensors", biases), &[], cause);
    let array = folder.write("array.npy", floats(&[8, 2]));
    refuses(
        &array,
        &["--tensor", "x"],
        r#": there is no tensor "x": the array of an .npy file has no name"#,
    );
}

#[test]
fn references_and_devices_that_do_not_fit() {
    let folder = Folder::new();
    let points = folder.write_rows("points.npy", &cloud(24, 6));
    let narrow = folder.write_rows("narrow.npy", &cloud(24, 5));
    let measured = |arguments: &[&str]| {
        cause_of(&[&["measure", points.to_str().unwrap()], arguments].concat())
    };
    let narrow = narrow.to_str().unwrap();
    let found = measured(&["--reference", narrow, "--shrinkage", "0.5"]);
    assert!(
        found.contains("narrow.npy: the reference has width 5, but the points in "),
        "{found}"
    );
    assert!(found.ends_with("points.npy have width 6"), "{found}");
    for weight in ["1.5", "-0.1", "NaN"] {
        let found = measured(&["--reference", narrow, "--shrinkage", weight]);
        assert_eq!(
            found,
            format!("error: shrinkage must lie in [0, 1], got {weight}")
        );
    }
    let twins = safetensors(&[
        ("a", Dtype::F32, &[2, 6], vec![0; 48]),
        ("b", Dtype::F32, &[2, 6], vec![0; 48]),
    ]);
    let twins = folder.write("twins.safetensors", twins);
    let found = measured(&["--reference", twins.to_str().unwrap(), "--shrinkage", "0.5"]);
    assert!(
        found.ends_with(r#"cannot tell which tensor is the reference; it holds "a", "b""#),
        "{found}"
    );
    assert_eq!(
        measured(&["--device", "tpu"]),
        r#"error: unknown device "tpu""#
    );

    for usage in [
        &["--reference", narrow][..],
        &["--shrinkage", "0.5"],
        &["--sample", "many"],
    ] {
        isostar(["measure", points.to_str().unwrap()])
            .args(usage)
            .assert()
            .code(2)
            .stdout("");
    }
    isostar(["measure"]).assert().code(2).stdout("");
}
