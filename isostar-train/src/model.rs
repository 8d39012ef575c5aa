//! Locating a model in a local folder or on the hub.

use std::path::PathBuf;

use thiserror::Error;

#[cfg(feature = "hub")]
use crate::hub::tell;
use crate::progress::Progress;
#[cfg(feature = "hub")]
use isostar_models::hub::{HubError, HubEvent, HubSettings, ModelId, fetch, fetch_weights};

/// Why a model was not found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FindModelError {
    /// The folder does not exist, and the hub could not provide the model.
    #[cfg(feature = "hub")]
    #[error("there is no folder {model}, and the hub could not provide it: {source}")]
    Hub {
        /// The folder or name passed.
        model: String,
        /// The hub's error.
        source: Box<HubError>,
    },
}

/// Returns the folder of a model.
///
/// That is `model` itself if it is a folder. With the feature `hub`, a name `organisation/name` or
/// `organisation/name@revision` is otherwise downloaded from the hub into the cache shared with the
/// Python libraries. Any other `model` is returned unchanged, so that reading it reports the
/// missing folder. The environment variables of the hub and the cache are described in
/// [`HubSettings::from_vars`](isostar_models::hub::HubSettings::from_vars).
///
/// # Errors
/// If the hub cannot provide the model.
#[cfg(feature = "hub")]
pub fn find_model(model: &str, observer: &dyn Progress) -> Result<PathBuf, FindModelError> {
    find(model, observer, fetch)
}

/// Like [`find_model`], for a model whose inputs are token ids: it need not have a tokenizer on the
/// hub.
///
/// # Errors
/// If the hub cannot provide the model.
#[cfg(feature = "hub")]
pub fn find_weights(model: &str, observer: &dyn Progress) -> Result<PathBuf, FindModelError> {
    find(model, observer, fetch_weights)
}

/// Downloads files of a model from the hub and returns their folder.
#[cfg(feature = "hub")]
type Fetch = fn(&ModelId, &HubSettings, &mut dyn FnMut(HubEvent<'_>)) -> Result<PathBuf, HubError>;

#[cfg(feature = "hub")]
fn find(model: &str, observer: &dyn Progress, fetch: Fetch) -> Result<PathBuf, FindModelError> {
    let folder = PathBuf::from(model);
    let Ok(id) = model.parse::<ModelId>() else {
        return Ok(folder);
    };
    if folder.exists() {
        return Ok(folder);
    }
    let fetched = fetch(&id, &HubSettings::from_env(), &mut tell(observer, &id));
    fetched.map_err(|source| FindModelError::Hub {
        model: model.to_string(),
        source: Box::new(source),
    })
}

/// Returns `model` as a folder. Models on the hub need the feature `hub`.
///
/// # Errors
/// None.
#[cfg(not(feature = "hub"))]
pub fn find_model(model: &str, _observer: &dyn Progress) -> Result<PathBuf, FindModelError> {
    Ok(PathBuf::from(model))
}

/// Returns `model` as a folder. Models on the hub need the feature `hub`.
///
/// # Errors
/// None.
#[cfg(not(feature = "hub"))]
pub fn find_weights(model: &str, observer: &dyn Progress) -> Result<PathBuf, FindModelError> {
    find_model(model, observer)
}
