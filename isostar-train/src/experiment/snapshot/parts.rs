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
/// Predictions on the training rows of the epoch so far.
const ANSWERS: &str = "answers.bin";

/// The contents of a snapshot.
pub(in crate::experiment) struct Parts {
    pub model: ModuleRecord,
    pub optimizer: OptimizerRecord,
    pub state: State,
    /// Reference covariance, `[d, d]` in single precision; `None` between epochs.
    pub reference: Option<TensorData>,
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
            let shape = reference.shape().iter().copied().collect();
            let view = TensorView::new(Dtype::F32, shape, reference.as_bytes())
                .map_err(|error| text(&error))?;
            let file = serialize([("reference", view)], None).map_err(|error| text(&error))?;
            files.push((REFERENCE, Bytes::from_bytes_vec(file)));
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
            .map(|bytes| read_reference(&bytes))
            .transpose()?;
        Ok(Self {
            model,
            optimizer,
            state,
            reference,
            answers: optional(ANSWERS)?,
        })
    }
}

fn read_reference(bytes: &[u8]) -> Result<TensorData, String> {
    let fault = |error: &dyn std::fmt::Display| format!("{REFERENCE}: {error}");
    let file = SafeTensors::deserialize(bytes).map_err(|error| fault(&error))?;
    let tensor = file.tensor("reference").map_err(|error| fault(&error))?;
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
