//! Files that are not what they declare: each is refused by name, and by no allocation that its size does not account for.

#[path = "common/altered.rs"]
mod altered;
#[path = "malformed/archives.rs"]
mod archives;
#[path = "malformed/arrays.rs"]
mod arrays;
#[path = "../../isostar-train/tests/common/counting.rs"]
mod counting;

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use altered::altered;
use archives::archives;
use arrays::arrays;
use burn::tensor::Device;
use counting::{IN_USE, PEAK};
use isostar_measure::{EmbeddingsError, EmbeddingsFile, Measures, measure};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The count is the process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What the readers of archives and of Parquet keep beside the file: windows, tables and a page. Largest observed: 66 KiB.
const CONSTANT: usize = 1 << 18;

/// An .npy file of this header.
fn npy(version: u8, header: &[u8], numbers: &[u8]) -> Vec<u8> {
    let length = match version {
        1 => (header.len() as u16).to_le_bytes().to_vec(),
        _ => (header.len() as u32).to_le_bytes().to_vec(),
    };
    [b"\x93NUMPY", &[version, 0][..], &length, header, numbers].concat()
}

fn declaring(description: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    npy(
        1,
        format!("{{'descr': '{description}', 'fortran_order': False, 'shape': {shape}, }}\n")
            .as_bytes(),
        numbers,
    )
}

/// Eight points of width 2.
fn array() -> Vec<u8> {
    holding(&(0..16).map(|at| (at * at % 7) as f32).collect::<Vec<_>>())
}

fn holding(values: &[f32]) -> Vec<u8> {
    declaring(
        "<f4",
        "(8, 2)",
        &values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect::<Vec<_>>(),
    )
}

fn with(at: usize, value: f32) -> Vec<u8> {
    let mut values = [1.5; 16];
    values[at] = value;
    holding(&values)
}

fn archive(method: CompressionMethod, members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        writer
            .start_file(
                *name,
                SimpleFileOptions::default().compression_method(method),
            )
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn stored(name: &str) -> Vec<u8> {
    archive(CompressionMethod::Stored, &[(name, &array())])
}

fn deflated(content: &[u8]) -> Vec<u8> {
    archive(CompressionMethod::Deflated, &[("x.npy", content)])
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/formats")
            .join(name),
    )
    .unwrap()
}

fn cut(mut file: Vec<u8>, bytes: usize) -> Vec<u8> {
    file.truncate(file.len() - bytes);
    file
}

/// A safetensors file of this header.
fn safetensors(length: u64, header: &str) -> Vec<u8> {
    [&length.to_le_bytes()[..], header.as_bytes(), &[0; 16]].concat()
}

/// A Parquet file whose last eight bytes declare a footer of this length.
fn parquet_of_footer(length: u32) -> Vec<u8> {
    let mut file = cut(fixture("single.parquet"), 8);
    file.extend(length.to_le_bytes());
    file.extend(b"PAR1");
    file
}

/// A file, and what its refusal says.
type Case = (&'static str, Vec<u8>, &'static str);

fn others() -> Vec<Case> {
    let huge =
        r#"{"x":{"dtype":"F32","shape":[1000000000000,768],"data_offsets":[0,3072000000000000]}}"#;
    vec![
        (
            "pickle.npz",
            b"\x80\x04]\x94.".to_vec(),
            "a Python pickle, which is not supported",
        ),
        (
            "pointer.npz",
            b"version https://git-lfs.github.com/spec/v1\n".to_vec(),
            "a Git LFS pointer",
        ),
        (
            "text.txt",
            b"1.0 2.0\n3.0 4.0\n".to_vec(),
            "neither an .npy, .npz, .safetensors nor Parquet file",
        ),
        (
            "header.safetensors",
            safetensors(u64::MAX, "{}"),
            "not a complete safetensors file",
        ),
        (
            "huge.safetensors",
            safetensors(huge.len() as u64, huge),
            "not a complete safetensors file",
        ),
        (
            "magic.parquet",
            b"PAR1".to_vec(),
            "not a complete Parquet file",
        ),
        (
            "cut.parquet",
            cut(fixture("single.parquet"), 1),
            "not a complete Parquet file",
        ),
        (
            "footer.parquet",
            parquet_of_footer(u32::MAX),
            "not a complete Parquet file",
        ),
        (
            "no_footer.parquet",
            parquet_of_footer(0),
            "not a complete Parquet file",
        ),
        (
            "ragged.parquet",
            fixture("ragged.parquet"),
            "tensor \"embedding\": row 47 holds 11 numbers, but the first row holds 12",
        ),
        (
            "null.parquet",
            fixture("null.parquet"),
            "tensor \"embedding\": row 33 is null or empty",
        ),
        (
            "hole.parquet",
            fixture("hole.parquet"),
            "tensor \"embedding\": element 5 of row 61 is null",
        ),
        (
            "first.parquet",
            fixture("first.parquet"),
            "tensor \"embedding\": row 0 is null or empty",
        ),
    ]
}

fn measured(path: &Path) -> Result<(), EmbeddingsError> {
    for points in EmbeddingsFile::open(path)?.points(None, None)? {
        measure(&points, None, Measures::default(), &Device::flex(), &|_| ())?;
    }
    Ok(())
}

#[test]
fn every_malformed_file_is_refused_by_name_and_within_its_size() {
    let _alone = ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.npy");
    std::fs::write(&path, array()).unwrap();
    // Threads and their pools stay.
    measured(&path).unwrap();

    let cases = [arrays(), archives(), others()].concat();
    assert!(cases.len() >= 30);
    for (name, content, cause) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, &content).unwrap();
        let before = IN_USE.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let error = measured(&path).expect_err(name);
        let peak = PEAK.load(Ordering::Relaxed) - before;
        let message = error.to_string();
        println!(
            "{name}: {} bytes, {peak} allocated: {message}",
            content.len()
        );
        assert!(
            message.contains(cause) && message.contains(name),
            "{name}: {message:?} does not say {cause:?}"
        );
        assert!(
            peak <= content.len() + CONSTANT,
            "{name}: {peak} bytes were allocated for a file of {}",
            content.len()
        );
    }
}

/// How many altered copies of each file are read.
const ALTERED: usize = 1000;

#[test]
fn altered_bytes_are_refused_or_read_and_end_in_no_panic() {
    let _alone = ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let folder = tempfile::tempdir().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let whole = [
        ("array.npy", array()),
        ("stored.npz", stored("x.npy")),
        ("deflated.npz", deflated(&array())),
        ("masked.npz", fixture("masked_fortran.npz")),
        ("snappy.parquet", fixture("single.parquet")),
        ("zstd.parquet", fixture("fixed.parquet")),
        ("lz4.parquet", fixture("double.parquet")),
        ("brotli.parquet", fixture("brotli.parquet")),
        ("half.parquet", fixture("half.parquet")),
        ("table.parquet", fixture("table.parquet")),
    ];
    for (name, content) in whole {
        let path = folder.path().join(name);
        let mut refused = 0;
        for _ in 0..ALTERED {
            std::fs::write(&path, altered(&content, &mut random)).unwrap();
            refused += usize::from(measured(&path).is_err());
        }
        println!("{name}: {refused} of {ALTERED} refused");
        assert!(refused > 0, "{name}: what was altered was not read");
    }
}
