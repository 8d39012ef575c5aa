use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensorError};
use thiserror::Error;

use crate::commands::pull_git_lfs;

/// Why a model could not be built, read or written.
///
/// The message says what is wrong and where; [`remedy`](ModelError::remedy) says what to do about it.
/// Wrong tensor shapes in a forward pass are not here: they panic, as they do in Burn.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The folder to read a model from does not exist or is not a folder.
    #[error("there is no model folder at {}", path.display())]
    NoFolder {
        /// The folder asked for.
        path: PathBuf,
    },
    /// A file that every model folder has is not there.
    #[error("the model folder has no {}", path.display())]
    NoFile {
        /// The file looked for.
        path: PathBuf,
    },
    /// The folder holds its weights as a Python pickle only.
    #[error("{} holds the weights as a Python pickle, which is not read, and there is no model.safetensors beside it", path.display())]
    PickleOnly {
        /// The pickle found.
        path: PathBuf,
        /// The command that writes the model to a new folder, with its head.
        convert: String,
    },
    /// A file of the folder is a Git LFS pointer.
    #[error("{} is a Git LFS pointer: the file itself has not been downloaded", path.display())]
    GitLfsPointer {
        /// The pointer.
        path: PathBuf,
    },
    /// The folder holds a PEFT adapter.
    #[error("{} describes a PEFT adapter{}, and the folder does not hold the model itself", path.display(), trained_on(base))]
    Adapter {
        /// The adapter's configuration.
        path: PathBuf,
        /// The folder or name of the model that it was trained on.
        base: Option<String>,
        /// The command that writes both as one model to a new folder; `None` if the model is not known, or the adapter is of a kind that
        /// cannot be merged into weights.
        merge: Option<String>,
    },
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: read, write, rename.
        action: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A JSON file does not parse, or is not what it should be as a whole.
    #[error("{} is not the JSON it should be: {source}", path.display())]
    Json {
        /// The file read.
        path: PathBuf,
        /// Where parsing stopped.
        source: serde_json::Error,
    },
    /// A configuration field holds something of another type.
    #[error("{}: {field}: {source}", path.display())]
    FieldType {
        /// The configuration read.
        path: PathBuf,
        /// The field.
        field: String,
        /// What it holds and what it should.
        source: serde_json::Error,
    },
    /// The configuration does not say of which architecture the model is.
    #[error("{} has no model_type, the field that names the model's architecture", path.display())]
    NoModelType {
        /// The configuration read.
        path: PathBuf,
        /// The type that its field `architectures` points to.
        likely: Option<&'static str>,
    },
    /// The folder holds a model of another architecture.
    #[error("{} describes a model of type {found:?}; supported: {supported}", path.display())]
    ModelType {
        /// The configuration read.
        path: PathBuf,
        /// Its `model_type`.
        found: String,
        /// The types that can be read.
        supported: String,
    },
    /// A configuration field holds a value that the model cannot honour.
    #[error("{}{field} is {value}; it must be {expected}", place(path))]
    Setting {
        /// The file that says so; `None` for a configuration made in code.
        path: Option<PathBuf>,
        /// The field, in transformers' name.
        field: &'static str,
        /// Its value, as written in JSON.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// The checkpoint is truncated, corrupt or not a safetensors file.
    #[error("{} is not a complete safetensors file: {source}", path.display())]
    Checkpoint {
        /// The file read.
        path: PathBuf,
        /// What the parser met.
        source: SafeTensorError,
    },
    /// The index of a checkpoint names a shard that is no file beside it.
    #[error("{} names {shard:?} as a part of the model, which is not the name of a file beside it", path.display())]
    Shard {
        /// The index read.
        path: PathBuf,
        /// What it says.
        shard: String,
    },
    /// The checkpoint lacks tensors of the model.
    #[error("{} lacks {}", path.display(), list(keys))]
    MissingTensors {
        /// The file read.
        path: PathBuf,
        /// The names looked for.
        keys: Vec<String>,
    },
    /// The checkpoint holds tensors of layers that the configuration does not name.
    #[error("{} holds tensors this model has no place for: {}", path.display(), list(keys))]
    UnexpectedTensors {
        /// The file read.
        path: PathBuf,
        /// The names found.
        keys: Vec<String>,
    },
    /// The checkpoint holds a tensor of the model twice.
    #[error("{}: {key} is stored twice, also {other}", path.display())]
    TensorTwice {
        /// The file read.
        path: PathBuf,
        /// The tensor's name there.
        key: String,
        /// Its other name, or the other file.
        other: String,
    },
    /// A tensor's shape contradicts the configuration.
    #[error("{}: {key} has shape {found:?}, but config.json asks for {expected:?}", path.display())]
    TensorShape {
        /// The file read.
        path: PathBuf,
        /// The tensor's name.
        key: String,
        /// The shape that the configuration implies.
        expected: Vec<usize>,
        /// The shape stored.
        found: Vec<usize>,
    },
    /// A weight is stored in a type that is not a floating-point number of 16, 32 or 64 bits.
    #[error("{}: {key} is stored as {found:?}; supported: F16, BF16, F32, F64", path.display())]
    TensorType {
        /// The file read.
        path: PathBuf,
        /// The tensor's name.
        key: String,
        /// The type stored.
        found: Dtype,
    },
    /// tokenizer.json does not parse.
    #[error("{} is not a tokenizer: {source}", path.display())]
    Tokenizer {
        /// The file read.
        path: PathBuf,
        /// What the parser met.
        source: tokenizers::Error,
    },
    /// The tokenizer can produce ids for which the model has no embedding.
    #[error("{} knows {tokens} tokens, but the model embeds only {rows} (vocab_size)", path.display())]
    Vocabulary {
        /// The tokenizer read.
        path: PathBuf,
        /// One more than its largest id.
        tokens: usize,
        /// Rows of the embedding table.
        rows: usize,
    },
}

