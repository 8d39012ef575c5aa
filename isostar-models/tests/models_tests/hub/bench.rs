//! A test hub with one model, and helpers to download from it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use isostar_models::hub::{HubError, HubSettings, fetch};
use tempfile::TempDir;

use super::server::{Hub, Request, State};

pub const NAME: &str = "org/tiny-model";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const OTHER_COMMIT: &str = "76543210fedcba9876543210fedcba9876543210";
pub const WEIGHTS: &str = "model.safetensors";
pub const INDEX: &str = "model.safetensors.index.json";

/// A hub with one model, and a separate cache.
pub struct Bench {
    pub hub: Hub,
    pub settings: HubSettings,
    pub cache: TempDir,
}

/// A repository of four files to download and three others. The weights are large enough for more
/// than one read.
pub fn repository() -> State {
    let weights: Vec<u8> = (0..600_000u32).map(|i| (i * 7 % 251) as u8).collect();
    let files: [(&str, &[u8]); 7] = [
        ("config.json", b"{\"model_type\": \"bert\"}"),
        ("tokenizer.json", b"{\"version\": \"1.0\"}"),
        ("tokenizer_config.json", b"{}"),
        (WEIGHTS, &weights),
        ("pytorch_model.bin", b"a pickle"),
        ("README.md", b"# Tiny"),
        ("onnx/model.onnx", b"another format"),
    ];
    State {
        name: NAME.to_string(),
        revisions: BTreeMap::from([("main".to_string(), COMMIT.to_string())]),
        files: files
            .into_iter()
            .map(|(name, bytes)| (name.to_string(), bytes.to_vec()))
            .collect(),
        large: vec![WEIGHTS.to_string()],
        ..State::default()
    }
}

pub fn sharded() -> State {
    let mut state = repository();
    let weights = state.files.remove(WEIGHTS).unwrap();
    let (one, two) = weights.split_at(300_000);
    let shards = [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    state.files.insert(shards[0].to_string(), one.to_vec());
    state.files.insert(shards[1].to_string(), two.to_vec());
    set_index(&mut state, &[shards[0], shards[0], shards[1]]);
    state.large = shards.map(str::to_string).to_vec();
    state
}

pub fn set_index(state: &mut State, shards: &[&str]) {
    let map: BTreeMap<_, _> = shards
        .iter()
        .enumerate()
        .map(|(i, shard)| (format!("tensor{i}"), *shard))
        .collect();
    let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map});
    state
        .files
        .insert(INDEX.to_string(), index.to_string().into_bytes());
}

impl Bench {
    pub fn new(state: State) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let hub = Hub::start(state);
        let mut settings = HubSettings::new(cache.path());
        settings.endpoint = hub.endpoint.clone();
        settings.timeout = Duration::from_secs(10);
        Self {
            hub,
            settings,
            cache,
        }
    }

    pub fn fetch(&self, id: &str) -> Result<PathBuf, HubError> {
        fetch(&id.parse().unwrap(), &self.settings, &mut |_| {})
    }

    pub fn error(&self, id: &str) -> HubError {
        self.fetch(id).unwrap_err()
    }

    pub fn folder(&self) -> PathBuf {
        self.cache.path().join("models--org--tiny-model")
    }

    /// Asserts that the cache contains no snapshot and no reference.
    pub fn assert_no_snapshot(&self) {
        assert!(!self.folder().join("snapshots").exists());
        assert!(!self.folder().join("refs").exists());
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub fn bodies(requests: &[Request]) -> Vec<&str> {
    let is_body =
        |request: &&Request| request.method == "GET" && !request.path.starts_with("/api/");
    requests
        .iter()
        .filter(is_body)
        .map(|request| request.path.as_str())
        .collect()
}
