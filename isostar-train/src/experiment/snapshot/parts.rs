//! The files of a snapshot.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::Path;

use burn::optim::OptimizerRecord;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, DType, TensorData};
use burn_pack::{Reader, Writer};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use super::super::ExperimentError;
use super::super::disk::{write_error, write_synced};
use super::{FileDigest, Manifest, State};

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
    /// Bytes of the files, about; for messages.
    pub bytes: u64,
}

/// A file name and its bytes.
type NamedBytes = (&'static str, Bytes);

impl Parts {
    /// Writes the files into a folder, and waits until they are on the disk; returns their digests.
    /// Tensors are written one at a time, without another copy in memory; those of an optimizer in an
    /// order that differs from process to process.
    ///
    /// # Errors
    /// If the system fails to write a file, or the state cannot be serialized.
    pub fn write(self, folder: &Path) -> Result<BTreeMap<String, FileDigest>, ExperimentError> {
        let unfit = |message: String| ExperimentError::Snapshot {
            path: folder.into(),
            message,
        };
        let small = [
            Some(self.state.to_file().map_err(unfit)?),
            reference_file(self.reference.as_ref()).map_err(unfit)?,
            regularizer_file(&self.regularizer).map_err(unfit)?,
            self.answers
                .map(|answers| (ANSWERS, Bytes::from_bytes_vec(answers))),
        ];
        let mut digests = BTreeMap::new();
        for (name, bytes) in small.into_iter().flatten() {
            let path = folder.join(name);
            write_synced(&path, &bytes).map_err(write_error(&path, self.bytes))?;
            digests.insert(name.into(), FileDigest::from_bytes(&bytes));
        }
        let (model, optimizer) = (folder.join(MODEL), folder.join(OPTIMIZER));
        let failed = |path: &Path, error: &dyn Display| {
            write_error(path, self.bytes)(system_error(&error.to_string()))
        };
        let saved = self.model.save(&model);
        saved.map_err(|error| failed(&model, &error))?;
        let saved = self.optimizer.save(&optimizer);
        saved.map_err(|error| failed(&optimizer, &error))?;
        for (name, path) in [(MODEL, model), (OPTIMIZER, optimizer)] {
            let digest = FileDigest::from_file(&path).map_err(ExperimentError::io(&path))?;
            digests.insert(name.into(), digest);
        }
        Ok(digests)
    }

    /// Returns the contents of the files, with tensors in the order of their names: equal states give
    /// equal bytes.
    ///
    /// # Errors
    /// If a record cannot be serialized.
    pub fn into_files(self) -> Result<Vec<NamedBytes>, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let model = self.model.into_bytes().map_err(|error| text(&error))?;
        let optimizer = self.optimizer.into_bytes().map_err(|error| text(&error))?;
        let [model, optimizer] =
            [model, optimizer].map(|bytes| in_order(bytes).and_then(Writer::into_bytes));
        let (model, optimizer) = (
            model.map_err(|error| text(&error))?,
            optimizer.map_err(|error| text(&error))?,
        );
        let mut files = vec![
            (MODEL, model),
            (OPTIMIZER, optimizer),
            self.state.to_file()?,
        ];
        files.extend(reference_file(self.reference.as_ref())?);
        files.extend(regularizer_file(&self.regularizer)?);
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
            bytes: 0,
        })
    }
}

impl State {
    fn to_file(&self) -> Result<NamedBytes, String> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        Ok((STATE, Bytes::from_bytes_vec(text)))
    }

    /// Reads the state of a snapshot, without its tensors.
    ///
    /// # Errors
    /// If the file is missing, malformed or not as the manifest says; the message names it.
    pub fn read(folder: &Path, manifest: &Manifest) -> Result<Self, String> {
        let bytes = fs::read(folder.join(STATE)).map_err(|error| format!("{STATE}: {error}"))?;
        if manifest.files.get(STATE) != Some(&FileDigest::from_bytes(&bytes)) {
            return Err(format!("{STATE} is damaged"));
        }
        serde_json::from_slice(&bytes).map_err(|error| format!("{STATE}: {error}"))
    }
}

/// Returns the system's error that a message of Burn ends with; the message repeats the path.
fn system_error(message: &str) -> io::Error {
    let number = message
        .rsplit_once("(os error ")
        .and_then(|(_, rest)| rest.split(')').next()?.parse().ok());
    number.map_or_else(|| io::Error::other(message), io::Error::from_raw_os_error)
}

fn reference_file(reference: Option<&TensorData>) -> Result<Option<NamedBytes>, String> {
    let file = |reference| tensor_file([("reference".to_string(), reference)]);
    let file = reference.map(file).transpose()?;
    Ok(file.map(|file| (REFERENCE, file)))
}

/// Returns the file of the tensors that a regularizer remembers, if there are any.
fn regularizer_file(tensors: &[TensorData]) -> Result<Option<NamedBytes>, String> {
    if tensors.is_empty() {
        return Ok(None);
    }
    let numbered = tensors.iter().enumerate();
    let file = tensor_file(numbered.map(|(number, tensor)| (number.to_string(), tensor)))?;
    Ok(Some((REGULARIZER, file)))
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

/// Orders the tensors of a burnpack file by their names. Burn writes those of a model in the order of
/// its fields, or as they were read, and those of an optimizer in the order of a hash table, which
/// differs from process to process.
fn in_order(bytes: Bytes) -> Result<Writer, burn_pack::Error> {
    let reader = Reader::from_bytes(bytes)?;
    let (scalars, metadata) = (reader.scalars().clone(), reader.metadata().clone());
    let mut writer = Writer::new(reader.into_tensors()?);
    for (name, value) in scalars {
        writer = writer.with_scalar(&name, value);
    }
    for (name, value) in metadata {
        writer = writer.with_metadata(&name, &value);
    }
    Ok(writer)
}
