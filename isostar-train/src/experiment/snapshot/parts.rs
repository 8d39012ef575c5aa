//! The files of a snapshot.

use std::fs;
use std::path::Path;

use burn::optim::OptimizerRecord;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, DType, TensorData};
use burn_pack::{Reader, Writer};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use super::State;

/// Parameters.
const MODEL: &str = "model.bpk";
/// Moments and step of the optimizer.
const OPTIMIZER: &str = "optimizer.bpk";
/// Everything else that is not a tensor.
const STATE: &str = "state.json";
/// Reference covariance of the epoch.
const REFERENCE: &str = "reference.safetensors";
/// Tensors that the regularizer remembers, by number.
const REGULARIZER: &str = "regularizer.safetensors";
/// Predictions on the training rows of the epoch so far.
const ANSWERS: &str = "answers.bin";

/// The contents of a snapshot.
pub(in crate::experiment) struct Parts {
    pub model: ModuleRecord,
    pub optimizer: OptimizerRecord,
    pub state: State,
    /// Reference covariance, `[d, d]` in single precision; `None` between epochs.
    pub reference: Option<TensorData>,
    /// Tensors that the regularizer remembers, in single precision.
    pub regularizer: Vec<TensorData>,
    /// Predictions on the training rows, as the evaluator writes them.
    pub answers: Option<Vec<u8>>,
}

/// A file name and its bytes.
pub(super) type NamedBytes = (&'static str, Bytes);

impl Parts {
    /// Returns the files. Equal contents give equal bytes.
    ///
    /// # Errors
    /// If a record cannot be serialized.
    pub fn into_files(self) -> Result<Vec<NamedBytes>, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let model = self.model.into_bytes().map_err(|error| text(&error))?;
        let optimizer = self.optimizer.into_bytes().map_err(|error| text(&error))?;
        let [model, optimizer] = [model, optimizer].map(in_order);
        let (model, optimizer) = (
            model.map_err(|error| text(&error))?,
            optimizer.map_err(|error| text(&error))?,
        );
        let state = serde_json::to_vec_pretty(&self.state).map_err(|error| text(&error))?;
        let mut files = vec![
            (MODEL, model),
            (OPTIMIZER, optimizer),
            (STATE, Bytes::from_bytes_vec(state)),
        ];
        if let Some(reference) = self.reference {
            files.push((
                REFERENCE,
                tensor_file([("reference".to_string(), &reference)])?,
            ));
        }
        if !self.regularizer.is_empty() {
            let numbered = self.regularizer.iter().enumerate();
            let named = numbered.map(|(number, tensor)| (number.to_string(), tensor));
            files.push((REGULARIZER, tensor_file(named)?));
        }
        files.extend(
            self.answers
                .map(|answers| (ANSWERS, Bytes::from_bytes_vec(answers))),
        );
        Ok(files)
    }

    /// Reads the files of a folder.
    ///
    /// # Errors
    /// If one cannot be read or parsed; the message names it.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let bytes =
            |name: &str| fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"));
        let optional = |name: &str| {
            if folder.join(name).exists() {
                bytes(name).map(Some)
            } else {
                Ok(None)
            }
        };
        let model = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes(MODEL)?))
            .map_err(|error| format!("{MODEL}: {error}"))?;
        let optimizer = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(bytes(OPTIMIZER)?))
            .map_err(|error| format!("{OPTIMIZER}: {error}"))?;
        let state =
            serde_json::from_slice(&bytes(STATE)?).map_err(|error| format!("{STATE}: {error}"))?;
        let reference = optional(REFERENCE)?
            .map(|bytes| read_tensor(&bytes, REFERENCE, "reference"))
            .transpose()?;
        let regularizer = optional(REGULARIZER)?.map_or(Ok(Vec::new()), |bytes| {
            let file = SafeTensors::deserialize(&bytes)
                .map_err(|error| format!("{REGULARIZER}: {error}"))?;
            let numbers = 0..file.len();
            numbers
                .map(|number| read_tensor(&bytes, REGULARIZER, &number.to_string()))
                .collect()
        })?;
        Ok(Self {
            model,
            optimizer,
            state,
            reference,
            regularizer,
            answers: optional(ANSWERS)?,
        })
    }
}

/// Returns a safetensors file of tensors in single precision.
fn tensor_file<'a>(
    tensors: impl IntoIterator<Item = (String, &'a TensorData)>,
) -> Result<Bytes, String> {
    let views = tensors.into_iter().map(|(name, tensor)| {
        let shape = tensor.shape().iter().copied().collect();
        let view = TensorView::new(Dtype::F32, shape, tensor.as_bytes());
        view.map(|view| (name, view))
            .map_err(|error| error.to_string())
    });
    let views: Vec<_> = views.collect::<Result<_, _>>()?;
    let file = serialize(views, None).map_err(|error| error.to_string())?;
    Ok(Bytes::from_bytes_vec(file))
}

fn read_tensor(bytes: &[u8], file: &str, name: &str) -> Result<TensorData, String> {
    let fault = |error: &dyn std::fmt::Display| format!("{file}: {error}");
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| fault(&error))?;
    let tensor = tensors.tensor(name).map_err(|error| fault(&error))?;
    if tensor.dtype() != Dtype::F32 {
        return Err(fault(&format!("{:?} instead of F32", tensor.dtype())));
    }
    Ok(TensorData::from_bytes_vec(
        tensor.data().to_vec(),
        tensor.shape().to_vec(),
        DType::F32,
    ))
}

/// Returns a burnpack file with its tensors in the order of their names. Burn writes those of a model
/// in the order of its fields, or as they were read, and those of an optimizer in the order of a hash
/// table, which differs from process to process.
fn in_order(bytes: Bytes) -> Result<Bytes, burn_pack::Error> {
    let reader = Reader::from_bytes(bytes)?;
    let (scalars, metadata) = (reader.scalars().clone(), reader.metadata().clone());
    let mut writer = Writer::new(reader.into_tensors()?);
    for (name, value) in scalars {
        writer = writer.with_scalar(&name, value);
    }
    for (name, value) in metadata {
        writer = writer.with_metadata(&name, &value);
    }
    writer.into_bytes()
}
