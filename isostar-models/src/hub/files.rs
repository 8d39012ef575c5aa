//! Which files of a repository are brought: those that make a model, or those of a dataset that were asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::client::Listing;
use super::repository::{Repository, Wanted};
use super::{HubError, ModelId};

pub(super) const INDEX: &str = "model.safetensors.index.json";
const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
/// The files that override tokenizer.json; a repository may lack them.
const TOKENIZER_OPTIONS: [&str; 3] = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];
const WEIGHTS: &str = "model.safetensors";
/// What a PEFT adapter has in the place of config.json.
const ADAPTER_CONFIG: &str = "adapter_config.json";
const PICKLES: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

/// The part of a sharded checkpoint's index that says where the tensors are.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files to bring, but for the shards, which the index names; the small ones first.
pub(super) fn wanted<'a>(repository: Repository<'a>, listing: &Listing) -> Result<Vec<&'a str>, HubError> {
    let id = repository.id;
    let has = |file: &str| listing.sizes.contains_key(file);
    let needs_tokenizer = match repository.wanted {
        Wanted::Model { needs_tokenizer } => needs_tokenizer,
        Wanted::Dataset(files) => {
            let missing = files.iter().find(|file| !has(file));
            return missing.map_or_else(|| Ok(files.to_vec()), |file| Err(self::missing(repository, file)));
        }
    };
    if has(ADAPTER_CONFIG) && !has(CONFIG) {
        return Err(HubError::Adapter { id: id.clone() });
    }
    let weights = [WEIGHTS, INDEX].into_iter().find(|file| has(file));
    if weights.is_none()
        && let Some(pickle) = PICKLES.into_iter().find(|file| has(file))
    {
        return Err(HubError::PickleOnly { id: id.clone(), file: pickle.to_string() });
    }
    let weights = weights.unwrap_or(WEIGHTS);
    let mut needed = [CONFIG].into_iter().chain(needs_tokenizer.then_some(TOKENIZER)).chain([weights]);
    if let Some(missing) = needed.find(|file| !has(file)) {
        return Err(self::missing(repository, missing));
    }
    let files = [CONFIG, TOKENIZER].into_iter().chain(TOKENIZER_OPTIONS).chain([weights]);
    Ok(files.filter(|file| has(file)).collect())
}

/// The shards that the index at `path` names.
pub(super) fn read_shards(id: &ModelId, path: &Path) -> Result<BTreeSet<String>, HubError> {
    let bytes = fs::read(path).map_err(HubError::io("read", path))?;
    shards(&bytes).map_err(|reason| HubError::Index { id: id.clone(), reason })
}

/// The refusal of a repository that lacks a file.
pub(super) fn missing(repository: Repository<'_>, file: &str) -> HubError {
    HubError::NoFile { kind: repository.kind(), id: repository.id.clone(), file: file.to_string() }
}

/// Whether the folder has all that [`wanted`] asks for.
pub(super) fn is_complete(repository: Repository<'_>, folder: &Path) -> bool {
    let has = |file: &str| folder.join(file).is_file();
    let needs_tokenizer = match repository.wanted {
        Wanted::Model { needs_tokenizer } => needs_tokenizer,
        Wanted::Dataset(files) => return files.iter().all(|file| has(file)),
    };
    let is_sharded = || {
        let shards = fs::read(folder.join(INDEX)).map_err(|error| error.to_string()).and_then(|bytes| shards(&bytes));
        shards.is_ok_and(|shards| shards.iter().all(|shard| has(shard)))
    };
    has(CONFIG) && (has(TOKENIZER) || !needs_tokenizer) && (has(WEIGHTS) || is_sharded())
}

fn shards(index: &[u8]) -> Result<BTreeSet<String>, String> {
    let index: Index = serde_json::from_slice(index).map_err(|error| error.to_string())?;
    let shards: BTreeSet<_> = index.weight_map.into_values().collect();
    match shards.iter().find(|shard| !is_shard(shard)) {
        Some(other) => Err(format!("{other:?} is not the plain name of a safetensors file")),
        None if shards.is_empty() => Err("it names no file".to_string()),
        None => Ok(shards),
    }
}

/// A name that can neither leave the folder nor stand for a file of another kind.
fn is_shard(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.ends_with(".safetensors") && !name.starts_with('.') && name.bytes().all(is_plain)
}
