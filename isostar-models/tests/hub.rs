//! The download from the hub, against a hub on loopback.
#![cfg(feature = "hub")]

mod hub_server;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hub_server::{Hub, Request, State};
use isostar_models::hub::{HubError, HubEvent, HubSettings, fetch};
use tempfile::TempDir;

const NAME: &str = "org/tiny-model";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER_COMMIT: &str = "76543210fedcba9876543210fedcba9876543210";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// A hub with one model, and a cache of one's own.
struct Bench {
    hub: Hub,
    settings: HubSettings,
    cache: TempDir,
}

/// A repository of four wanted files and three others. The weights are large enough for more than one read.
fn repository() -> State {
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
        files: files.into_iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect(),
        large: vec![WEIGHTS.to_string()],
        ..State::default()
    }
}

fn sharded() -> State {
    let mut state = repository();
    let weights = state.files.remove(WEIGHTS).unwrap();
    let (one, two) = weights.split_at(300_000);
    let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    state.files.insert(shards[0].to_string(), one.to_vec());
    state.files.insert(shards[1].to_string(), two.to_vec());
    set_index(&mut state, &[shards[0], shards[0], shards[1]]);
    state.large = shards.map(str::to_string).to_vec();
    state
}

fn set_index(state: &mut State, shards: &[&str]) {
    let map: BTreeMap<_, _> = shards.iter().enumerate().map(|(i, shard)| (format!("tensor{i}"), *shard)).collect();
    let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map});
    state.files.insert(INDEX.to_string(), index.to_string().into_bytes());
}

