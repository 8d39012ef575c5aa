use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensorError};
use thiserror::Error;

/// An error of building, reading or writing a model.
///
/// The message says what is wrong and where.
/// Wrong tensor shapes in a forward pass are not errors of this type: they panic, as in Burn.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The model folder does not exist or is not a folder.
    #[error("there is no model folder at {}", path.display())]
    NoFolder {
        /// The path of the folder.
        path: PathBuf,
    },
    /// The folder lacks a file that every model folder has.
    #[error("the model folder has no {}", path.display())]
    NoFile {
        /// The path of the missing file.
        path: PathBuf,
    },
    /// The folder contains its weights only as a Python pickle.
    #[error("{} contains the weights as a Python pickle, which is not supported, and the folder has no model.safetensors", path.display())]
    PickleOnly {
        /// The path of the pickle.
        path: PathBuf,
        /// The transformers class that wrote the model, from its configuration.
        class: Option<String>,
    },
    /// A file of the folder is a Git LFS pointer.
    #[error("{} is a Git LFS pointer: the file itself has not been downloaded", path.display())]
    GitLfsPointer {
        /// The path of the pointer.
        path: PathBuf,
    },
    /// The folder contains a PEFT adapter instead of a model.
    #[error("{} describes a PEFT adapter{}, and the folder does not contain the model itself", path.display(), trained_on(base))]
    Adapter {
        /// The configuration of the adapter.
        path: PathBuf,
        /// The folder or name of the base model.
        base: Option<String>,
        /// PEFT's name of the task.
        task: Option<String>,
        /// The number of outputs of its classifier.
        labels: Option<usize>,
        /// Whether it extends the input or the attention of the base model, and so cannot be merged
        /// into the weights.
        is_prompt: bool,
    },
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The operation: read, write, rename.
        action: &'static str,
        /// The path of the file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A JSON file cannot be parsed or does not have the expected structure.
    #[error("cannot parse {}: {source}", path.display())]
    Json {
        /// The path of the file.
        path: PathBuf,
        /// The error of the parser.
        source: serde_json::Error,
    },
    /// A configuration field has the wrong type.
    #[error("{}: {field}: {source}", path.display())]
    FieldType {
        /// The path of the configuration.
        path: PathBuf,
        /// The name of the field.
        field: String,
        /// The type found and the type expected.
        source: serde_json::Error,
    },
    /// The configuration does not specify the architecture of the model.
    #[error("{} has no model_type, the field that names the model's architecture", path.display())]
    NoModelType {
        /// The path of the configuration.
        path: PathBuf,
        /// The type inferred from its field `architectures`.
        likely: Option<&'static str>,
    },
    /// The architecture of the model is not supported.
    #[error("{} describes a model of type {found:?}; supported: {supported}", path.display())]
    ModelType {
        /// The path of the configuration.
        path: PathBuf,
        /// Its `model_type`.
        found: String,
        /// The supported types.
        supported: String,
    },
    /// A configuration field has a value that is invalid or not supported.
    #[error("{}{field} is {value}; it must be {expected}", place(path))]
    Setting {
        /// The path of the configuration; `None` for a configuration created in code.
        path: Option<PathBuf>,
        /// The name of the field in transformers.
        field: &'static str,
        /// Its value, formatted as JSON.
        value: String,
        /// The allowed values.
        expected: String,
    },
    /// The checkpoint is truncated, corrupt or not a safetensors file.
    #[error("{} is not a complete safetensors file: {source}", path.display())]
    Checkpoint {
        /// The path of the file.
        path: PathBuf,
        /// The error of the parser.
        source: SafeTensorError,
    },
    /// The index of a checkpoint names a shard that is not a file in the same folder.
    #[error("{} lists the shard {shard:?}, which is not the name of a file in the same folder", path.display())]
    Shard {
        /// The path of the index.
        path: PathBuf,
        /// The name of the shard in the index.
        shard: String,
    },
    /// The checkpoint lacks tensors of the model.
    #[error("{} lacks {}", path.display(), list(keys))]
    MissingTensors {
        /// The path of the file.
        path: PathBuf,
        /// The names of the missing tensors.
        keys: Vec<String>,
    },
    /// The checkpoint contains tensors of layers that the configuration does not describe.
    #[error("{} contains tensors of layers that config.json does not describe: {}", path.display(), list(keys))]
    UnexpectedTensors {
        /// The path of the file.
        path: PathBuf,
        /// The names of the tensors.
        keys: Vec<String>,
    },
    /// The checkpoint contains a tensor of the model twice.
    #[error("{}: {key} is stored twice, also {other}", path.display())]
    TensorTwice {
        /// The path of the file.
        path: PathBuf,
        /// The tensor's name in this file.
        key: String,
        /// Its other name, or the other file.
        other: String,
    },
    /// A tensor's shape contradicts the configuration.
    #[error("{}: {key} has shape {found:?}, but config.json requires {expected:?}", path.display())]
    TensorShape {
        /// The path of the file.
        path: PathBuf,
        /// The tensor's name.
        key: String,
        /// The shape that the configuration implies.
        expected: Vec<usize>,
        /// The stored shape.
        found: Vec<usize>,
    },
    /// The type of a weight is not a floating-point number of 16, 32 or 64 bits.
    #[error("{}: {key} is stored as {found:?}; supported: F16, BF16, F32, F64", path.display())]
    TensorType {
        /// The path of the file.
        path: PathBuf,
        /// The tensor's name.
        key: String,
        /// The stored type.
        found: Dtype,
    },
    /// tokenizer.json cannot be parsed.
    #[error("{} is not a valid tokenizer: {source}", path.display())]
    Tokenizer {
        /// The path of the file.
        path: PathBuf,
        /// The error of the parser.
        source: tokenizers::Error,
    },
    /// The tokenizer can produce ids for which the model has no embedding.
    #[error("{} defines {tokens} tokens, but the model has only {rows} embeddings (vocab_size)", path.display())]
    Vocabulary {
        /// The path of the tokenizer file.
        path: PathBuf,
        /// The largest id plus one.
        tokens: usize,
        /// Number of rows of the embedding table.
        rows: usize,
    },
}

impl ModelError {
    /// The error of a configuration field, without the path of the file.
    pub(crate) fn setting(
        field: &'static str,
        value: impl ToString,
        expected: impl ToString,
    ) -> Self {
        Self::Setting {
            path: None,
            field,
            value: value.to_string(),
            expected: expected.to_string(),
        }
    }

    /// The same error with the path of the configuration file.
    pub(crate) fn in_file(mut self, file: &Path) -> Self {
        match &mut self {
            Self::Setting { path, .. } => *path = Some(file.to_path_buf()),
            Self::NoModelType { path, .. }
            | Self::ModelType { path, .. }
            | Self::Json { path, .. }
            | Self::FieldType { path, .. } => *path = file.to_path_buf(),
            _ => {}
        }
        self
    }
}

fn place(path: &Option<PathBuf>) -> String {
    path.as_ref()
        .map(|path| format!("{}: ", path.display()))
        .unwrap_or_default()
}

fn trained_on(base: &Option<String>) -> String {
    base.as_ref()
        .map(|base| format!(" trained on {base}"))
        .unwrap_or_default()
}

/// The first few names and the number of the others. A wrong checkpoint can lack hundreds of
/// tensors.
pub(crate) fn list(keys: &[String]) -> String {
    const SHOWN: usize = 4;
    match keys.len().checked_sub(SHOWN) {
        None | Some(0) => keys.join(", "),
        Some(more) => format!("{} and {more} more", keys[..SHOWN].join(", ")),
    }
}
