//! The files to download from a repository: those of a model, or the requested files of a dataset.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::error::HubError;
use super::id::ModelId;
use super::repository::{Repository, Wanted};

pub(super) const INDEX: &str = "model.safetensors.index.json";
const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
/// The optional files that override tokenizer.json.
const TOKENIZER_OPTIONS: [&str; 3] = [
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
];
const WEIGHTS: &str = "model.safetensors";
/// The file that a PEFT adapter has instead of config.json.
const ADAPTER_CONFIG: &str = "adapter_config.json";
const PICKLES: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

/// The files of a repository at a revision.
pub(super) struct Listing {
    /// The commit of the revision.
    pub(super) sha: String,
    /// The files, each with its size if the hub reports it.
    pub(super) sizes: BTreeMap<String, Option<u64>>,
}

/// The index of a sharded checkpoint: the part that maps tensors to shards.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files to download, small files first, without the shards that the index names.
pub(super) fn wanted<'a>(
    repository: Repository<'a>,
    listing: &Listing,
) -> Result<Vec<&'a str>, HubError> {
    let id = repository.id;
    let has = |file: &str| listing.sizes.contains_key(file);
    let needs_tokenizer = match repository.wanted {
        Wanted::Model { needs_tokenizer } => needs_tokenizer,
        Wanted::Dataset(files) => {
            let missing = files.iter().find(|file| !has(file));
            return missing.map_or_else(
                || Ok(files.to_vec()),
                |file| Err(self::missing(repository, file)),
            );
        }
    };
    if has(ADAPTER_CONFIG) && !has(CONFIG) {
        return Err(HubError::Adapter { id: id.clone() });
    }
    let weights = [WEIGHTS, INDEX].into_iter().find(|file| has(file));
    if weights.is_none()
        && let Some(pickle) = PICKLES.into_iter().find(|file| has(file))
    {
        return Err(HubError::PickleOnly {
            id: id.clone(),
            file: pickle.to_string(),
        });
    }
    let weights = weights.unwrap_or(WEIGHTS);
    let mut needed = [CONFIG]
        .into_iter()
        .chain(needs_tokenizer.then_some(TOKENIZER))
        .chain([weights]);
    if let Some(missing) = needed.find(|file| !has(file)) {
        return Err(self::missing(repository, missing));
    }
    let files = [CONFIG, TOKENIZER]
        .into_iter()
        .chain(TOKENIZER_OPTIONS)
        .chain([weights]);
    Ok(files.filter(|file| has(file)).collect())
}

/// Reads the names of the shards from the index at `path`.
pub(super) fn read_shards(id: &ModelId, path: &Path) -> Result<BTreeSet<String>, HubError> {
    let bytes = fs::read(path).map_err(HubError::io("read", path))?;
    shards(&bytes).map_err(|reason| HubError::Index {
        id: id.clone(),
        reason,
    })
}

/// The error of a repository that lacks a file.
pub(super) fn missing(repository: Repository<'_>, file: &str) -> HubError {
    HubError::NoFile {
        kind: repository.kind(),
        id: repository.id.clone(),
        file: file.to_string(),
    }
}

/// Whether the folder contains all files that are [`wanted`].
pub(super) fn is_complete(repository: Repository<'_>, folder: &Path) -> bool {
    let has = |file: &str| folder.join(file).is_file();
    let needs_tokenizer = match repository.wanted {
        Wanted::Model { needs_tokenizer } => needs_tokenizer,
        Wanted::Dataset(files) => return files.iter().all(|file| has(file)),
    };
    let is_sharded = || {
        let shards = fs::read(folder.join(INDEX))
            .map_err(|error| error.to_string())
            .and_then(|bytes| shards(&bytes));
        shards.is_ok_and(|shards| shards.iter().all(|shard| has(shard)))
    };
    has(CONFIG) && (has(TOKENIZER) || !needs_tokenizer) && (has(WEIGHTS) || is_sharded())
}

fn shards(index: &[u8]) -> Result<BTreeSet<String>, String> {
    let index: Index = serde_json::from_slice(index).map_err(|error| error.to_string())?;
    let shards: BTreeSet<_> = index.weight_map.into_values().collect();
    match shards.iter().find(|shard| !is_shard(shard)) {
        Some(other) => Err(format!(
            "{other:?} is not the name of a safetensors file in the same folder"
        )),
        None if shards.is_empty() => Err("it lists no files".to_string()),
        None => Ok(shards),
    }
}

/// Whether the name refers to a safetensors file in the same folder.
fn is_shard(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.ends_with(".safetensors") && !name.starts_with('.') && name.bytes().all(is_plain)
}
