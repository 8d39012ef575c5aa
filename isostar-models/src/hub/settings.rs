use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::environment::{expand_path, user_folder};

/// Settings of downloads from the hub: address, cache and access token.
///
/// ```
/// use isostar_models::hub::HubSettings;
///
/// let mut settings = HubSettings::new("models");
/// settings.offline = true;
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct HubSettings {
    /// The address of the hub; `https://huggingface.co` by default.
    pub endpoint: String,
    /// The cache folder. It contains a folder `models--organisation--name` for each model and
    /// `datasets--…` for each dataset.
    pub cache: PathBuf,
    /// The access token. It is sent to the hub, but not to servers to which the hub redirects.
    pub token: Option<String>,
    /// Whether to use only the cache.
    pub offline: bool,
    /// The timeout for a connection, a response, and the next bytes of a file; 30 seconds by
    /// default.
    pub timeout: Duration,
    /// A PEM file of trusted certificates that replace Mozilla's, for example those of a company
    /// proxy.
    pub certificates: Option<PathBuf>,
}

impl HubSettings {
    /// Settings for the public hub with this cache folder and no token.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            endpoint: "https://huggingface.co".to_string(),
            cache: cache.into(),
            token: None,
            offline: false,
            timeout: Duration::from_secs(30),
            certificates: None,
        }
    }

    /// Reads the settings from the environment variables of the Python libraries: see
    /// [`from_vars`](HubSettings::from_vars).
    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var_os(name))
    }

    /// Reads the settings from environment variables, using `var` to look them up. An empty
    /// variable counts as absent.
    ///
    /// | setting | the first of these that is set |
    /// |---|---|
    /// | `endpoint` | `HF_ENDPOINT`, the public hub |
    /// | `cache` | `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `$HF_HOME/hub` |
    /// | `token` | `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, the file `HF_TOKEN_PATH`, the file `$HF_HOME/token` |
    /// | `offline` | whether `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE` is `1`, `true`, `yes` or `on` |
    /// | `timeout` | `HF_HUB_DOWNLOAD_TIMEOUT` in seconds, 30 |
    /// | `certificates` | `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, none |
    ///
    /// The default of `HF_HOME` is `$XDG_CACHE_HOME/huggingface`, and that of `XDG_CACHE_HOME` is
    /// `~/.cache`. If `HF_HUB_DISABLE_IMPLICIT_TOKEN` is true, no token is used. Paths may contain
    /// `~` and names of variables: see [`expand_path`](crate::expand_path).
    pub fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let path = |name: &str| set(name).map(|value| expand_path(value, &var));
        let is_true = |name: &str| {
            text(name).is_some_and(|value| {
                ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str())
            })
        };

        let home = path("HF_HOME").unwrap_or_else(|| {
            path("XDG_CACHE_HOME")
                .unwrap_or_else(|| user_folder(&var).join(".cache"))
                .join("huggingface")
        });
        let cache = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .unwrap_or_else(|| home.join("hub"));
        let token_path = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
        let token = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
        let token = token
            .or_else(|| std::fs::read_to_string(token_path).ok())
            .map(|token| token.trim().to_string());
        let seconds = text("HF_HUB_DOWNLOAD_TIMEOUT")
            .and_then(|value| value.trim().parse().ok())
            .filter(|&seconds| seconds > 0);

        let default = Self::new(cache);
        Self {
            endpoint: text("HF_ENDPOINT").unwrap_or(default.endpoint),
            token: token
                .filter(|token| !token.is_empty() && !is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN")),
            offline: is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE"),
            timeout: seconds.map_or(default.timeout, Duration::from_secs),
            certificates: path("SSL_CERT_FILE").or_else(|| path("REQUESTS_CA_BUNDLE")),
            cache: default.cache,
        }
    }
}

/// The token is not shown, so that it does not appear in logs.
impl fmt::Debug for HubSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubSettings")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("offline", &self.offline)
            .field("timeout", &self.timeout)
            .field("certificates", &self.certificates)
            .finish()
    }
}