impl Bench {
    fn new(state: State) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let hub = Hub::start(state);
        let mut settings = HubSettings::new(cache.path());
        settings.endpoint = hub.endpoint.clone();
        settings.timeout = Duration::from_secs(10);
        Self { hub, settings, cache }
    }

    fn fetch(&self, id: &str) -> Result<PathBuf, HubError> {
        fetch(&id.parse().unwrap(), &self.settings, &mut |_| {})
    }

    fn error(&self, id: &str) -> HubError {
        self.fetch(id).unwrap_err()
    }

    fn folder(&self) -> PathBuf {
        self.cache.path().join("models--org--tiny-model")
    }

    /// No file of a model can be seen, and no reference leads to one.
    fn assert_no_snapshot(&self) {
        assert!(!self.folder().join("snapshots").exists());
        assert!(!self.folder().join("refs").exists());
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn bodies(requests: &[Request]) -> Vec<&str> {
    let is_body = |request: &&Request| request.method == "GET" && !request.path.starts_with("/api/");
    requests.iter().filter(is_body).map(|request| request.path.as_str()).collect()
}

#[test]
fn a_model_is_brought_into_the_cache_that_python_shares() {
    let bench = Bench::new(repository());
    let folder = bench.fetch(NAME).unwrap();
    assert_eq!(folder, bench.folder().join("snapshots").join(COMMIT));
    assert_eq!(names(&folder), ["config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json"]);
    for file in names(&folder) {
        assert!(fs::read(folder.join(&file)).unwrap() == bench.hub.state().files[&file], "{file} has other bytes");
    }
    assert_eq!(fs::read_to_string(bench.folder().join("refs/main")).unwrap(), COMMIT);
    let blobs = names(&bench.folder().join("blobs"));
    assert_eq!(blobs.len(), 4);
    assert!(blobs.iter().all(|blob| [40, 64].contains(&blob.len())), "{blobs:?}");
    #[cfg(unix)]
    assert!(fs::read_link(folder.join(WEIGHTS)).unwrap().starts_with("../../blobs"));
}

#[test]
fn the_files_brought_and_no_others_are_asked_for() {
    let bench = Bench::new(repository());
    bench.fetch(NAME).unwrap();
    let requests = bench.hub.requests();
    let asked = |request: &Request, file: &str| request.path.split('?').next().unwrap().ends_with(&format!("/{file}"));
    assert!(!requests.iter().any(|request| ["pytorch_model.bin", "README.md", "model.onnx"].iter().any(|file| asked(request, file))));
    assert!(requests.iter().skip(1).all(|request| request.by_cdn || request.path.contains(COMMIT)), "the commit may change between files");
}

#[test]
fn a_second_call_transfers_no_file() {
    let bench = Bench::new(repository());
    let first = bench.fetch(NAME).unwrap();
    bench.hub.requests();
    assert_eq!(bench.fetch(NAME).unwrap(), first);
    let requests = bench.hub.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert!(requests[0].path.starts_with("/api/models/"));
}

#[test]
fn a_commit_in_the_cache_needs_no_network() {
    let bench = Bench::new(repository());
    let first = bench.fetch(&format!("{NAME}@{COMMIT}")).unwrap();
    assert!(!bench.folder().join("refs").exists(), "a commit is no reference");
    bench.hub.requests();
    assert_eq!(bench.fetch(&format!("{NAME}@{COMMIT}")).unwrap(), first);
    assert!(bench.hub.requests().is_empty());
}

#[test]
fn a_new_commit_brings_only_what_changed() {
    let bench = Bench::new(repository());
    let old = bench.fetch(NAME).unwrap();
    bench.hub.requests();
    bench.hub.state().revisions.insert("main".to_string(), OTHER_COMMIT.to_string());
    bench.hub.state().files.insert("config.json".to_string(), b"{\"model_type\": \"roberta\"}".to_vec());
    let new = bench.fetch(NAME).unwrap();
    assert_eq!(new, bench.folder().join("snapshots").join(OTHER_COMMIT));
    assert_eq!(bodies(&bench.hub.requests()), [format!("/{NAME}/resolve/{OTHER_COMMIT}/config.json")]);
    assert!(fs::read_to_string(new.join("config.json")).unwrap().contains("roberta"));
    assert!(fs::read_to_string(old.join("config.json")).unwrap().contains("bert"));
    assert_eq!(fs::read_to_string(bench.folder().join("refs/main")).unwrap(), OTHER_COMMIT);
}

#[test]
fn a_revision_may_hold_slashes() {
    let bench = Bench::new(repository());
    bench.hub.state().revisions.insert("refs/pr/3".to_string(), OTHER_COMMIT.to_string());
    let folder = bench.fetch(&format!("{NAME}@refs/pr/3")).unwrap();
    assert!(folder.ends_with(OTHER_COMMIT));
    assert!(bench.hub.requests()[0].path.contains("/revision/refs%2Fpr%2F3"));
    assert_eq!(fs::read_to_string(bench.folder().join("refs/refs/pr/3")).unwrap(), OTHER_COMMIT);
}

#[test]
fn the_token_goes_to_the_hub_and_not_where_it_redirects() {
    let mut bench = Bench::new(State { token: Some("hf_secret".to_string()), ..repository() });
    bench.settings.token = Some("hf_secret".to_string());
    bench.fetch(NAME).unwrap();
    let (cdn, hub): (Vec<_>, Vec<_>) = bench.hub.requests().into_iter().partition(|request| request.by_cdn);
    assert!(hub.iter().all(|request| request.headers["authorization"] == "Bearer hf_secret"));
    assert_eq!(cdn.len(), 1);
    assert!(!cdn[0].headers.contains_key("authorization"), "{cdn:?}");
}

#[test]
fn a_renamed_model_is_followed_and_kept_under_the_name_asked_for() {
    let bench = Bench::new(State { old_name: Some("old/name".to_string()), ..repository() });
    let folder = bench.fetch("old/name").unwrap();
    assert_eq!(folder, bench.cache.path().join("models--old--name/snapshots").join(COMMIT));
    assert!(folder.join(WEIGHTS).is_file());
}

#[test]
fn a_sharded_model_comes_with_its_index() {
    let bench = Bench::new(sharded());
    let folder = bench.fetch(NAME).unwrap();
    let expected = [
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        INDEX,
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_eq!(names(&folder), expected);
    bench.hub.requests();
    assert_eq!(bench.fetch(NAME).unwrap(), folder);
    assert!(bodies(&bench.hub.requests()).is_empty());
}

#[test]
fn a_shard_that_is_no_plain_name_is_refused() {
    let names = ["../../../evil.safetensors", "/etc/evil.safetensors", "a/b.safetensors", "a\\b.safetensors", "pytorch_model.bin", ""];
    for name in names.into_iter().chain(["..", ".safetensors", "C:evil.safetensors", "a\0.safetensors"]) {
        let bench = Bench::new(sharded());
        set_index(&mut bench.hub.state(), &[name]);
        bench.hub.state().files.insert(name.to_string(), b"evil".to_vec());
        let error = bench.error(NAME);
        assert!(matches!(error, HubError::Index { .. }), "{name}: {error}");
        bench.assert_no_snapshot();
        assert!(!bench.hub.requests().iter().any(|request| request.path.contains("evil")));
    }
}

#[test]
fn an_index_that_is_none_is_refused() {
    for index in ["", "[]", "{\"weight_map\": {}}", "{\"weight_map\": {\"a\": 1}}"] {
        let bench = Bench::new(sharded());
        bench.hub.state().files.insert(INDEX.to_string(), index.as_bytes().to_vec());
        assert!(matches!(bench.error(NAME), HubError::Index { .. }), "{index}");
    }
}

#[test]
fn a_shard_that_the_repository_lacks_is_named() {
    let bench = Bench::new(sharded());
    bench.hub.state().files.remove("model-00002-of-00002.safetensors");
    let error = bench.error(NAME);
    assert!(matches!(&error, HubError::NoFile { file, .. } if file == "model-00002-of-00002.safetensors"), "{error}");
    bench.assert_no_snapshot();
}

#[test]
fn a_model_that_does_not_exist_is_not_found_with_and_without_a_token() {
    let mut bench = Bench::new(repository());
    assert!(matches!(bench.error("org/another"), HubError::NotFound { name } if name == "org/another"));
    bench.settings.token = Some("hf_any".to_string());
    assert!(matches!(bench.error("org/another"), HubError::NotFound { .. }));
    assert_eq!(fs::read_dir(bench.cache.path()).unwrap().count(), 0);
}

#[test]
fn a_private_model_is_not_found_without_a_token_and_a_wrong_token_is_refused() {
    let mut bench = Bench::new(State { token: Some("hf_secret".to_string()), ..repository() });
    let error = bench.error(NAME);
    assert!(matches!(error, HubError::NotFound { .. }));
    assert!(error.remedy().contains("HF_TOKEN"));
    for wrong in ["hf_wrong", "not\na token"] {
        bench.settings.token = Some(wrong.to_string());
        let error = bench.error(NAME);
        assert!(matches!(error, HubError::Unauthorized { .. }), "{error}");
        assert!(!error.to_string().contains(wrong));
    }
}

#[test]
fn a_refusal_without_a_reason_is_understood_by_its_status() {
    let mut bench = Bench::new(State { status: Some(401), ..repository() });
    assert!(matches!(bench.error(NAME), HubError::NotFound { .. }));
    bench.settings.token = Some("hf_any".to_string());
    for status in [401, 403] {
        bench.hub.state().status = Some(status);
        assert!(matches!(bench.error(NAME), HubError::Unauthorized { .. }));
    }
}

#[test]
fn a_gated_model_asks_for_a_token() {
    let mut bench = Bench::new(State { token: Some("hf_secret".to_string()), gated: true, ..repository() });
    for token in [None, Some("hf_not_let_in".to_string())] {
        bench.settings.token = token;
        let error = bench.error(NAME);
        assert!(matches!(error, HubError::Gated { .. }), "{error}");
        assert!(error.remedy().contains("HF_TOKEN"));
    }
    bench.settings.token = Some("hf_secret".to_string());
    bench.fetch(NAME).unwrap();
}

#[test]
fn a_revision_that_does_not_exist_is_named() {
    let bench = Bench::new(repository());
    let error = bench.error(&format!("{NAME}@v9"));
    assert_eq!(error.to_string(), "the model org/tiny-model has no revision v9");
}

#[test]
fn a_file_that_every_model_needs_is_missed_before_anything_is_brought() {
    for file in ["config.json", "tokenizer.json"] {
        let bench = Bench::new(repository());
        bench.hub.state().files.remove(file);
        let error = bench.error(NAME);
        assert!(matches!(&error, HubError::NoFile { file: missing, .. } if missing == file), "{error}");
        assert_eq!(bench.hub.requests().len(), 1);
    }
    let bench = Bench::new(repository());
    bench.hub.state().files.remove("tokenizer_config.json");
    assert_eq!(names(&bench.fetch(NAME).unwrap()).len(), 3);
}

#[test]
fn a_model_with_nothing_but_a_pickle_is_not_brought() {
    let bench = Bench::new(repository());
    bench.hub.state().files.remove(WEIGHTS);
    assert!(matches!(bench.error(NAME), HubError::PickleOnly { file, .. } if file == "pytorch_model.bin"));
    assert_eq!(bench.hub.requests().len(), 1);
    bench.hub.state().files.remove("pytorch_model.bin");
    assert!(matches!(bench.error(NAME), HubError::NoFile { file, .. } if file == WEIGHTS));
}

#[test]
fn offline_a_model_in_the_cache_is_used_and_another_is_an_error() {
    let mut bench = Bench::new(repository());
    let folder = bench.fetch(NAME).unwrap();
    bench.hub.requests();
    bench.settings.offline = true;
    assert_eq!(bench.fetch(NAME).unwrap(), folder);
    assert_eq!(bench.fetch(&format!("{NAME}@{COMMIT}")).unwrap(), folder);
    for absent in ["org/another".to_string(), format!("{NAME}@v1"), format!("{NAME}@{OTHER_COMMIT}")] {
        let error = bench.error(&absent);
        assert!(matches!(error, HubError::Offline { .. }), "{error}");
        assert!(error.to_string().contains(&absent));
    }
    assert!(bench.hub.requests().is_empty());
}

#[test]
fn offline_an_incomplete_snapshot_is_not_used() {
    for (state, file) in [(repository(), WEIGHTS), (repository(), "tokenizer.json"), (sharded(), "model-00002-of-00002.safetensors")] {
        let mut bench = Bench::new(state);
        let folder = bench.fetch(NAME).unwrap();
        bench.settings.offline = true;
        fs::remove_file(folder.join(file)).unwrap();
        assert!(matches!(bench.error(NAME), HubError::Offline { .. }));
    }
}

#[test]
fn a_hub_that_is_gone_leaves_the_cache_and_says_so() {
    let mut bench = Bench::new(repository());
    let folder = bench.fetch(NAME).unwrap();
    let refuse = |bench: &mut Bench| {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        bench.settings.endpoint = format!("http://{closed}");
    };
    let fail = |bench: &mut Bench| bench.hub.state().status = Some(503);
    for break_hub in [&fail as &dyn Fn(&mut Bench), &refuse] {
        break_hub(&mut bench);
        let mut causes = Vec::new();
        let found = fetch(&NAME.parse().unwrap(), &bench.settings, &mut |event| {
            if let HubEvent::FromCache { cause } = event {
                causes.push(cause.to_string());
            }
        });
        assert_eq!(found.unwrap(), folder);
        assert!(matches!(causes.as_slice(), [cause] if cause.contains(&bench.settings.endpoint)), "{causes:?}");
        assert!(matches!(bench.error("org/another"), HubError::Unreachable { .. }));
    }
}

#[test]
fn a_refusal_is_not_hidden_by_the_cache() {
    let bench = Bench::new(repository());
    bench.fetch(NAME).unwrap();
    bench.hub.state().token = Some("hf_secret".to_string());
    assert!(matches!(bench.error(NAME), HubError::NotFound { .. }));
}

#[test]
fn a_download_cut_off_continues_where_it_stopped() {
    for (file, large) in [(WEIGHTS, true), (WEIGHTS, false), ("tokenizer.json", false)] {
        let bench = Bench::new(repository());
        let total = bench.hub.state().files[file].len();
        let cut = total * 2 / 3;
        if !large {
            bench.hub.state().large.clear();
        }
        let tail = if large { format!("{file}?signature=abc%2F") } else { file.to_string() };
        bench.hub.state().cut = Some((tail, cut, None));
        let error = bench.error(NAME);
        let expected = (cut as u64, total as u64);
        assert!(matches!(&error, HubError::Interrupted { received, total, .. } if (*received, *total) == expected), "{error}");
        bench.assert_no_snapshot();

        bench.hub.requests();
        let mut progress = Vec::new();
        let folder = fetch(&NAME.parse().unwrap(), &bench.settings, &mut |event| {
            if let HubEvent::Progress { file: name, received, total } = event
                && name == file
            {
                progress.push((received, total));
            }
        });
        assert!(fs::read(folder.unwrap().join(file)).unwrap() == bench.hub.state().files[file]);
        let requests = bench.hub.requests();
        assert!(requests.iter().any(|request| request.headers.get("range") == Some(&format!("bytes={cut}-"))), "{requests:?}");
        assert_eq!((progress[0], progress[progress.len() - 1]), (expected, (expected.1, expected.1)));
        assert_eq!(names(&bench.folder().join("blobs")).len(), 4, "no part stays behind");
    }
}

#[test]
fn a_server_that_ignores_the_range_is_read_from_the_start() {
    let bench = Bench::new(repository());
    bench.hub.state().ignores_range = true;
    bench.hub.state().cut = Some((format!("{WEIGHTS}?signature=abc%2F"), 400_000, None));
    bench.error(NAME);
    let folder = bench.fetch(NAME).unwrap();
    assert!(fs::read(folder.join(WEIGHTS)).unwrap() == bench.hub.state().files[WEIGHTS]);
}

#[test]
fn a_server_that_falls_silent_is_not_waited_for_without_end() {
    let mut bench = Bench::new(repository());
    bench.settings.timeout = Duration::from_millis(300);
    bench.hub.state().cut = Some((format!("{WEIGHTS}?signature=abc%2F"), 400_000, Some(Duration::from_secs(5))));
    let start = std::time::Instant::now();
    assert!(matches!(bench.error(NAME), HubError::Interrupted { received: 400_000, .. }));
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[test]
fn what_an_earlier_download_left_is_not_trusted() {
    let bench = Bench::new(repository());
    bench.hub.state().cut = Some((format!("{WEIGHTS}?signature=abc%2F"), 400_000, None));
    bench.error(NAME);
    let blobs = bench.folder().join("blobs");
    let part = names(&blobs).into_iter().find(|name| name.ends_with(".partial")).unwrap();
    let mut bytes = fs::read(blobs.join(&part)).unwrap();
    bytes[1000] ^= 1;
    fs::write(blobs.join(&part), &bytes).unwrap();
    assert!(matches!(bench.error(NAME), HubError::Damaged { file, .. } if file == WEIGHTS));
    bench.assert_no_snapshot();
    bench.fetch(NAME).unwrap();
}

#[test]
fn a_part_longer_than_the_file_is_begun_afresh() {
    let bench = Bench::new(repository());
    bench.hub.state().cut = Some((format!("{WEIGHTS}?signature=abc%2F"), 400_000, None));
    bench.error(NAME);
    let blobs = bench.folder().join("blobs");
    let part = names(&blobs).into_iter().find(|name| name.ends_with(".partial")).unwrap();
    fs::write(blobs.join(&part), vec![0; 700_000]).unwrap();
    let folder = bench.fetch(NAME).unwrap();
    assert!(fs::read(folder.join(WEIGHTS)).unwrap() == bench.hub.state().files[WEIGHTS]);
}

#[test]
fn other_bytes_than_announced_never_reach_a_snapshot() {
    let bench = Bench::new(State { corrupts: true, ..repository() });
    let error = bench.error(NAME);
    assert!(matches!(&error, HubError::Damaged { file, .. } if file == WEIGHTS), "{error}");
    bench.assert_no_snapshot();
    bench.hub.state().corrupts = false;
    bench.fetch(NAME).unwrap();
}

#[test]
fn a_blob_cut_short_by_another_program_is_brought_again() {
    let bench = Bench::new(repository());
    let folder = bench.fetch(NAME).unwrap();
    let blob = folder.join(WEIGHTS).canonicalize().unwrap();
    fs::write(&blob, b"cut").unwrap();
    bench.fetch(NAME).unwrap();
    assert!(fs::read(folder.join(WEIGHTS)).unwrap() == bench.hub.state().files[WEIGHTS]);
}

#[test]
fn several_at_once_bring_a_file_once() {
    let bench = Bench::new(repository());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let folder = bench.fetch(NAME).unwrap();
                assert!(fs::read(folder.join(WEIGHTS)).unwrap() == bench.hub.state().files[WEIGHTS]);
            });
        }
    });
    let requests = bench.hub.requests();
    assert_eq!(requests.iter().filter(|request| request.by_cdn).count(), 1, "{requests:?}");
}

