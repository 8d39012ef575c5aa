//! Downloads in offline mode, over a faulty network, and after an interruption.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use isostar_models::hub::{HubError, HubEvent, fetch};

use super::bench::{Bench, COMMIT, NAME, OTHER_COMMIT, WEIGHTS, names, repository, sharded};
use super::server::State;

#[test]
fn offline_a_cached_model_is_used_and_another_is_an_error() {
    let mut bench = Bench::new(repository());
    let folder = bench.fetch(NAME).unwrap();
    bench.hub.requests();
    bench.settings.offline = true;
    assert_eq!(bench.fetch(NAME).unwrap(), folder);
    assert_eq!(bench.fetch(&format!("{NAME}@{COMMIT}")).unwrap(), folder);
    for absent in [
        "org/another".to_string(),
        format!("{NAME}@v1"),
        format!("{NAME}@{OTHER_COMMIT}"),
    ] {
        let error = bench.error(&absent);
        assert!(matches!(error, HubError::Offline { .. }), "{error}");
        assert!(error.to_string().contains(&absent));
    }
    assert!(bench.hub.requests().is_empty());
}

#[test]
fn offline_an_incomplete_snapshot_is_not_used() {
    for (state, file) in [
        (repository(), WEIGHTS),
        (repository(), "tokenizer.json"),
        (sharded(), "model-00002-of-00002.safetensors"),
    ] {
        let mut bench = Bench::new(state);
        let folder = bench.fetch(NAME).unwrap();
        bench.settings.offline = true;
        fs::remove_file(folder.join(file)).unwrap();
        assert!(matches!(bench.error(NAME), HubError::Offline { .. }));
    }
}

#[test]
fn an_unreachable_hub_falls_back_to_the_cache_and_notifies_the_observer() {
    let mut bench = Bench::new(repository());
    let folder = bench.fetch(NAME).unwrap();
    let refuse = |bench: &mut Bench| {
        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
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
        assert!(
            matches!(causes.as_slice(), [cause] if cause.contains(&bench.settings.endpoint)),
            "{causes:?}"
        );
        assert!(matches!(
            bench.error("org/another"),
            HubError::Unreachable { .. }
        ));
    }
}

#[test]
fn an_error_of_the_hub_is_not_hidden_by_the_cache() {
    let bench = Bench::new(repository());
    bench.fetch(NAME).unwrap();
    bench.hub.state().token = Some("hf_secret".to_string());
    assert!(matches!(bench.error(NAME), HubError::NotFound { .. }));
}

#[test]
fn an_interrupted_download_resumes_where_it_stopped() {
    for (file, large) in [(WEIGHTS, true), (WEIGHTS, false), ("tokenizer.json", false)] {
        let bench = Bench::new(repository());
        let total = bench.hub.state().files[file].len();
        let cut = total * 2 / 3;
        if !large {
            bench.hub.state().large.clear();
        }
        let tail = if large {
            format!("{file}?signature=abc%2F")
        } else {
            file.to_string()
        };
        bench.hub.state().cut = Some((tail, cut, None));
        let error = bench.error(NAME);
        let expected = (cut as u64, total as u64);
        assert!(
            matches!(&error, HubError::Interrupted { received, total, .. } if (*received, *total) == expected),
            "{error}"
        );
        bench.assert_no_snapshot();

        bench.hub.requests();
        let mut progress = Vec::new();
        let folder = fetch(&NAME.parse().unwrap(), &bench.settings, &mut |event| {
            if let HubEvent::Progress {
                file: name,
                received,
                total,
            } = event
                && name == file
            {
                progress.push((received, total));
            }
        });
        assert!(fs::read(folder.unwrap().join(file)).unwrap() == bench.hub.state().files[file]);
        let requests = bench.hub.requests();
        assert!(
            requests
                .iter()
                .any(|request| request.headers.get("range") == Some(&format!("bytes={cut}-"))),
            "{requests:?}"
        );
        assert_eq!(
            (progress[0], progress[progress.len() - 1]),
            (expected, (expected.1, expected.1))
        );
        assert_eq!(
            names(&bench.folder().join("blobs")).len(),
            4,
            "no partial file remains"
        );
    }
}

