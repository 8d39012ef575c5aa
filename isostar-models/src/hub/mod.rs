//! Download of models and dataset files from the Hugging Face hub into the cache that is shared
//! with the Python libraries.
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
mod event;
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
pub use event::HubEvent;
pub use id::{InvalidId, ModelId};
pub use repository::RepositoryKind;
use repository::{Repository, Wanted};
pub use settings::HubSettings;

/// Downloads a model from the hub into the cache and returns its folder.
///
/// The files are config.json, tokenizer.json, the optional files that override it
/// (tokenizer_config.json, special_tokens_map.json, added_tokens.json), and the weights:
/// model.safetensors, or else model.safetensors.index.json with its shards. No other file is
/// requested; pickles are never downloaded.
///
/// A file in the cache is not downloaded again, and an interrupted download is resumed. The size of
/// every file is checked, and the SHA-256 of large files. The files appear in the snapshot folder
/// only after all of them were downloaded. A commit hash that is in the cache requires no network.
/// The call blocks and does not need an async runtime.
///
/// # Errors
/// If the model cannot be downloaded: see [`HubError`]. If the hub cannot be reached but the model
/// is in the cache, the cached model is returned and the observer receives [`HubEvent::FromCache`].
pub fn fetch(
    id: &ModelId,
    settings: &HubSettings,
    observer: &mut dyn FnMut(HubEvent<'_>),
) -> Result<PathBuf, HubError> {
    bring(
        Repository {
            id,
            wanted: Wanted::Model {
                needs_tokenizer: true,
            },
        },
        settings,
        observer,
    )
}

/// Downloads a model like [`fetch`], but does not require a tokenizer. tokenizer.json is downloaded
/// if the repository has it.
///
/// # Errors
/// See [`fetch`].
pub fn fetch_weights(
    id: &ModelId,
    settings: &HubSettings,
    observer: &mut dyn FnMut(HubEvent<'_>),
) -> Result<PathBuf, HubError> {
    bring(
        Repository {
            id,
            wanted: Wanted::Model {
                needs_tokenizer: false,
            },
        },
        settings,
        observer,
    )
}

/// Downloads files of a dataset from the hub into the cache and returns their folder.
///
/// File names may include folders, as in `sst2/train.parquet`. See [`fetch`] for the cache.
///
/// # Errors
/// If the files cannot be downloaded: see [`HubError`].
pub fn fetch_dataset(
    id: &ModelId,
    files: &[&str],
    settings: &HubSettings,
    observer: &mut dyn FnMut(HubEvent<'_>),
) -> Result<PathBuf, HubError> {
    bring(
        Repository {
            id,
            wanted: Wanted::Dataset(files),
        },
        settings,
        observer,
    )
}

fn bring(
    repository: Repository<'_>,
    settings: &HubSettings,
    observer: &mut dyn FnMut(HubEvent<'_>),
) -> Result<PathBuf, HubError> {
    let id = repository.id;
    id.check()?;
    let cache = Cache::new(&settings.cache, repository);
    if settings.offline {
        let absent = || HubError::Offline {
            id: id.clone(),
            cache: settings.cache.clone(),
        };
        return cache.find(&id.revision).ok_or_else(absent);
    }
    if id.is_commit()
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
    let mut download = Download {
        repository,
        client: &client,
        cache,
        listing: &listing,
        observer,
    };
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
