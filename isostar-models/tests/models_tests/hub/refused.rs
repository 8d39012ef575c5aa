//! Errors of downloads.

use std::fs;
use std::path::PathBuf;

use isostar_models::hub::{HubError, HubSettings, fetch};

use super::bench::{Bench, INDEX, NAME, WEIGHTS, names, repository, set_index, sharded};
use super::server::State;

#[test]
fn a_shard_with_a_path_or_another_extension_is_an_error() {
    let names = [
        "../../../evil.safetensors",
        "/etc/evil.safetensors",
        "a/b.safetensors",
        "a\\b.safetensors",
        "pytorch_model.bin",
        "",
    ];
    for name in names.into_iter().chain([
        "..",
        ".safetensors",
        "C:evil.safetensors",
        "a\0.safetensors",
    ]) {
        let bench = Bench::new(sharded());
        set_index(&mut bench.hub.state(), &[name]);
        bench
            .hub
            .state()
            .files
            .insert(name.to_string(), b"evil".to_vec());
        let error = bench.error(NAME);
        assert!(matches!(error, HubError::Index { .. }), "{name}: {error}");
        bench.assert_no_snapshot();
        assert!(
            !bench
                .hub
                .requests()
                .iter()
                .any(|request| request.path.contains("evil"))
        );
    }
}

#[test]
fn an_invalid_index_is_an_error() {
    for index in [
        "",
        "[]",
        "{\"weight_map\": {}}",
        "{\"weight_map\": {\"a\": 1}}",
    ] {
        let bench = Bench::new(sharded());
        bench
            .hub
            .state()
            .files
            .insert(INDEX.to_string(), index.as_bytes().to_vec());
        assert!(
            matches!(bench.error(NAME), HubError::Index { .. }),
            "{index}"
        );
    }
}

#[test]
fn the_error_of_a_missing_shard_names_it() {
    let bench = Bench::new(sharded());
    bench
        .hub
        .state()
        .files
        .remove("model-00002-of-00002.safetensors");
    let error = bench.error(NAME);
    assert!(
        matches!(&error, HubError::NoFile { file, .. } if file == "model-00002-of-00002.safetensors"),
        "{error}"
    );
    bench.assert_no_snapshot();
}

#[test]
fn a_model_that_does_not_exist_is_not_found_with_and_without_a_token() {
    let mut bench = Bench::new(repository());
    assert!(
        matches!(bench.error("org/another"), HubError::NotFound { name, .. } if name == "org/another")
    );
    bench.settings.token = Some("hf_any".to_string());
    assert!(matches!(
        bench.error("org/another"),
        HubError::NotFound { .. }
    ));
    assert_eq!(fs::read_dir(bench.cache.path()).unwrap().count(), 0);
}

#[test]
fn a_private_model_is_not_found_without_a_token_and_a_wrong_token_is_refused() {
    let mut bench = Bench::new(State {
        token: Some("hf_secret".to_string()),
        ..repository()
    });
    let error = bench.error(NAME);
    assert!(matches!(error, HubError::NotFound { .. }));
    for wrong in ["hf_wrong", "not\na token"] {
        bench.settings.token = Some(wrong.to_string());
        let error = bench.error(NAME);
        assert!(matches!(error, HubError::Unauthorized { .. }), "{error}");
        assert!(!error.to_string().contains(wrong));
    }
}

#[test]
fn a_response_without_an_error_code_is_classified_by_its_status() {
    let mut bench = Bench::new(State {
        status: Some(401),
        ..repository()
    });
    assert!(matches!(bench.error(NAME), HubError::NotFound { .. }));
    bench.settings.token = Some("hf_any".to_string());
    for status in [401, 403] {
        bench.hub.state().status = Some(status);
        assert!(matches!(bench.error(NAME), HubError::Unauthorized { .. }));
    }
}

#[test]
fn a_gated_model_requires_a_token() {
    let mut bench = Bench::new(State {
        token: Some("hf_secret".to_string()),
        gated: true,
        ..repository()
    });
    for token in [None, Some("hf_not_let_in".to_string())] {
        bench.settings.token = token;
        let error = bench.error(NAME);
        assert!(matches!(error, HubError::Gated { .. }), "{error}");
    }
    bench.settings.token = Some("hf_secret".to_string());
    bench.fetch(NAME).unwrap();
}

