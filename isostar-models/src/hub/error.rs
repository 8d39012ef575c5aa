use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::id::{InvalidId, ModelId};
use super::repository::RepositoryKind;

/// An error of downloading a model or a dataset from the hub.
///
/// The message says what is wrong and where.
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
    #[error(
        "{id} contains the weights as a Python pickle ({file}), which is not supported, and has no model.safetensors"
    )]
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
    #[error(
        "the download of {file} does not match the hub's description: expected {expected}, found {found}"
    )]
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
    /// A function that converts an error of the operating system during `action` on `path`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
