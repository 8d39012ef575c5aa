//! Archives that are not what they declare, and what their refusals say.

use zip::CompressionMethod;

use super::{Case, archive, array, cut, declaring, deflated, stored, with};

/// Every occurrence of some bytes replaced by as many others.
fn replaced(mut file: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..file.len() - from.len())
        .filter(|at| file[*at..].starts_with(from))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        file[at..at + to.len()].copy_from_slice(to);
    }
    file
}

/// Bytes at an offset of the entry in the central directory replaced.
fn patched(mut file: Vec<u8>, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let entry = (0..file.len())
        .rposition(|at| file[at..].starts_with(b"PK\x01\x02"))
        .unwrap();
    file[entry + offset..][..bytes.len()].copy_from_slice(bytes);
    file
}

/// The same in the local header as well, where it stands two bytes earlier.
fn patched_twice(file: Vec<u8>, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = patched(file, offset, bytes);
    file[offset - 2..][..bytes.len()].copy_from_slice(bytes);
    file
}

/// A member of a million numbers, all 0, that says it holds one more than deflate could put there.
fn bomb() -> Vec<u8> {
    patched(
        deflated(&declaring("<f4", "(500000, 2)", &vec![0; 4_000_000])),
        24,
        &0xf000_0000_u32.to_le_bytes(),
    )
}

pub fn archives() -> Vec<Case> {
    let two = || {
        archive(
            CompressionMethod::Stored,
            &[("x.npy", &array()), ("y.npy", &array())],
        )
    };
    // The second entry of the central directory leads to the first member.
    let overlapping = patched(two(), 42, &[0; 4]);
    vec![
        (
            "text.npz",
            b"1.0 2.0\n".to_vec(),
            "not a complete .npz archive",
        ),
        (
            "cut.npz",
            cut(stored("x.npy"), 30),
            "not a complete .npz archive",
        ),
        (
            "up.npz",
            stored("../../etc/x.npy"),
            "the member \"../../etc/x.npy\" is a path outside the archive",
        ),
        (
            "inside_up.npz",
            stored("a/../../x.npy"),
            "is a path outside the archive",
        ),
        (
            "absolute.npz",
            replaced(stored("_tmp/x.npy"), b"_tmp/x.npy", b"/tmp/x.npy"),
            "the member \"/tmp/x.npy\" is a path outside the archive",
        ),
        (
            "backslash.npz",
            replaced(stored("aa/../x.npy"), b"aa/../x.npy", b"aa\\..\\x.npy"),
            "is a path outside the archive",
        ),
        (
            "drive.npz",
            replaced(stored("C_x.npy"), b"C_x.npy", b"C:x.npy"),
            "is a path outside the archive",
        ),
        (
            "nul.npz",
            replaced(stored("a_x.npy"), b"a_x.npy", b"a\0x.npy"),
            "is a path outside the archive",
        ),
        (
            "twins.npz",
            replaced(two(), b"y.npy", b"x.npy"),
            "two members of the archive have the same name",
        ),
        (
            "overlapping.npz",
            overlapping,
            "members of the archive overlap",
        ),
        (
            "bomb.npz",
            bomb(),
            "declares 4026531840 bytes, more than its",
        ),
        (
            "stored_size.npz",
            patched(stored("x.npy"), 24, &9999_u32.to_le_bytes()),
            "declares 9999 bytes",
        ),
        (
            "encrypted.npz",
            patched_twice(stored("x.npy"), 8, &[1, 0]),
            "tensor \"x\": encrypted",
        ),
        (
            "method.npz",
            patched_twice(stored("x.npy"), 10, &[12, 0]),
            "tensor \"x\": the compression method",
        ),
        (
            "no_array.npz",
            archive(CompressionMethod::Stored, &[("x.npy", b"hello")]),
            "tensor \"x\": it does not start with the .npy magic number",
        ),
        (
            "no_arrays.npz",
            archive(CompressionMethod::Stored, &[("x.txt", b"hello")]),
            "holds no floating-point tensor",
        ),
        (
            "inner_huge.npz",
            deflated(&declaring("<f4", "(1000000000000, 768)", &[0; 64])),
            "but only 64 bytes follow",
        ),
        (
            "checksum.npz",
            patched_twice(deflated(&array()), 16, &[0; 4]),
            "tensor \"x\": cannot be decompressed",
        ),
        (
            "garbage.npz",
            replaced(deflated(&array()), &deflated(&array())[40..60], &[0xff; 20]),
            "tensor \"x\": it does not start with the .npy magic number",
        ),
        (
            "inner_nan.npz",
            deflated(&with(5, f32::NAN)),
            "tensor \"x\": NaN at row 2, column 1",
        ),
    ]
}
