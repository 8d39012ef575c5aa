//! Downloads of models: the files and their location in the cache.

use std::fs;

use isostar_models::hub::{HubError, fetch_weights};

use super::bench::{
    Bench, COMMIT, INDEX, NAME, OTHER_COMMIT, WEIGHTS, bodies, names, repository, sharded,
};
use super::server::{Request, State};

#[test]
fn a_downloaded_model_has_the_cache_layout_of_huggingface_hub() {
    let bench = Bench::new(repository());
    let folder = bench.fetch(NAME).unwrap();
    assert_eq!(folder, bench.folder().join("snapshots").join(COMMIT));
    assert_eq!(
        names(&folder),
        [
            "config.json",
            WEIGHTS,
            "tokenizer.json",
            "tokenizer_config.json"
        ]
    );
    for file in names(&folder) {
        assert!(
            fs::read(folder.join(&file)).unwrap() == bench.hub.state().files[&file],
            "the content of {file} differs"
        );
    }
    assert_eq!(
        fs::read_to_string(bench.folder().join("refs/main")).unwrap(),
        COMMIT
    );
    let blobs = names(&bench.folder().join("blobs"));
    assert_eq!(blobs.len(), 4);
    assert!(
        blobs.iter().all(|blob| [40, 64].contains(&blob.len())),
        "{blobs:?}"
    );
    #[cfg(unix)]
    assert!(
        fs::read_link(folder.join(WEIGHTS))
            .unwrap()
            .starts_with("../../blobs")
    );
}

#[test]
fn no_other_files_are_requested() {
    let bench = Bench::new(repository());
    bench.fetch(NAME).unwrap();
    let requests = bench.hub.requests();
    let asked = |request: &Request, file: &str| {
        request
            .path
            .split('?')
            .next()
            .unwrap()
            .ends_with(&format!("/{file}"))
    };
    assert!(!requests.iter().any(|request| {
        ["pytorch_model.bin", "README.md", "model.onnx"]
            .iter()
            .any(|file| asked(request, file))
    }));
    assert!(
        requests
            .iter()
            .skip(1)
            .all(|request| request.by_cdn || request.path.contains(COMMIT)),
        "the commit may change between files"
    );
}

#[test]
fn weights_are_downloaded_from_a_repository_without_a_tokenizer() {
    let mut bench = Bench::new(repository());
    let id = NAME.parse().unwrap();
    let with_tokenizer = fetch_weights(&id, &bench.settings, &mut |_| {}).unwrap();
    assert_eq!(
        names(&with_tokenizer),
        [
            "config.json",
            WEIGHTS,
            "tokenizer.json",
            "tokenizer_config.json"
        ]
    );

    bench
        .hub
        .state()
        .revisions
        .insert("main".to_string(), OTHER_COMMIT.to_string());
    ["tokenizer.json", "tokenizer_config.json"]
        .iter()
        .for_each(|file| drop(bench.hub.state().files.remove(*file)));
    let without = fetch_weights(&id, &bench.settings, &mut |_| {}).unwrap();
    assert_eq!(names(&without), ["config.json", WEIGHTS]);
    assert!(matches!(bench.error(NAME), HubError::NoFile { file, .. } if file == "tokenizer.json"));

    bench.settings.offline = true;
    assert_eq!(
        fetch_weights(&id, &bench.settings, &mut |_| {}).unwrap(),
        without
    );
    assert!(
        matches!(bench.error(NAME), HubError::Offline { .. }),
        "the snapshot has no tokenizer"
    );
}

#[test]
fn a_second_call_downloads_no_file() {
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
    assert!(
        !bench.folder().join("refs").exists(),
        "no reference is written for a commit"
    );
    bench.hub.requests();
    assert_eq!(bench.fetch(&format!("{NAME}@{COMMIT}")).unwrap(), first);
    assert!(bench.hub.requests().is_empty());
}

#[test]
fn only_changed_files_of_a_new_commit_are_downloaded() {
    let bench = Bench::new(repository());
    let old = bench.fetch(NAME).unwrap();
    bench.hub.requests();
    bench
        .hub
        .state()
        .revisions
        .insert("main".to_string(), OTHER_COMMIT.to_string());
    bench.hub.state().files.insert(
        "config.json".to_string(),
        b"{\"model_type\": \"roberta\"}".to_vec(),
    );
    let new = bench.fetch(NAME).unwrap();
    assert_eq!(new, bench.folder().join("snapshots").join(OTHER_COMMIT));
    assert_eq!(
        bodies(&bench.hub.requests()),
        [format!("/{NAME}/resolve/{OTHER_COMMIT}/config.json")]
    );
    assert!(
        fs::read_to_string(new.join("config.json"))
            .unwrap()
            .contains("roberta")
    );
    assert!(
        fs::read_to_string(old.join("config.json"))
            .unwrap()
            .contains("bert")
    );
    assert_eq!(
        fs::read_to_string(bench.folder().join("refs/main")).unwrap(),
        OTHER_COMMIT
    );
}

#[test]
fn a_revision_may_contain_slashes() {
    let bench = Bench::new(repository());
    bench
        .hub
        .state()
        .revisions
        .insert("refs/pr/3".to_string(), OTHER_COMMIT.to_string());
    let folder = bench.fetch(&format!("{NAME}@refs/pr/3")).unwrap();
    assert!(folder.ends_with(OTHER_COMMIT));
    assert!(
        bench.hub.requests()[0]
            .path
            .contains("/revision/refs%2Fpr%2F3")
    );
    assert_eq!(
        fs::read_to_string(bench.folder().join("refs/refs/pr/3")).unwrap(),
        OTHER_COMMIT
    );
}

#[test]
fn the_token_is_sent_to_the_hub_and_not_to_other_servers() {
    let mut bench = Bench::new(State {
        token: Some("hf_secret".to_string()),
        ..repository()
    });
    bench.settings.token = Some("hf_secret".to_string());
    bench.fetch(NAME).unwrap();
    let (cdn, hub): (Vec<_>, Vec<_>) = bench
        .hub
        .requests()
        .into_iter()
        .partition(|request| request.by_cdn);
    assert!(
        hub.iter()
            .all(|request| request.headers["authorization"] == "Bearer hf_secret")
    );
    assert_eq!(cdn.len(), 1);
    assert!(!cdn[0].headers.contains_key("authorization"), "{cdn:?}");
}

#[test]
fn the_files_of_older_tokenizers_are_downloaded() {
    let mut state = repository();
    for file in ["special_tokens_map.json", "added_tokens.json"] {
        state.files.insert(file.to_string(), b"{}".to_vec());
    }
    let bench = Bench::new(state);
    let folder = bench.fetch(NAME).unwrap();
    assert!(
        ["special_tokens_map.json", "added_tokens.json"]
            .iter()
            .all(|file| names(&folder).contains(&file.to_string()))
    );
}

#[test]
fn a_renamed_model_is_cached_under_the_requested_name() {
    let bench = Bench::new(State {
        old_name: Some("old/name".to_string()),
        ..repository()
    });
    let folder = bench.fetch("old/name").unwrap();
    assert_eq!(
        folder,
        bench
            .cache
            .path()
            .join("models--old--name/snapshots")
            .join(COMMIT)
    );
    assert!(folder.join(WEIGHTS).is_file());
}

#[test]
fn a_sharded_model_is_downloaded_with_its_index() {
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
