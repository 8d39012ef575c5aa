//! Writing of a module as model.safetensors.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::DType;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::layout::{Layout, Path, Place};
use super::load::transposed;
use crate::head::{Head, PretrainedModel};

/// Writes the weights of `model` in f32 and in PyTorch's layout, sorted by name.
///
/// Only one tensor at a time is read back from the device.
pub(super) fn write<M: PretrainedModel>(
    model: &M,
    layout: &Layout,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut collector = Collector {
        layout,
        head: M::HEAD,
        path: Path::default(),
        tensors: BTreeMap::new(),
    };
    model.visit(&mut collector);
    let tensors = collector.tensors;

    let mut end = 0;
    let mut info = |parts: &Vec<Part>| {
        let shape = stored_shape(parts);
        let start = end;
        end += shape.iter().product::<usize>() * size_of::<f32>();
        TensorInfo {
            dtype: Dtype::F32,
            shape,
            data_offsets: (start, end),
        }
    };
    let infos = tensors
        .iter()
        .map(|(key, parts)| (key.clone(), info(parts)))
        .collect();
    // transformers requires this metadata to recognise the format as PyTorch's.
    let about = HashMap::from([("format".to_string(), "pt".to_string())]);
    let metadata = Metadata::new(Some(about), infos).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&metadata)?;
    header.resize(header.len().next_multiple_of(8), b' ');

    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for parts in tensors.values() {
        let bytes: Vec<u8> = values(parts)
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// A parameter, and a function that reads its values.
struct Part {
    shape: Vec<usize>,
    is_transposed: bool,
    values: Box<dyn Fn() -> Vec<f32>>,
}

struct Collector<'a> {
    layout: &'a Layout,
    head: Head,
    path: Path,
    /// The parameters by stored name. Parameters that are stored in one tensor are in the order of
    /// their parts.
    tensors: BTreeMap<String, Vec<Part>>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let place: Place = self.layout.place(&self.path, self.head);
        let tensor = param.val();
        let part = Part {
            shape: tensor.dims().to_vec(),
            is_transposed: place.is_transposed,
            values: Box::new(move || {
                let data = tensor.clone().into_data_dtype(DType::F32);
                data.try_into_vec().expect("the data was converted to f32")
            }),
        };
        let parts = self.tensors.entry(place.key()).or_default();
        assert!(
            place.third.is_none_or(|third| third == parts.len()),
            "thirds are visited in order"
        );
        parts.push(part);
    }
}

/// The shape of the stored tensor, in which the parts are concatenated along the last dimension.
fn stored_shape(parts: &[Part]) -> Vec<usize> {
    let mut shape = parts[0].shape.clone();
    *shape.last_mut().expect("a parameter is not a scalar") *= parts.len();
    if parts[0].is_transposed {
        shape.reverse();
    }
    shape
}

fn values(parts: &[Part]) -> Vec<f32> {
    let columns = *parts[0].shape.last().expect("a parameter is not a scalar");
    let mut all: Vec<Vec<f32>> = parts.iter().map(|part| (part.values)()).collect();
    match all.len() {
        1 if parts[0].is_transposed => transposed(&all[0], columns),
        1 => all.remove(0),
        _ => (0..all[0].len() / columns)
            .flat_map(|row| {
                all.iter()
                    .flat_map(move |part| &part[row * columns..(row + 1) * columns])
            })
            .copied()
            .collect(),
    }
}