#[test]
fn the_error_of_a_missing_revision_names_it() {
    let bench = Bench::new(repository());
    let error = bench.error(&format!("{NAME}@v9"));
    assert_eq!(
        error.to_string(),
        "the model org/tiny-model has no revision v9"
    );
}

#[test]
fn a_missing_required_file_is_detected_before_any_download() {
    for file in ["config.json", "tokenizer.json"] {
        let bench = Bench::new(repository());
        bench.hub.state().files.remove(file);
        let error = bench.error(NAME);
        assert!(
            matches!(&error, HubError::NoFile { file: missing, .. } if missing == file),
            "{error}"
        );
        assert_eq!(bench.hub.requests().len(), 1);
    }
    let bench = Bench::new(repository());
    bench.hub.state().files.remove("tokenizer_config.json");
    assert_eq!(names(&bench.fetch(NAME).unwrap()).len(), 3);
}

#[test]
fn a_model_with_only_a_pickle_is_not_downloaded() {
    let bench = Bench::new(repository());
    bench.hub.state().files.remove(WEIGHTS);
    let error = bench.error(NAME);
    assert!(
        matches!(&error, HubError::PickleOnly { file, .. } if file == "pytorch_model.bin"),
        "{error}"
    );
    assert_eq!(bench.hub.requests().len(), 1);
    bench.hub.state().files.remove("pytorch_model.bin");
    assert!(matches!(bench.error(NAME), HubError::NoFile { file, .. } if file == WEIGHTS));
}

#[test]
fn an_adapter_is_an_error() {
    let bench = Bench::new(repository());
    for (old, new) in [
        ("config.json", "adapter_config.json"),
        (WEIGHTS, "adapter_model.safetensors"),
    ] {
        let content = bench.hub.state().files.remove(old).unwrap();
        bench.hub.state().files.insert(new.to_string(), content);
    }
    let error = bench.error(NAME);
    assert!(
        matches!(&error, HubError::Adapter { id } if id.name == NAME),
        "{error}"
    );
    assert_eq!(bench.hub.requests().len(), 1);
}

#[test]
fn a_listing_with_an_invalid_commit_is_an_error() {
    for sha in ["../../../../evil", "main", ""] {
        let bench = Bench::new(State {
            sha: Some(sha.to_string()),
            ..repository()
        });
        let error = bench.error(NAME);
        assert!(matches!(error, HubError::Answer { .. }), "{error}");
    }
    let bench = Bench::new(State {
        status: Some(418),
        ..repository()
    });
    assert!(matches!(bench.error(NAME), HubError::Answer { .. }));
}

#[test]
fn an_entity_tag_that_is_not_a_file_name_is_an_error() {
    for etag in ["../../../evil", "a/b", "", "..", "a\\b"] {
        let bench = Bench::new(State {
            etag: Some(etag.to_string()),
            ..repository()
        });
        let error = bench.error(NAME);
        assert!(matches!(error, HubError::Answer { .. }), "{error}");
        assert_eq!(fs::read_dir(bench.cache.path()).unwrap().count(), 0);
    }
}

#[test]
fn an_invalid_endpoint_is_an_error() {
    let mut settings = HubSettings::new("unused");
    for endpoint in ["huggingface.co", "ftp://huggingface.co", "", "https://"] {
        settings.endpoint = endpoint.to_string();
        let error = fetch(&NAME.parse().unwrap(), &settings, &mut |_| {}).unwrap_err();
        assert!(matches!(error, HubError::Endpoint { .. }), "{error}");
    }
}

#[test]
fn the_error_of_unreadable_certificates_names_the_file() {
    let mut bench = Bench::new(repository());
    bench.settings.certificates = Some(PathBuf::from("/no/such/bundle.pem"));
    assert!(
        bench
            .error(NAME)
            .to_string()
            .contains("/no/such/bundle.pem")
    );
}
