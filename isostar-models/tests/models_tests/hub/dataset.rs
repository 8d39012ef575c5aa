//! Downloads of dataset files: only the requested files, with their names in the repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use isostar_models::hub::{HubError, HubSettings, RepositoryKind, fetch_dataset};

use super::bench::{Bench, COMMIT, bodies, names, repository};
use super::server::State;

const NAME: &str = "org/many-tasks";
const FILES: [&str; 2] = [
    "one/train-00000-of-00001.parquet",
    "one/validation-00000-of-00001.parquet",
];

fn bench() -> Bench {
    let files = FILES.into_iter().chain([
        "one/test-00000-of-00001.parquet",
        "two/train-00000-of-00001.parquet",
        "README.md",
    ]);
    let state = State {
        name: NAME.to_string(),
        is_dataset: true,
        revisions: BTreeMap::from([("main".to_string(), COMMIT.to_string())]),
        files: files
            .map(|name| (name.to_string(), format!("the rows of {name}").into_bytes()))
            .collect(),
        large: vec![FILES[0].to_string()],
        ..State::default()
    };
    Bench::new(state)
}

fn fetched(settings: &HubSettings, files: &[&str]) -> Result<PathBuf, HubError> {
    fetch_dataset(&NAME.parse().unwrap(), files, settings, &mut |_| {})
}

#[test]
fn dataset_files_have_the_cache_layout_of_huggingface_hub() {
    let bench = bench();
    let folder = fetched(&bench.settings, &FILES).unwrap();
    let repository = bench.cache.path().join("datasets--org--many-tasks");
    assert_eq!(folder, repository.join("snapshots").join(COMMIT));
    assert_eq!(names(&folder), ["one"]);
    for file in FILES {
        assert_eq!(
            fs::read_to_string(folder.join(file)).unwrap(),
            format!("the rows of {file}")
        );
        #[cfg(unix)]
        assert!(
            fs::read_link(folder.join(file))
                .unwrap()
                .starts_with("../../../blobs")
        );
    }
    assert_eq!(
        fs::read_to_string(repository.join("refs/main")).unwrap(),
        COMMIT
    );
    let asked: Vec<_> = FILES
        .iter()
        .map(|file| format!("/datasets/{NAME}/resolve/{COMMIT}/{file}"))
        .collect();
    let requests = bench.hub.requests();
    assert_eq!(
        bodies(&requests)
            .into_iter()
            .filter(|path| path.starts_with("/datasets/"))
            .collect::<Vec<_>>(),
        asked
    );
    assert!(
        requests[0]
            .path
            .starts_with(&format!("/api/datasets/{NAME}/revision/main"))
    );
}

#[test]
fn offline_cached_files_are_found_and_others_are_an_error() {
    let mut bench = bench();
    let folder = fetched(&bench.settings, &FILES).unwrap();
    bench.settings.offline = true;
    assert_eq!(fetched(&bench.settings, &FILES).unwrap(), folder);
    let error = fetched(&bench.settings, &["two/train-00000-of-00001.parquet"]).unwrap_err();
    assert!(
        matches!(&error, HubError::Offline { id, .. } if id.name == NAME),
        "{error}"
    );

    bench.settings.offline = false;
    bench.hub.state().status = Some(503);
    assert_eq!(
        fetched(&bench.settings, &FILES).unwrap(),
        folder,
        "the hub returns errors"
    );
}

#[test]
fn the_error_of_a_missing_file_or_dataset_names_it() {
    let bench = bench();
    let error = fetched(&bench.settings, &["one/train.parquet"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the dataset org/many-tasks has no one/train.parquet"
    );
    assert!(
        !bench
            .cache
            .path()
            .join("datasets--org--many-tasks/refs")
            .exists()
    );

    bench.hub.state().name = "org/other-tasks".to_string();
    let error = fetched(&bench.settings, &FILES).unwrap_err();
    assert!(
        matches!(
            error,
            HubError::NotFound {
                kind: RepositoryKind::Dataset,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "the hub has no dataset org/many-tasks, or it is private"
    );
}

#[test]
fn a_model_is_not_found_as_a_dataset() {
    let bench = Bench::new(repository());
    assert!(matches!(
        fetched(&bench.settings, &FILES),
        Err(HubError::NotFound {
            kind: RepositoryKind::Dataset,
            ..
        })
    ));
}
