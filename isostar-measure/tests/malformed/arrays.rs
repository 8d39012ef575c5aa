//! Arrays that are not what they declare, and what their refusals say.

use super::{Case, array, cut, declaring, npy, with};

pub fn arrays() -> Vec<Case> {
    let long = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': (8, 2), }}{}\n",
        " ".repeat(70_000)
    );
    vec![
        (
            "magic.npy",
            b"\x93NUMPY".to_vec(),
            "the file ends within its header",
        ),
        (
            "version.npy",
            npy(9, b"{}", &[]),
            "unknown version of the .npy format",
        ),
        (
            "length.npy",
            array()[..9].to_vec(),
            "the file ends within its header",
        ),
        (
            "middle.npy",
            array()[..40].to_vec(),
            "the file ends within its header",
        ),
        (
            "beyond.npy",
            [b"\x93NUMPY\x02\0\xff\xff\xff\xff", &[b' '; 90][..]].concat(),
            "the file ends within its header",
        ),
        (
            "long.npy",
            npy(2, long.as_bytes(), &[0; 64]),
            "the header is longer than 64 KiB",
        ),
        (
            "latin.npy",
            npy(1, b"{'descr': '\xe9'}", &[]),
            "the header cannot be parsed",
        ),
        (
            "no_shape.npy",
            npy(1, b"{'descr': '<f4', 'fortran_order': False}", &[0; 64]),
            "the header cannot be parsed",
        ),
        (
            "nested.npy",
            npy(1, &[b'['; 60_000], &[]),
            "the header cannot be parsed",
        ),
        (
            "negative.npy",
            declaring("<f4", "(-8, 2)", &[0; 64]),
            "the header cannot be parsed",
        ),
        (
            "float_shape.npy",
            declaring("<f4", "(8.0, 2)", &[0; 64]),
            "the header cannot be parsed",
        ),
        (
            "overflow.npy",
            declaring("<f4", "(4611686018427387904, 4)", &[0; 64]),
            "but only 64 bytes follow",
        ),
        (
            "beyond_u64.npy",
            declaring("<f4", "(99999999999999999999, 2)", &[0; 64]),
            "the header cannot be parsed",
        ),
        (
            "huge.npy",
            declaring("<f8", "(1000000000000, 768)", &[0; 64]),
            "numbers of 8 bytes, but only 64 bytes follow",
        ),
        (
            "cut.npy",
            cut(array(), 1),
            "the header declares [8, 2] numbers of 4 bytes, but only 63 bytes follow",
        ),
        (
            "objects.npy",
            declaring("|O", "(8, 2)", &[0; 128]),
            "elements of type |O (Python objects) are not supported",
        ),
        (
            "complex.npy",
            declaring("<c8", "(8, 2)", &[0; 128]),
            "elements of type <c8 (complex numbers) are not supported",
        ),
        (
            "line.npy",
            declaring("<f4", "(16,)", &[0; 64]),
            "shape [16] is neither [points, dimension]",
        ),
        (
            "scalar.npy",
            declaring("<f4", "()", &[0; 4]),
            "shape [] is neither [points, dimension]",
        ),
        (
            "no_points.npy",
            declaring("<f4", "(0, 1000)", &[]),
            "0 points have no covariance",
        ),
        (
            "no_width.npy",
            declaring("<f4", "(99999999999999, 0)", &[]),
            "points of width 0 have no isotropy",
        ),
        (
            "wide.npy",
            declaring("|i1", "(2, 20000)", &[0; 40_000]),
            "points of width 20000 are too wide",
        ),
        ("nan.npy", with(5, f32::NAN), "NaN at row 2, column 1"),
        (
            "infinite.npy",
            with(14, f32::NEG_INFINITY),
            "-inf at row 7, column 0",
        ),
        ("equal.npy", with(0, 1.5), "all points are equal"),
    ]
}