#[test]
fn a_file_is_read_from_the_start_if_the_server_ignores_the_range() {
    let bench = Bench::new(repository());
    bench.hub.state().ignores_range = true;
    bench.hub.state().cut = Some((format!("{WEIGHTS}?signature=abc%2F"), 400_000, None));
    bench.error(NAME);
    let folder = bench.fetch(NAME).unwrap();
    assert!(fs::read(folder.join(WEIGHTS)).unwrap() == bench.hub.state().files[WEIGHTS]);
}

#[test]
fn a_silent_server_causes_a_timeout() {
    let mut bench = Bench::new(repository());
    bench.settings.timeout = Duration::from_millis(300);
    bench.hub.state().cut = Some((
        format!("{WEIGHTS}?signature=abc%2F"),
        400_000,
        Some(Duration::from_secs(5)),
    ));
    let start = std::time::Instant::now();
    assert!(matches!(
        bench.error(NAME),
        HubError::Interrupted {
            received: 400_000,
            ..
        }
    ));
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[test]
fn the_content_of_a_partial_file_is_verified() {
    let bench = Bench::new(repository());
    bench.hub.state().cut = Some((format!("{WEIGHTS}?signature=abc%2F"), 400_000, None));
    bench.error(NAME);
    let blobs = bench.folder().join("blobs");
    let part = names(&blobs)
        .into_iter()
        .find(|name| name.ends_with(".partial"))
        .unwrap();
    let mut bytes = fs::read(blobs.join(&part)).unwrap();
    bytes[1000] ^= 1;
    fs::write(blobs.join(&part), &bytes).unwrap();
    assert!(matches!(bench.error(NAME), HubError::Damaged { file, .. } if file == WEIGHTS));
    bench.assert_no_snapshot();
    bench.fetch(NAME).unwrap();
}

#[test]
fn a_partial_file_longer_than_the_file_is_downloaded_from_the_start() {
    let bench = Bench::new(repository());
    bench.hub.state().cut = Some((format!("{WEIGHTS}?signature=abc%2F"), 400_000, None));
    bench.error(NAME);
    let blobs = bench.folder().join("blobs");
    let part = names(&blobs)
        .into_iter()
        .find(|name| name.ends_with(".partial"))
        .unwrap();
    fs::write(blobs.join(&part), vec![0; 700_000]).unwrap();
    let folder = bench.fetch(NAME).unwrap();
    assert!(fs::read(folder.join(WEIGHTS)).unwrap() == bench.hub.state().files[WEIGHTS]);
}

#[test]
fn corrupt_files_never_reach_a_snapshot() {
    let bench = Bench::new(State {
        corrupts: true,
        ..repository()
    });
    let error = bench.error(NAME);
    assert!(
        matches!(&error, HubError::Damaged { file, .. } if file == WEIGHTS),
        "{error}"
    );
    bench.assert_no_snapshot();
    bench.hub.state().corrupts = false;
    bench.fetch(NAME).unwrap();
}

#[test]
fn a_blob_truncated_by_another_program_is_downloaded_again() {
    let bench = Bench::new(repository());
    let folder = bench.fetch(NAME).unwrap();
    let blob = folder.join(WEIGHTS).canonicalize().unwrap();
    fs::write(&blob, b"cut").unwrap();
    bench.fetch(NAME).unwrap();
    assert!(fs::read(folder.join(WEIGHTS)).unwrap() == bench.hub.state().files[WEIGHTS]);
}

#[test]
fn concurrent_calls_download_a_file_once() {
    let bench = Bench::new(repository());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let folder = bench.fetch(NAME).unwrap();
                assert!(
                    fs::read(folder.join(WEIGHTS)).unwrap() == bench.hub.state().files[WEIGHTS]
                );
            });
        }
    });
    let requests = bench.hub.requests();
    assert_eq!(
        requests.iter().filter(|request| request.by_cdn).count(),
        1,
        "{requests:?}"
    );
}
