//! A model, or files of a dataset, by name on the Hugging Face hub: brought into the cache that the Python libraries share, and read from
//! there.
//!
//! ```no_run
//! use isostar_models::hub::{HubEvent, HubSettings, ModelId, fetch};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let id: ModelId = "sentence-transformers/all-MiniLM-L6-v2@main".parse()?;
//! let folder = fetch(&id, &HubSettings::from_env(), &mut |event| {
//!     if let HubEvent::Progress { file, received, total } = event {
//!         println!("{file}: {received} of {total} bytes");
//!     }
//! })?;
//! println!("{}", folder.display());
//! # Ok(())
//! # }
//! ```

mod cache;
mod client;
mod download;
mod error;
mod files;
mod id;
mod repository;
mod settings;
mod url;

use std::path::PathBuf;

use cache::Cache;
use client::Client;
use download::Download;
pub use error::HubError;
pub use id::ModelId;
pub use repository::RepositoryKind;
use repository::{Repository, Wanted};
pub use settings::HubSettings;

/// What happens while [`fetch`], [`fetch_weights`] or [`fetch_dataset`] works.
#[derive(Debug)]
#[non_exhaustive]
pub enum HubEvent<'a> {
    /// Bytes of a file have arrived. The first event of a file comes before its first byte, the last at its end.
    Progress {
        /// The file's name in the repository.
        file: &'a str,
        /// How many of its bytes are on the disk, those of an earlier, interrupted download included.
        received: u64,
        /// How many it has.
        total: u64,
    },
    /// Another process is downloading this file; it is waited for.
    Waiting {
        /// The file's name in the repository.
        file: &'a str,
    },
    /// The hub cannot be reached: the files are those brought earlier, which may not be the newest.
    FromCache {
        /// Why the hub cannot be reached.
        cause: &'a HubError,
    },
}

/// Brings a model from the hub into the cache, and says in which folder it is.
///
/// The files are config.json, tokenizer.json, the files that override it if there are any (tokenizer_config.json,
/// special_tokens_map.json, added_tokens.json), and the weights: model.safetensors, or else model.safetensors.index.json with its
/// shards. No other file is asked for, above all no pickle.
///
/// A file in the cache is not brought again, and one that was cut off is continued. The snapshot receives its files once the
/// last has arrived, and each has the size that the hub announced; large ones have its SHA-256 too. A revision given as a
/// commit hash needs no network when it is in the cache. The call blocks, and needs no runtime.
///
/// # Errors
/// If the model cannot be had: see [`HubError`]. If the hub cannot be reached but the model was brought earlier, that is not
/// an error: the observer learns of it.
pub fn fetch(id: &ModelId, settings: &HubSettings, observer: &mut dyn FnMut(HubEvent<'_>)) -> Result<PathBuf, HubError> {
    bring(Repository { id, wanted: Wanted::Model { needs_tokenizer: true } }, settings, observer)
}

/// The same for a model that is given token ids: a repository without tokenizer.json will do. If there is one, it is brought.
///
/// # Errors
/// As with [`fetch`].
pub fn fetch_weights(id: &ModelId, settings: &HubSettings, observer: &mut dyn FnMut(HubEvent<'_>)) -> Result<PathBuf, HubError> {
    bring(Repository { id, wanted: Wanted::Model { needs_tokenizer: false } }, settings, observer)
}

/// Brings files of a dataset from the hub into the cache, and says in which folder they are; a name may hold folders, as in
/// `sst2/train.parquet`.
///
/// All else is as with [`fetch`].
///
/// # Errors
/// If the files cannot be had: see [`HubError`].
pub fn fetch_dataset(
    id: &ModelId,
    files: &[&str],
    settings: &HubSettings,
    observer: &mut dyn FnMut(HubEvent<'_>),
) -> Result<PathBuf, HubError> {
    bring(Repository { id, wanted: Wanted::Dataset(files) }, settings, observer)
}

fn bring(repository: Repository<'_>, settings: &HubSettings, observer: &mut dyn FnMut(HubEvent<'_>)) -> Result<PathBuf, HubError> {
    let id = repository.id;
    id.check()?;
    let cache = Cache::new(&settings.cache, repository);
    if settings.offline {
        let absent = || HubError::Offline { id: id.clone(), cache: settings.cache.clone() };
        return cache.find(&id.revision).ok_or_else(absent);
    }
    if cache::is_commit(&id.revision)
        && let Some(folder) = cache.find(&id.revision)
    {
        return Ok(folder);
    }
    match bring_online(repository, settings, &cache, observer) {
        Err(cause @ HubError::Unreachable { .. }) => match cache.find(&id.revision) {
            Some(folder) => {
                observer(HubEvent::FromCache { cause: &cause });
                Ok(folder)
            }
            None => Err(cause),
        },
        outcome => outcome,
    }
}

fn bring_online(
    repository: Repository<'_>,
    settings: &HubSettings,
    cache: &Cache<'_>,
    observer: &mut dyn FnMut(HubEvent<'_>),
) -> Result<PathBuf, HubError> {
    let id = repository.id;
    let client = Client::new(settings, repository)?;
    let listing = client.list()?;
    let mut download = Download { repository, client: &client, cache, listing: &listing, observer };
    let mut brought = Vec::new();
    for file in files::wanted(repository, &listing)? {
        let path = download.bring(file)?;
        if file == files::INDEX {
            for shard in files::read_shards(id, &path)? {
                let shard_path = download.bring(&shard)?;
                brought.push((shard, shard_path));
            }
        }
        brought.push((file.to_string(), path));
    }
    for (file, path) in &brought {
        cache.link(&listing.sha, file, path)?;
    }
    cache.set_commit(&id.revision, &listing.sha)?;
    Ok(cache.snapshot(&listing.sha))
}
