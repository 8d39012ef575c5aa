//! model.safetensors: strictly into a module, and out of one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::{DType, TensorData, bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use super::keys::Cursor;
use crate::ModelError;

/// How one architecture lays out its checkpoints.
pub(crate) struct Layout {
    /// The modules that hold parameters and their names in a checkpoint; `*` stands for the number of a layer.
    pub keys: &'static [(&'static str, &'static str)],
    /// The name under which `keys` knows a stored tensor; `None` if the model has no use for it.
    pub canonical: fn(&str) -> Option<String>,
    /// Parts at the top of the module that a checkpoint may lack as a whole.
    pub optional: &'static [&'static str],
}

/// `model` with the weights in `bytes`, the content of the file at `path`, and the names of the tensors that keep their
/// fresh values: those of optional parts that are not stored, and of the part `discarded`, whatever is stored.
pub(super) fn load<M: Module>(
    model: M,
    path: &Path,
    bytes: &[u8],
    layout: &Layout,
    discarded: Option<&str>,
) -> Result<(M, Vec<String>), ModelError> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|source| ModelError::Checkpoint { path: path.to_path_buf(), source })?;
    let mut loader = Loader {
        path,
        layout,
        discarded,
        cursor: Cursor::default(),
        stored: BTreeMap::new(),
        loaded_parts: HashSet::new(),
        lacking: Vec::new(),
        discards: Vec::new(),
        error: None,
    };
    for (name, view) in tensors.iter() {
        if let Some(key) = (layout.canonical)(name)
            && let Some(twice) = loader.stored.insert(key, Stored { name, view })
        {
            loader.stored.insert(twice.name.to_string(), twice);
        }
    }
    let model = model.map(&mut loader);
    loader.finish().map(|fresh| (model, fresh))
}

/// A tensor of the checkpoint, under the name it has there.
struct Stored<'a> {
    name: &'a str,
    view: TensorView<'a>,
}

struct Loader<'a> {
    path: &'a Path,
    layout: &'a Layout,
    discarded: Option<&'a str>,
    cursor: Cursor,
    /// By canonical name; what is left in the end has no place in the model.
    stored: BTreeMap<String, Stored<'a>>,
    loaded_parts: HashSet<String>,
    /// Part and name of each parameter that is not stored.
    lacking: Vec<(String, String)>,
    discards: Vec<String>,
    error: Option<ModelError>,
}

impl Loader<'_> {
    fn read<const D: usize>(&self, stored: &Stored, param: &Param<Tensor<D>>) -> Result<Tensor<D>, ModelError> {
        let (path, key) = (self.path.to_path_buf(), stored.name.to_string());
        let shape: [usize; D] = param.lazy_shape().dims();
        let mut expected = shape.to_vec();
        if self.cursor.is_transposed() {
            expected.reverse();
        }
        let found = stored.view.shape().to_vec();
        if found != expected {
            return Err(ModelError::TensorShape { path, key, expected, found });
        }
        let Some(values) = floats(&stored.view) else {
            return Err(ModelError::TensorType { path, key, found: stored.view.dtype() });
        };
        let values = if self.cursor.is_transposed() { transposed(&values, found[1]) } else { values };
        Ok(Tensor::from_data(TensorData::new(values, shape), (&param.lazy_device(), DType::F32)))
    }

    fn finish(self) -> Result<Vec<String>, ModelError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let path = self.path.to_path_buf();
        let is_fresh = |part: &str| self.layout.optional.contains(&part) && !self.loaded_parts.contains(part);
        let (fresh, missing): (Vec<_>, Vec<_>) = self.lacking.into_iter().partition(|(part, _)| is_fresh(part));
        if !missing.is_empty() {
            return Err(ModelError::MissingTensors { path, keys: missing.into_iter().map(|(_, key)| key).collect() });
        }
        if !self.stored.is_empty() {
            let keys = self.stored.into_values().map(|stored| stored.name.to_string()).collect();
            return Err(ModelError::UnexpectedTensors { path, keys });
        }
        Ok(fresh.into_iter().map(|(_, key)| key).chain(self.discards).collect())
    }
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.cursor.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.cursor.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let key = self.cursor.key(self.layout.keys);
        let part = self.cursor.part().to_string();
        let stored = self.stored.remove(&key);
        if self.discarded == Some(part.as_str()) {
            self.discards.push(key);
            return param;
        }
        let Some(stored) = stored else {
            self.lacking.push((part, key));
            return param;
        };
        self.loaded_parts.insert(part);
        match self.read(&stored, &param) {
            Ok(tensor) => {
                let id = param.id;
                param.transform_for_load(tensor, id)
            }
            Err(error) => {
                self.error.get_or_insert(error);
                param
            }
        }
    }
}

/// The numbers of a stored tensor as f32; `None` if they are of another kind.
fn floats(view: &TensorView) -> Option<Vec<f32>> {
    fn read<const BYTES: usize>(view: &TensorView, number: impl Fn([u8; BYTES]) -> f32) -> Vec<f32> {
        let (numbers, _) = view.data().as_chunks::<BYTES>();
        numbers.iter().map(|bytes| number(*bytes)).collect()
    }
    match view.dtype() {
        Dtype::F32 => Some(read(view, f32::from_le_bytes)),
        Dtype::F16 => Some(read(view, |bytes| f16::from_le_bytes(bytes).to_f32())),
        Dtype::BF16 => Some(read(view, |bytes| bf16::from_le_bytes(bytes).to_f32())),
        Dtype::F64 => Some(read(view, |bytes| f64::from_le_bytes(bytes) as f32)),
        _ => None,
    }
}

/// A matrix of so many columns, row by row, with its rows as columns.
fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns;
    let mut output = Vec::with_capacity(values.len());
    for column in 0..columns {
        output.extend((0..rows).map(|row| values[row * columns + column]));
    }
    output
}

/// The content of a model.safetensors with the weights of `model` in f32, as PyTorch would lay them out.
///
/// # Errors
/// If the tensors cannot be described by a safetensors header.
pub(super) fn serialize<M: Module>(model: &M, layout: &Layout) -> Result<Vec<u8>, SafeTensorError> {
    let mut collector = Collector { layout, cursor: Cursor::default(), tensors: Vec::new() };
    model.visit(&mut collector);
    let views: Vec<(&str, TensorView)> = collector
        .tensors
        .iter()
        .map(|(key, shape, bytes)| Ok((key.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<_, SafeTensorError>>()?;
    // transformers asks who wrote the file, and takes it for PyTorch's only with this answer.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    safetensors::serialize(views, Some(metadata))
}

struct Collector<'a> {
    layout: &'a Layout,
    cursor: Cursor,
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.cursor.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.cursor.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let mut shape = tensor.dims().to_vec();
        let data = tensor.into_data_dtype(DType::F32);
        let mut values = data.try_into_vec::<f32>().expect("the data was converted to f32");
        if self.cursor.is_transposed() {
            values = transposed(&values, shape[1]);
            shape.reverse();
        }
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensors.push((self.cursor.key(self.layout.keys), shape, bytes));
    }
}
