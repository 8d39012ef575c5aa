use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::id::{InvalidId, ModelId};
use super::repository::RepositoryKind;
use crate::commands::convert_repository;

/// An error of downloading a model or a dataset from the hub.
///
/// The message says what is wrong and where; [`remedy`](HubError::remedy) says how to correct it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// The text is not a valid name of a model on the hub.
    #[error(transparent)]
    NotAnId(#[from] InvalidId),
    /// The address of the hub is not a valid URL.
    #[error("{endpoint:?} is not a valid address of a hub")]
    Endpoint {
        /// The invalid address.
        endpoint: String,
    },
    /// The repository does not exist, or it is private and the access token does not permit access.
    #[error("the hub has no {kind} {name}, or it is private")]
    NotFound {
        /// The kind of the repository.
        kind: RepositoryKind,
        /// Its name.
        name: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("the {kind} {} has no revision {}", id.name, id.revision)]
    NoRevision {
        /// The kind of the repository.
        kind: RepositoryKind,
        /// Its name and the requested revision.
        id: ModelId,
    },
    /// The repository is gated: access must be requested.
    #[error("the {kind} {name} is gated: access must be requested on its page")]
    Gated {
        /// The kind of the repository.
        kind: RepositoryKind,
        /// Its name.
        name: String,
    },
    /// The access token is not valid, or does not permit access to this repository.
    #[error("{endpoint} rejected the access token")]
    Unauthorized {
        /// The address of the hub.
        endpoint: String,
    },
    /// The repository lacks a file that every model needs, or a requested file of a dataset.
    #[error("the {kind} {id} has no {file}")]
    NoFile {
        /// The kind of the repository.
        kind: RepositoryKind,
        /// Its name and revision.
        id: ModelId,
        /// The missing file.
        file: String,
    },
    /// The repository contains its weights only as a Python pickle, which was not downloaded.
    #[error("{id} contains the weights as a Python pickle ({file}), which is not supported, and has no model.safetensors")]
    PickleOnly {
        /// The requested model.
        id: ModelId,
        /// The name of the pickle.
        file: String,
    },
    /// The repository contains a PEFT adapter without its base model.
    #[error("{id} is a PEFT adapter, not a complete model")]
    Adapter {
        /// The requested adapter.
        id: ModelId,
    },
    /// The index of a sharded checkpoint is malformed, or names a shard that is not a safetensors
    /// file in the same folder.
    #[error("model.safetensors.index.json of {id} is not a valid checkpoint index: {reason}")]
    Index {
        /// The requested model.
        id: ModelId,
        /// The reason why the index is invalid.
        reason: String,
    },
    /// Offline mode is on, and the repository is not in the cache.
    #[error("{id} is not in the cache {}, and HF_HUB_OFFLINE prevents downloads", cache.display())]
    Offline {
        /// The requested repository.
        id: ModelId,
        /// The path of the cache.
        cache: PathBuf,
    },
    /// The hub does not respond, or responds with a server error.
    #[error("cannot reach {endpoint}: {source}")]
    Unreachable {
        /// The address of the hub, or of the server to which it redirected.
        endpoint: String,
        /// The error of the connection.
        source: io::Error,
    },
    /// The response is not one that a hub sends.
    #[error("{url} sent an unexpected response: {reason}")]
    Answer {
        /// The address of the request, without its query.
        url: String,
        /// The reason why the response is invalid.
        reason: String,
    },
    /// The connection ended before the file was complete. The received bytes are kept.
    #[error("the download of {file} stopped after {received} of {total} bytes: {source}")]
    Interrupted {
        /// The file's name in the repository.
        file: String,
        /// Number of bytes on the disk.
        received: u64,
        /// Size of the file in bytes.
        total: u64,
        /// The error of the connection.
        source: io::Error,
    },
    /// A downloaded file does not match the size or the SHA-256 that the hub reported. It was
    /// deleted.
    #[error("the download of {file} does not match the hub's description: expected {expected}, found {found}")]
    Damaged {
        /// The file's name in the repository.
        file: String,
        /// The reported size or SHA-256.
        expected: String,
        /// The size or SHA-256 of the downloaded file.
        found: String,
    },
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The operation: read, write, lock.
        action: &'static str,
        /// The path of the file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl HubError {
    /// One line that says how to correct the error.
    pub fn remedy(&self) -> String {
        let remedy = match self {
            Self::NotAnId(_) => "write it as on the model's page: organisation/name, or organisation/name@revision",
            Self::Endpoint { .. } => "set HF_ENDPOINT to an address such as https://huggingface.co, or unset it",
            Self::NotFound { .. } => "check the spelling on its page; if it is private, set HF_TOKEN to a token that may read it",
            Self::NoRevision { .. } => {
                "use a branch, a tag or a full commit hash from its page, or omit the revision for the newest version"
            }
            Self::Gated { .. } => "request access on its page, then set HF_TOKEN to an access token of your account",
            Self::Unauthorized { .. } => "set HF_TOKEN to a valid access token that may read it, or log in again: hf auth login",
            Self::NoFile { kind: RepositoryKind::Model, .. } => {
                "use a model that has config.json, tokenizer.json and model.safetensors on its page"
            }
            Self::NoFile { kind: RepositoryKind::Dataset, .. } => "check the names of the files on the dataset's page",
            Self::PickleOnly { id, .. } => {
                return format!("convert the model, then use the new folder: {}", convert_repository(&id.name, &id.revision));
            }
            Self::Adapter { id } => {
                return format!(
                    "download it and pass its folder instead; isostar then prints the command that merges it into its base model: hf download {} --revision {} --local-dir adapter",
                    id.name, id.revision
                );
            }
            Self::Index { .. } => "use another revision of the model, or another model",
            Self::Offline { .. } => "unset HF_HUB_OFFLINE to download it, or set HF_HOME to the cache that contains it",
            Self::Unreachable { .. } => {
                "check the connection, HTTPS_PROXY, SSL_CERT_FILE and HF_ENDPOINT, or pass the path of a folder that contains it"
            }
            Self::Answer { .. } => "check HF_ENDPOINT and HTTPS_PROXY: a proxy may have responded instead of the hub",
            Self::Interrupted { .. } => "run the same command again: the download resumes where it stopped",
            Self::Damaged { .. } => "run the same command again: the file is downloaded from the beginning",
            Self::Io { .. } => "check that you have write access to the cache (HF_HOME) and that the disk has free space",
        };
        remedy.to_string()
    }

    /// A function that converts an error of the operating system during `action` on `path`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