impl ModelError {
    /// One line that says what to do.
    pub fn remedy(&self) -> String {
        let remedy = match self {
            Self::NoFolder { .. } => "give the path of a folder with config.json, model.safetensors and tokenizer.json",
            Self::NoFile { path } if path.ends_with("tokenizer.json") => {
                "copy it from the model's page, or write it from the vocabulary files: python -c 'import sys; from transformers import AutoTokenizer; \
                 AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[1])' FOLDER"
            }
            Self::NoFile { .. } => "copy the missing file from the model's page, or save the model again with save_pretrained",
            Self::PickleOnly { convert, .. } => return format!("convert it once, then use the new folder: {convert}"),
            Self::GitLfsPointer { path } => return format!("install Git LFS, then download the file: {}", pull_git_lfs(path)),
            Self::Adapter { merge: Some(merge), .. } => {
                return format!("merge the adapter into its model once, then use the new folder: {merge}");
            }
            Self::Adapter { merge: None, base: Some(_), .. } => {
                "use the model without the adapter: an adapter of prompts cannot be merged into weights"
            }
            Self::Adapter { merge: None, base: None, .. } => {
                "merge the adapter into its model with PEFT's merge_and_unload, and save the result with save_pretrained"
            }
            Self::NoModelType { likely: Some(likely), .. } => {
                return format!("add this line after the opening brace of the file: \"model_type\": \"{likely}\",");
            }
            Self::NoModelType { likely: None, .. } => {
                "add the field as in the config.json on the model's page, for example \"model_type\": \"bert\"; `isostar models` lists the types"
            }
            Self::Io { .. } => "check that the path exists, that you may use it, and that the disk has room",
            Self::Json { .. } => "compare the file with the one on the model's page; copy it again if it is cut short",
            Self::ModelType { .. } => "use a model of a supported type: `isostar models` lists them",
            Self::Shard { .. } => "copy the index again from the model's page",
            Self::FieldType { .. } => "compare the field with the one on the model's page",
            Self::Setting { .. } => "correct the field, or use a model that does without it",
            Self::Checkpoint { .. } => "copy the file again: the download was probably interrupted",
            Self::MissingTensors { .. } | Self::UnexpectedTensors { .. } | Self::TensorShape { .. } => {
                "check that config.json and model.safetensors belong to the same model"
            }
            Self::TensorTwice { .. } => "save the model again with save_pretrained",
            Self::TensorType { .. } => "save the model again as float32",
            Self::Tokenizer { .. } => "save the tokenizer again with a fast tokenizer's save_pretrained",
            Self::Vocabulary { .. } => "use the files of the tokenizer that belongs to this model",
        };
        remedy.to_string()
    }

    /// The refusal of a configuration field, before it is known which file said so.
    pub(crate) fn setting(field: &'static str, value: impl ToString, expected: impl ToString) -> Self {
        Self::Setting { path: None, field, value: value.to_string(), expected: expected.to_string() }
    }

    /// The same error, about the configuration in the file at `file`.
    pub(crate) fn in_file(mut self, file: &Path) -> Self {
        match &mut self {
            Self::Setting { path, .. } => *path = Some(file.to_path_buf()),
            Self::NoModelType { path, .. } | Self::ModelType { path, .. } | Self::Json { path, .. } | Self::FieldType { path, .. } => {
                *path = file.to_path_buf()
            }
            _ => {}
        }
        self
    }
}

fn place(path: &Option<PathBuf>) -> String {
    path.as_ref().map(|path| format!("{}: ", path.display())).unwrap_or_default()
}

fn trained_on(base: &Option<String>) -> String {
    base.as_ref().map(|base| format!(" trained on {base}")).unwrap_or_default()
}

/// The first few names, and how many more there are: a wrong checkpoint lacks hundreds.
pub(crate) fn list(keys: &[String]) -> String {
    const SHOWN: usize = 4;
    match keys.len().checked_sub(SHOWN) {
        None | Some(0) => keys.join(", "),
        Some(more) => format!("{} and {more} more", keys[..SHOWN].join(", ")),
    }
}