#[test]
fn a_listing_that_is_no_hubs_is_refused() {
    for sha in ["../../../../evil", "main", ""] {
        let bench = Bench::new(State { sha: Some(sha.to_string()), ..repository() });
        let error = bench.error(NAME);
        assert!(matches!(error, HubError::Answer { .. }), "{error}");
    }
    let bench = Bench::new(State { status: Some(418), ..repository() });
    assert!(matches!(bench.error(NAME), HubError::Answer { .. }));
}

#[test]
fn an_entity_tag_that_is_no_plain_name_is_refused() {
    for etag in ["../../../evil", "a/b", "", "..", "a\\b"] {
        let bench = Bench::new(State { etag: Some(etag.to_string()), ..repository() });
        let error = bench.error(NAME);
        assert!(matches!(error, HubError::Answer { .. }), "{error}");
        assert_eq!(fs::read_dir(bench.cache.path()).unwrap().count(), 0);
    }
}

#[test]
fn an_endpoint_that_is_no_address_is_refused() {
    let mut settings = HubSettings::new("unused");
    for endpoint in ["huggingface.co", "ftp://huggingface.co", "", "https://"] {
        settings.endpoint = endpoint.to_string();
        let error = fetch(&NAME.parse().unwrap(), &settings, &mut |_| {}).unwrap_err();
        assert!(matches!(error, HubError::Endpoint { .. }), "{error}");
    }
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    let mut bench = Bench::new(repository());
    bench.settings.certificates = Some(PathBuf::from("/no/such/bundle.pem"));
    assert!(bench.error(NAME).to_string().contains("/no/such/bundle.pem"));
}
