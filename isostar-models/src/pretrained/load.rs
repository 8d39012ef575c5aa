//! Strict loading of a checkpoint into a module: every parameter must have a tensor, and every
//! tensor of the encoder a parameter.
//!
//! burn-store 0.22 does not fit. Its safetensors store reads one file, without an index of shards;
//! its adapters turn one tensor into one tensor, but three parameters of GPT-2 are stored in one;
//! and its adapter for PyTorch transposes the weights of every linear layer, but those of GPT-2 are
//! stored untransposed.

use std::collections::{BTreeMap, HashSet};

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::{DType, TensorData};
use rayon::prelude::*;

use super::layout::{Layout, Path, Place};
use super::names::{canonical_names, wrapper};
use super::weights::Weights;
use crate::ModelError;
use crate::head::{Head, PretrainedModel};

/// A module with the weights of a folder. The fields are those of
/// [`Checkpoint`](super::Checkpoint).
pub(super) struct Loaded<M> {
    pub model: M,
    pub fresh: Vec<String>,
    pub extra: Vec<String>,
    pub wrapper: Option<String>,
}

/// Loads the weights of a folder into `model`. The modules of the head that are not stored keep
/// their initial values, and so does the output layer of the classifier if `outputs` is given and
/// differs from the stored number of outputs.
pub(super) fn load<M: PretrainedModel>(
    model: M,
    weights: Weights,
    layout: &Layout,
    outputs: Option<usize>,
) -> Result<Loaded<M>, ModelError> {
    let stored = canonical_names(&weights, layout)?;
    let output = layout.classifier_output();
    let stored_outputs = stored
        .get(&format!("{output}.weight"))
        .and_then(|name| weights.shape(name).first().copied());
    let loader = Loader {
        weights,
        layout,
        head: M::HEAD,
        discarded: outputs
            .zip(stored_outputs)
            .filter(|(asked_for, stored)| asked_for != stored)
            .map(|_| output),
        path: Path::default(),
        stored,
        used: HashSet::new(),
        loaded_modules: HashSet::new(),
        lacking: Vec::new(),
        discards: Vec::new(),
        wrapper: None,
        error: None,
    };
    loader.load(model)
}

struct Loader<'a> {
    weights: Weights,
    layout: &'a Layout,
    head: Head,
    discarded: Option<&'static str>,
    path: Path,
    /// The stored name of each tensor, by canonical name.
    stored: BTreeMap<String, String>,
    /// The canonical names of the tensors that were read.
    used: HashSet<String>,
    loaded_modules: HashSet<String>,
    /// The parameters that are not stored.
    lacking: Vec<Place>,
    discards: Vec<String>,
    wrapper: Option<String>,
    error: Option<ModelError>,
}

impl Loader<'_> {
    fn load<M: Module>(mut self, model: M) -> Result<Loaded<M>, ModelError> {
        let model = model.map(&mut self);
        if let Some(error) = self.error {
            return Err(error);
        }
        let is_fresh =
            |place: &Place| place.in_head && !self.loaded_modules.contains(&place.module);
        let (fresh, missing): (Vec<_>, Vec<_>) =
            self.lacking.iter().partition(|place| is_fresh(place));
        let path = self.weights.path;
        if !missing.is_empty() {
            let mut keys: Vec<String> = missing.into_iter().map(Place::key).collect();
            // Several parameters can share one tensor, which is then listed once for each.
            keys.sort();
            keys.dedup();
            return Err(ModelError::MissingTensors { path, keys });
        }
        let has_no_place =
            |key: &String| !self.used.contains(key) && !self.layout.is_passed_over(key, self.head);
        let names = self.stored.into_iter().filter(|(key, _)| has_no_place(key));
        let (keys, extra): (Vec<_>, Vec<_>) =
            names.partition(|(key, _)| self.layout.is_of_encoder(key));
        let stored_names =
            |names: Vec<(String, String)>| names.into_iter().map(|(_, name)| name).collect();
        if !keys.is_empty() {
            return Err(ModelError::UnexpectedTensors {
                path,
                keys: stored_names(keys),
            });
        }
        let fresh = fresh
            .into_iter()
            .map(Place::key)
            .chain(self.discards)
            .collect();
        Ok(Loaded {
            model,
            fresh,
            extra: stored_names(extra),
            wrapper: self.wrapper,
        })
    }

    fn read<const D: usize>(
        &mut self,
        name: &str,
        place: &Place,
        param: &Param<Tensor<D>>,
    ) -> Result<Tensor<D>, ModelError> {
        let shape: [usize; D] = param.lazy_shape().dims();
        let mut expected = shape.to_vec();
        if place.third.is_some() {
            expected[D - 1] *= 3;
        }
        if place.is_transposed {
            expected.reverse();
        }
        let found = self.weights.shape(name).to_vec();
        if found != expected {
            let path = self.weights.file(name).to_path_buf();
            return Err(ModelError::TensorShape {
                path,
                key: name.to_string(),
                expected,
                found,
            });
        }
        let mut values = self.weights.read(name)?;
        if let Some(part) = place.third {
            let columns = shape[D - 1];
            values = values
                .chunks_exact(3 * columns)
                .flat_map(|row| &row[part * columns..(part + 1) * columns])
                .copied()
                .collect();
        }
        if place.is_transposed {
            values = transposed(&values, found[1]);
        }
        Ok(Tensor::from_data(
            TensorData::new(values, shape),
            (&param.lazy_device(), DType::F32),
        ))
    }
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let place = self.layout.place(&self.path, self.head);
        let key = place.key();
        let name = self.stored.get(&key).cloned();
        self.used.insert(key.clone());
        if self.discarded == Some(place.module.as_str()) {
            self.discards.push(key);
            return param;
        }
        let Some(name) = name else {
            self.lacking.push(place);
            return param;
        };
        let read = self.read(&name, &place, &param);
        self.wrapper = self.wrapper.take().or_else(|| wrapper(&name));
        self.loaded_modules.insert(place.module);
        match read {
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

/// The transpose of a matrix with this number of columns. Both are in row-major order.
pub(super) fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    /// Number of columns per block: the rows of the output that fit into the caches together with
    /// the lines of the input.
    const BLOCK: usize = 16;
    let rows = values.len() / columns;
    let mut output = vec![0.0; values.len()];
    output
        .par_chunks_mut(BLOCK * rows)
        .enumerate()
        .for_each(|(block, output)| {
            for (row, values) in values.chunks_exact(columns).enumerate() {
                for (at, value) in values[block * BLOCK..].iter().take(BLOCK).enumerate() {
                    output[at * rows + row] = *value;
                }
            }
        });
    output
}

#[cfg(test)]
mod tests {
    use super::transposed;

    #[test]
    fn transposing_twice_changes_nothing() {
        for (rows, columns) in [(1, 1), (3, 40), (40, 3), (17, 33), (1, 20), (20, 1)] {
            let values: Vec<f32> = (0..rows * columns).map(|number| number as f32).collect();
            let other = transposed(&values, columns);
            assert_eq!(
                other[rows * columns - 1 - (rows - 1)],
                (columns - 1) as f32,
                "the last row starts with the first entry of the last column"
            );
            assert_eq!(transposed(&other, rows), values);
        }
    }
}
