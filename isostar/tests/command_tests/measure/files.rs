//! Files to measure, the command that measures them, and an oracle in f64.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A folder of files for one test.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Rows of f64, as `numpy.save` writes them.
    pub fn write_rows(&self, name: &str, rows: &[Vec<f64>]) -> PathBuf {
        let bytes: Vec<u8> = rows
            .iter()
            .flatten()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.write(
            name,
            npy("<f8", false, &[rows.len(), rows[0].len()], &bytes),
        )
    }

    pub fn names(&self) -> Vec<String> {
        fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

/// An .npy file of version 1.
pub fn npy(description: &str, fortran_order: bool, shape: &[usize], numbers: &[u8]) -> Vec<u8> {
    let extents: Vec<String> = shape.iter().map(|extent| format!("{extent},")).collect();
    let order = if fortran_order { "True" } else { "False" };
    npy_of_header(
        1,
        &format!(
            "{{'descr': '{description}', 'fortran_order': {order}, 'shape': ({}), }}",
            extents.join(" ")
        ),
        numbers,
    )
}

/// An .npy file with this header.
pub fn npy_of_header(version: u8, header: &str, numbers: &[u8]) -> Vec<u8> {
    let mut file = vec![0x93, b'N', b'U', b'M', b'P', b'Y', version, 0];
    match version {
        1 => file.extend((header.len() as u16 + 1).to_le_bytes()),
        _ => file.extend((header.len() as u32 + 1).to_le_bytes()),
    }
    file.extend(header.as_bytes());
    file.push(b'\n');
    file.extend(numbers);
    file
}

/// An .npz archive of arrays, stored as `numpy.savez` does.
pub fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let members: Vec<(String, &[u8])> = arrays
        .iter()
        .map(|(name, array)| (format!("{name}.npy"), array.as_slice()))
        .collect();
    zip_of(&members)
}

/// A zip archive of stored members.
pub fn zip_of(members: &[(String, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        writer
            .start_file(
                name,
                SimpleFileOptions::default().compression_method(CompressionMethod::Stored),
            )
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A safetensors file.
pub fn safetensors(tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (
            *name,
            TensorView::new(*dtype, shape.to_vec(), bytes).unwrap(),
        )
    });
    safetensors::serialize(views, None).unwrap()
}

pub fn f32_bytes(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// Correlated points of different variances about a mean of 0.5, from a generator of two lines.
pub fn cloud(points: usize, width: usize) -> Vec<Vec<f64>> {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let row = |_| {
        let shared = uniform();
        (0..width)
            .map(|column| (uniform() + 0.5 * shared) / (1 + column) as f64 + 0.5)
            .collect()
    };
    (0..points).map(row).collect()
}

/// The command, with arguments.
pub fn isostar<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("isostar");
    // What is no folder here is looked for on the hub: the tests ask nobody.
    command
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HOME", "no-cache")
        .args(arguments);
    command
}

/// What `isostar measure --json` says of a file: one object a line.
pub fn measure(path: &Path, arguments: &[&str]) -> Vec<Value> {
    measure_and_notes(path, arguments).0
}

/// The same, and what stands on stderr.
pub fn measure_and_notes(path: &Path, arguments: &[&str]) -> (Vec<Value>, String) {
    let output = isostar(["measure", "--json"])
        .arg(path)
        .args(arguments)
        .assert()
        .success()
        .get_output()
        .clone();
    let [text, notes] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        notes,
    )
}

/// The same of a file with one tensor.
pub fn measure_one(path: &Path, arguments: &[&str]) -> Value {
    let mut lines = measure(path, arguments);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

/// Of the expected number: deviations and their products in f32. Largest difference observed: 1.9e-7.
pub const SCATTER: f64 = 1e-6;
/// Of the expected number: directions in f64. Largest difference observed: 1.6e-15, and 5.2e-13 over 640,000 points.
pub const DIRECTIONS: f64 = 1e-12;

/// The scores of points by their definitions, in f64, in O(n⁴ + n²·d + n·d²).
pub struct Oracle {
    pub isoscore: f64,
    pub isoscore_unbiased: f64,
    pub mean_cosine: f64,
    pub cosreg: f64,
}

impl Oracle {
    pub fn of(points: &[Vec<f64>]) -> Self {
        let (n, d) = (points.len(), points[0].len());
        let mean: Vec<f64> = (0..d)
            .map(|column| points.iter().map(|point| point[column]).sum::<f64>() / n as f64)
            .collect();
        let centred: Vec<Vec<f64>> = points
            .iter()
            .map(|point| point.iter().zip(&mean).map(|(x, m)| x - m).collect())
            .collect();
        let entry = |i: usize, j: usize| {
            centred.iter().map(|point| point[i] * point[j]).sum::<f64>() / (n - 1) as f64
        };
        let trace: f64 = (0..d).map(|i| entry(i, i)).sum();
        let frobenius: f64 = (0..d)
            .map(|i| (0..d).map(|j| entry(i, j).powi(2)).sum::<f64>())
            .sum();

        let cosine = |a: &[f64], b: &[f64]| dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt());
        let pairs = || {
            (0..n)
                .flat_map(|i| (0..n).map(move |j| (i, j)))
                .filter(|(i, j)| i != j)
        };
        let cosines: f64 = pairs().map(|(i, j)| cosine(&points[i], &points[j])).sum();
        let count = n as f64;
        Self {
            isoscore: score(trace, frobenius, d),
            isoscore_unbiased: score(trace, unbiased_frobenius(&centred), d),
            mean_cosine: cosines / (count * (count - 1.0)),
            cosreg: cosines / (count * count),
        }
    }

    /// Compares what the command printed.
    pub fn assert_agrees(&self, found: &Value) {
        assert_close(found, "isoscore", self.isoscore, SCATTER);
        assert_close(found, "isoscore_unbiased", self.isoscore_unbiased, SCATTER);
        assert_close(found, "mean_cosine", self.mean_cosine, DIRECTIONS);
        assert_close(found, "cosreg", self.cosreg, DIRECTIONS);
    }
}

/// The difference may be `tolerance` of the expected number.
pub fn assert_close(found: &Value, name: &str, expected: f64, tolerance: f64) {
    let number = found[name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name} in {found}"));
    assert!(
        (number - expected).abs() <= tolerance * expected.abs(),
        "{name} is {number:e}, expected {expected:e}"
    );
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn score(trace: f64, frobenius: f64, d: usize) -> f64 {
    (trace * trace / frobenius - 1.0) / (d as f64 - 1.0)
}

/// The U-statistic of tr Σ², summed over tuples of distinct points as it is defined.
fn unbiased_frobenius(points: &[Vec<f64>]) -> f64 {
    let n = points.len();
    let gram: Vec<Vec<f64>> = points
        .iter()
        .map(|a| points.iter().map(|b| dot(a, b)).collect())
        .collect();
    let (mut pairs, mut triples, mut quadruples) = (0.0, 0.0, 0.0);
    for i in 0..n {
        for j in (0..n).filter(|j| *j != i) {
            pairs += gram[i][j] * gram[i][j];
            for k in (0..n).filter(|k| ![i, j].contains(k)) {
                triples += gram[i][j] * gram[j][k];
                quadruples += (0..n)
                    .filter(|l| ![i, j, k].contains(l))
                    .map(|l| gram[i][j] * gram[k][l])
                    .sum::<f64>();
            }
        }
    }
    let count = n as f64;
    let two = count * (count - 1.0);
    let three = two * (count - 2.0);
    pairs / two - 2.0 * triples / three + quadruples / (three * (count - 3.0))
}
