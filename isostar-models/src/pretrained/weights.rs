//! The safetensors files of a folder: a single file, or shards with an index. Headers are checked
//! when they are opened; tensors are read one at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use burn::tensor::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::Deserialize;

use super::adapter;
use super::folder::{failed, parse_json, read_file};
use super::header::{header, starts_as_pointer};
use crate::{ModelConfig, ModelError};

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const PICKLES: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

/// The stored tensors by name.
pub(super) struct Weights {
    /// The path of model.safetensors or of the index, for messages about missing tensors.
    pub path: PathBuf,
    files: Vec<(PathBuf, File)>,
    tensors: BTreeMap<String, Stored>,
}

/// The location and type of a stored tensor.
#[derive(Clone)]
struct Stored {
    file: usize,
    /// Offset from the beginning of the file, in bytes.
    offset: u64,
    info: TensorInfo,
}

/// The index of a sharded checkpoint: the part that maps tensors to shards.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Opens model.safetensors, or if it is absent the shards that model.safetensors.index.json
    /// lists.
    pub(super) fn open(folder: &Path, config: &ModelConfig) -> Result<Self, ModelError> {
        let (single, index) = (folder.join(WEIGHTS), folder.join(INDEX));
        if single.exists() {
            let mut weights = Self {
                path: single.clone(),
                files: Vec::new(),
                tensors: BTreeMap::new(),
            };
            weights.add(single)?;
            return Ok(weights);
        }
        if index.exists() {
            return Self::open_shards(folder, index);
        }
        match PICKLES
            .into_iter()
            .map(|name| folder.join(name))
            .find(|path| path.exists())
        {
            Some(path) if starts_as_pointer(&path) => Err(ModelError::GitLfsPointer { path }),
            Some(path) => Err(ModelError::PickleOnly {
                class: config.class(),
                path,
            }),
            None => Err(adapter::refusal(folder).unwrap_or(ModelError::NoFile { path: single })),
        }
    }

    fn open_shards(folder: &Path, path: PathBuf) -> Result<Self, ModelError> {
        let Index { weight_map } = parse_json(&path, &read_file(&path)?)?;
        let mut weights = Self {
            path: path.clone(),
            files: Vec::new(),
            tensors: BTreeMap::new(),
        };
        let mut names: Vec<&String> = weight_map.values().collect();
        names.sort();
        names.dedup();
        for name in names {
            // The name is untrusted input: a path could refer to a file outside the folder.
            if Path::new(name).file_name() != Some(name.as_ref()) {
                return Err(ModelError::Shard {
                    path,
                    shard: name.clone(),
                });
            }
            weights.add(folder.join(name))?;
        }
        for (key, shard) in weight_map {
            let path = folder.join(shard);
            if weights
                .tensors
                .get(&key)
                .is_none_or(|stored| weights.files[stored.file].0 != path)
            {
                return Err(ModelError::MissingTensors {
                    path,
                    keys: vec![key],
                });
            }
        }
        Ok(weights)
    }

    fn add(&mut self, path: PathBuf) -> Result<(), ModelError> {
        let mut file = File::open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => ModelError::NoFile { path: path.clone() },
            _ => failed("open", &path)(error),
        })?;
        let (start, metadata) = header(&path, &mut file)?;
        for (name, info) in metadata.tensors() {
            let stored = Stored {
                file: self.files.len(),
                offset: start + info.data_offsets.0 as u64,
                info: info.clone(),
            };
            if let Some(other) = self.tensors.insert(name.clone(), stored) {
                let other = format!("in {}", self.files[other.file].0.display());
                return Err(ModelError::TensorTwice {
                    path,
                    key: name,
                    other,
                });
            }
        }
        self.files.push((path, file));
        Ok(())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor.
    ///
    /// # Panics
    /// If the tensor does not exist.
    pub(super) fn shape(&self, name: &str) -> &[usize] {
        &self.tensors[name].info.shape
    }

    /// The path of the file that contains a tensor.
    ///
    /// # Panics
    /// If the tensor does not exist.
    pub(super) fn file(&self, name: &str) -> &Path {
        &self.files[self.tensors[name].file].0
    }

    /// Reads the values of a tensor as f32, in the stored order.
    ///
    /// # Panics
    /// If the tensor does not exist.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        let Stored { file, offset, info } = self.tensors[name].clone();
        let (path, file) = &mut self.files[file];
        let count: usize = info.shape.iter().product();
        let mut bytes = |bytes: &mut [u8]| {
            let read = file
                .seek(SeekFrom::Start(offset))
                .and_then(|_| file.read_exact(bytes));
            read.map_err(failed("read", path))
        };
        if info.dtype == Dtype::F32 {
            // The bytes are read into the result directly, because a copy of a large table takes
            // noticeable time and memory.
            let mut numbers = vec![0.0f32; count];
            bytes(bytemuck::cast_slice_mut(&mut numbers))?;
            numbers
                .iter_mut()
                .for_each(|number| *number = f32::from_bits(u32::from_le(number.to_bits())));
            return Ok(numbers);
        }
        let convert = match info.dtype {
            Dtype::F16 => |bytes: &[u8]| numbers(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Dtype::BF16 => {
                |bytes: &[u8]| numbers(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32())
            }
            Dtype::F64 => |bytes: &[u8]| numbers(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
            found => {
                return Err(ModelError::TensorType {
                    path: path.clone(),
                    key: name.to_string(),
                    found,
                });
            }
        };
        let mut stored = vec![0; info.data_offsets.1 - info.data_offsets.0];
        bytes(&mut stored)?;
        Ok(convert(&stored))
    }
}

fn numbers<const BYTES: usize>(bytes: &[u8], number: impl Fn([u8; BYTES]) -> f32) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<BYTES>();
    numbers.iter().map(|bytes| number(*bytes)).collect()
}
