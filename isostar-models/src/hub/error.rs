use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{ModelId, RepositoryKind};
use crate::commands::convert_repository;

/// Why a model or a dataset could not be brought from the hub.
///
/// The message says what is wrong and where; [`remedy`](HubError::remedy) says what to do about it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// The text does not name a model on the hub.
    #[error("{text:?} does not name a model on the hub: {reason}")]
    NotAnId {
        /// The text given.
        text: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// The address of the hub is none.
    #[error("{endpoint:?} is not the address of a hub")]
    Endpoint {
        /// The address given.
        endpoint: String,
    },
    /// The hub has no such repository, or hides it from whoever may not see it.
    #[error("the hub has no {kind} {name}, or it is private")]
    NotFound {
        /// What was asked for.
        kind: RepositoryKind,
        /// Its name.
        name: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("the {kind} {} has no revision {}", id.name, id.revision)]
    NoRevision {
        /// What was asked for.
        kind: RepositoryKind,
        /// Its name and the revision asked for.
        id: ModelId,
    },
    /// The repository is only for those who have accepted its terms.
    #[error("the {kind} {name} is gated: its owners let in those who have asked on its page")]
    Gated {
        /// What was asked for.
        kind: RepositoryKind,
        /// Its name.
        name: String,
    },
    /// The access token is not valid, or does not open this repository.
    #[error("{endpoint} refuses the access token")]
    Unauthorized {
        /// The hub asked.
        endpoint: String,
    },
    /// The repository lacks a file that every model needs, or that was asked for of a dataset.
    #[error("the {kind} {id} has no {file}")]
    NoFile {
        /// What was asked for.
        kind: RepositoryKind,
        /// Its name and revision.
        id: ModelId,
        /// The file looked for.
        file: String,
    },
    /// The repository holds its weights as a Python pickle only; it was not downloaded.
    #[error("{id} holds the weights as a Python pickle ({file}), which is not read, and has no model.safetensors")]
    PickleOnly {
        /// The model asked for.
        id: ModelId,
        /// The pickle seen.
        file: String,
    },
    /// The repository holds a PEFT adapter, and not the model that it belongs to.
    #[error("{id} is a PEFT adapter, not a complete model")]
    Adapter {
        /// The adapter asked for.
        id: ModelId,
    },
    /// The index of a sharded checkpoint is not one, or names something else than a safetensors file beside it.
    #[error("model.safetensors.index.json of {id} is not the index of a checkpoint: {reason}")]
    Index {
        /// The model asked for.
        id: ModelId,
        /// What is wrong with it.
        reason: String,
    },
    /// No network is to be used, and the repository was never brought.
    #[error("{id} is not in the cache {}, and HF_HUB_OFFLINE forbids to ask the hub", cache.display())]
    Offline {
        /// The repository asked for.
        id: ModelId,
        /// The cache searched.
        cache: PathBuf,
    },
    /// The hub does not answer, or answers that it is out of order.
    #[error("cannot reach {endpoint}: {source}")]
    Unreachable {
        /// The hub, or the server that it pointed to.
        endpoint: String,
        /// What the connection met.
        source: io::Error,
    },
    /// Whatever answers is not a hub, or not one of this protocol.
    #[error("{url} gave an answer that a hub does not give: {reason}")]
    Answer {
        /// The address asked, without its query.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The connection ended in the middle of a file. What has arrived is kept.
    #[error("the download of {file} stopped after {received} of {total} bytes: {source}")]
    Interrupted {
        /// The file's name in the repository.
        file: String,
        /// The bytes on the disk.
        received: u64,
        /// The bytes expected.
        total: u64,
        /// What the connection met.
        source: io::Error,
    },
    /// A file arrived whole, but is not the one that the hub announced. It was deleted.
    #[error("{file} did not arrive as the hub announced it: expected {expected}, found {found}")]
    Damaged {
        /// The file's name in the repository.
        file: String,
        /// The size or the SHA-256 announced.
        expected: String,
        /// The one found.
        found: String,
    },
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: read, write, lock.
        action: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl HubError {
    /// One line that says what to do.
    pub fn remedy(&self) -> String {
        let remedy = match self {
            Self::NotAnId { .. } => "write it as on the model's page: organisation/name, or organisation/name@revision",
            Self::Endpoint { .. } => "set HF_ENDPOINT to an address such as https://huggingface.co, or unset it",
            Self::NotFound { .. } => "check the spelling on its page; if it is private, set HF_TOKEN to a token that may read it",
            Self::NoRevision { .. } => "give a branch, a tag or a full commit hash of its page, or none for the newest",
            Self::Gated { .. } => "ask for access on its page, then set HF_TOKEN to an access token of your account",
            Self::Unauthorized { .. } => "set HF_TOKEN to a valid access token that may read it, or log in again: hf auth login",
            Self::NoFile { kind: RepositoryKind::Model, .. } => {
                "use a model that has config.json, tokenizer.json and model.safetensors on its page"
            }
            Self::NoFile { kind: RepositoryKind::Dataset, .. } => "look on the dataset's page where its files are now",
            Self::PickleOnly { id, .. } => {
                return format!("convert it once, and use the new folder: {}", convert_repository(&id.name, &id.revision));
            }
            Self::Adapter { id } => {
                return format!(
                    "download it and name its folder instead, to be shown the command that merges it into its model: hf download {} --revision {} --local-dir adapter",
                    id.name, id.revision
                );
            }
            Self::Index { .. } => "use another revision of the model, or another model",
            Self::Offline { .. } => "unset HF_HUB_OFFLINE, download it once, or point HF_HOME at the cache that has it",
            Self::Unreachable { .. } => {
                "check the connection, HTTPS_PROXY, SSL_CERT_FILE and HF_ENDPOINT, or give the path of a folder that has it"
            }
            Self::Answer { .. } => "check HF_ENDPOINT and HTTPS_PROXY: something between here and the hub may answer in its place",
            Self::Interrupted { .. } => "run the same command again: the download continues where it stopped",
            Self::Damaged { .. } => "run the same command again: the file is downloaded afresh",
            Self::Io { .. } => "check that you may write to the cache (HF_HOME) and that the disk has room",
        };
        remedy.to_string()
    }

    /// What makes this error of the system's refusal to do `action` to `path`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
