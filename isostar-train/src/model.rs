//! Where a model is: in a folder here, or on the hub.

use std::path::PathBuf;

use thiserror::Error;

use crate::experiment::Observer;
#[cfg(feature = "hub")]
use crate::hub::tell;
#[cfg(feature = "hub")]
use isostar_models::hub::{HubError, HubEvent, HubSettings, ModelId, fetch, fetch_weights};

/// Why a model could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FindModelError {
    /// It is no folder here, and the hub could not give it.
    #[cfg(feature = "hub")]
    #[error("there is no folder {model}, and from the hub: {source}")]
    Hub {
        /// The folder or name asked for.
        model: String,
        /// What the hub's side met.
        source: Box<HubError>,
    },
}

impl FindModelError {
    /// One line that says what to do.
    pub fn remedy(&self) -> String {
        match *self {
            #[cfg(feature = "hub")]
            Self::Hub { ref source, .. } => source.remedy(),
        }
    }
}

/// The folder of a model: `model` itself if it is a folder, and else, with the feature `hub`, the model of this name on the hub,
/// `organisation/name` or `organisation/name@revision`, brought into the cache that the Python libraries share.
///
/// What is neither is returned as it is: reading it then says that there is no such folder. Environment variables say where the hub and the
/// cache are: see [`HubSettings::from_vars`](isostar_models::hub::HubSettings::from_vars).
///
/// # Errors
/// If the hub does not give it.
#[cfg(feature = "hub")]
pub fn find_model(model: &str, observer: &dyn Observer) -> Result<PathBuf, FindModelError> {
    find(model, observer, fetch)
}

/// The same for a model that is given token ids: on the hub it need not have a tokenizer.
///
/// # Errors
/// If the hub does not give it.
#[cfg(feature = "hub")]
pub fn find_weights(model: &str, observer: &dyn Observer) -> Result<PathBuf, FindModelError> {
    find(model, observer, fetch_weights)
}

/// Brings what is wanted of a model from the hub; its folder.
#[cfg(feature = "hub")]
type Fetch = fn(&ModelId, &HubSettings, &mut dyn FnMut(HubEvent<'_>)) -> Result<PathBuf, HubError>;

#[cfg(feature = "hub")]
fn find(model: &str, observer: &dyn Observer, fetch: Fetch) -> Result<PathBuf, FindModelError> {
    let folder = PathBuf::from(model);
    let Ok(id) = model.parse::<ModelId>() else { return Ok(folder) };
    if folder.exists() {
        return Ok(folder);
    }
    let fetched = fetch(&id, &HubSettings::from_env(), &mut tell(observer, &id));
    fetched.map_err(|source| FindModelError::Hub { model: model.to_string(), source: Box::new(source) })
}

/// The folder of a model: `model` itself. Names of models on the hub need the feature `hub`.
///
/// # Errors
/// None.
#[cfg(not(feature = "hub"))]
pub fn find_model(model: &str, _observer: &dyn Observer) -> Result<PathBuf, FindModelError> {
    Ok(PathBuf::from(model))
}

/// The folder of a model: `model` itself. Names of models on the hub need the feature `hub`.
///
/// # Errors
/// None.
#[cfg(not(feature = "hub"))]
pub fn find_weights(model: &str, observer: &dyn Observer) -> Result<PathBuf, FindModelError> {
    find_model(model, observer)
}
