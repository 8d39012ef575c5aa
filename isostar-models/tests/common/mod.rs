//! Fixtures and comparisons that several test files share.
#![allow(dead_code, reason = "each test file uses some of these")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::prelude::*;
use burn::tensor::{TensorData, bf16, f16};
use isostar_models::TokenBatch;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use tempfile::TempDir;

pub const ARCHITECTURES: [&str; 5] = ["bert", "roberta", "distilbert", "albert", "gpt2"];

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A copy of a fixture's folder, which a test can change.
pub fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let file = entry.unwrap().path();
        fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    folder
}

pub fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

pub fn change_json(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = read_json(path);
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

/// Sets a field of config.json.
pub fn set(folder: &Path, field: &str, value: Value) {
    change_json(&folder.join("config.json"), |config| config[field] = value);
}

/// The weights of a folder, from all of its files: type, shape and bytes by name.
pub type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

pub fn read_tensors(folder: &Path) -> Tensors {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_weights = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("model") && name.ends_with(".safetensors")
    };
    let mut all = Tensors::new();
    for path in files.filter(is_weights) {
        let bytes = fs::read(path).unwrap();
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().iter() {
            all.insert(
                name.to_string(),
                (view.dtype(), view.shape().to_vec(), view.data().to_vec()),
            );
        }
    }
    all
}

pub fn write_tensors(path: &Path, tensors: &Tensors) {
    let view = |(dtype, shape, bytes)| TensorView::new(dtype, shape, bytes).unwrap();
    let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
        (name, view((*dtype, shape.clone(), bytes.as_slice())))
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Replaces the model of a folder by an adapter with this configuration.
pub fn adapter(folder: &Path, config: &Value) {
    fs::remove_file(folder.join("config.json")).unwrap();
    fs::write(folder.join("adapter_config.json"), config.to_string()).unwrap();
    let classifier = read_tensors(folder).remove("classifier.weight").unwrap();
    fs::remove_file(folder.join("model.safetensors")).unwrap();
    write_tensors(
        &folder.join("adapter_model.safetensors"),
        &[("base_model.model.classifier.weight".into(), classifier)].into(),
    );
}

/// Converts stored floats of 16 or 32 bits.
pub fn floats(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    match dtype {
        Dtype::F32 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect(),
        Dtype::F16 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f16::from_le_bytes(*bytes).to_f32())
            .collect(),
        Dtype::BF16 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|bytes| bf16::from_le_bytes(*bytes).to_f32())
            .collect(),
        other => panic!("{other:?} is not a supported float type"),
    }
}

/// The backends that the tests run on.
pub fn devices() -> Vec<Device> {
    #[allow(
        deprecated,
        reason = "a second backend to compare with, as long as Burn has it"
    )]
    let ndarray = Device::ndarray();
    vec![
        Device::flex(),
        ndarray,
        #[cfg(feature = "wgpu")]
        Device::wgpu(burn::tensor::DeviceKind::default()),
    ]
}

/// The results of transformers for a batch, from scripts/golden_models.py.
pub struct Expected(Vec<u8>);

impl Expected {
    pub fn read(name: &str) -> Self {
        Self(std::fs::read(fixture(name)).expect("the fixture is in the repository"))
    }

    pub fn names(&self) -> Vec<String> {
        self.tensors()
            .names()
            .into_iter()
            .map(String::from)
            .collect()
    }

    pub fn floats(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let tensors = self.tensors();
        let view = tensors.tensor(name).expect("the fixture has this tensor");
        let values = view
            .data()
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect();
        (view.shape().to_vec(), values)
    }

    pub fn ints(&self, name: &str, device: &Device) -> Tensor<2, Int> {
        let tensors = self.tensors();
        let view = tensors.tensor(name).expect("the fixture has this tensor");
        let values: Vec<i64> = view
            .data()
            .as_chunks()
            .0
            .iter()
            .map(|bytes| i64::from_le_bytes(*bytes))
            .collect();
        let shape = [
            view.shape()[..view.shape().len() - 1].iter().product(),
            *view.shape().last().unwrap(),
        ];
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    pub fn batch(&self, device: &Device) -> TokenBatch {
        let [ids, type_ids, mask] = ["ids", "type_ids", "mask"].map(|name| self.ints(name, device));
        TokenBatch {
            ids,
            type_ids,
            mask: mask.equal_elem(1),
        }
    }

    /// A tensor of any rank.
    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let (shape, values) = self.floats(name);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).expect("the fixture is a valid safetensors file")
    }
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .try_into_vec()
        .expect("the models compute in f32")
}

/// The largest difference relative to the largest expected value; infinite if a value is not a
/// number.
pub fn relative_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(
        found.len(),
        expected.len(),
        "the number of values differs from transformers"
    );
    let differences = found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (found - expected).abs());
    differences.fold(0f32, |largest, number| {
        if number.is_nan() {
            f32::INFINITY
        } else {
            largest.max(number)
        }
    }) / largest(expected)
}

pub fn largest(numbers: &[f32]) -> f32 {
    numbers
        .iter()
        .fold(0f32, |largest, number| largest.max(number.abs()))
}
