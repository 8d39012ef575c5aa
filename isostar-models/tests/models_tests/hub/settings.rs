//! Names of models on the hub, and settings from environment variables.
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use isostar_models::hub::{HubError, HubSettings, ModelId, fetch};

#[test]
fn a_model_id_is_parsed_and_displayed() {
    let cases = [
        ("gpt2", "gpt2", "main"),
        ("org/name", "org/name", "main"),
        ("org/name@v1.0", "org/name", "v1.0"),
        ("org/name@refs/pr/3", "org/name", "refs/pr/3"),
        (
            "Org_1/name-2.b@feature/a@b",
            "Org_1/name-2.b",
            "feature/a@b",
        ),
    ];
    for (text, name, revision) in cases {
        let id: ModelId = text.parse().unwrap();
        assert_eq!((id.name.as_str(), id.revision.as_str()), (name, revision));
        assert_eq!(id.to_string(), text);
    }
    assert_eq!(
        "org/name@main".parse::<ModelId>().unwrap().to_string(),
        "org/name"
    );
}

#[test]
fn an_invalid_model_id_is_an_error() {
    let names = [
        "",
        "/",
        "/name",
        "org/",
        "org//name",
        "a/b/c",
        "/etc/passwd",
        "./name",
        "../name",
        "org/..",
        "org/a..b",
        "~/model",
    ];
    let more = [
        "a b",
        "C:\\model",
        "org/name.git",
        "org--x/name",
        "-org/name",
        "org/name.",
        "org/näme",
        "org/name#1",
        "org/%2e%2e",
    ];
    let revisions = [
        "n@", "n@/a", "n@a/", "n@a//b", "n@../x", "n@a/../b", "n@a b", "n@a\\b", "n@.a", "n@a/.b",
        "n@-a", "n@a:b", "n@a\0",
    ];
    let long = "a".repeat(97);
    for text in names
        .iter()
        .chain(&more)
        .chain(&revisions)
        .chain(&[long.as_str()])
    {
        let error = text.parse::<ModelId>().unwrap_err();
        assert_eq!(error.text, *text);
    }
    let by_hand = ModelId {
        name: "../..".to_string(),
        revision: "main".to_string(),
    };
    assert!(matches!(
        fetch(&by_hand, &HubSettings::new("unused"), &mut |_| {}),
        Err(HubError::NotAnId(_))
    ));
}

/// The settings from these environment variables.
fn settings(vars: &[(&str, &str)]) -> HubSettings {
    let vars: BTreeMap<_, _> = vars.iter().copied().collect();
    HubSettings::from_vars(|name| vars.get(name).map(OsString::from))
}

#[test]
fn an_empty_environment_selects_the_public_hub() {
    for vars in [
        &[("HOME", "/home/me")][..],
        &[
            ("HOME", "/home/me"),
            ("HF_HOME", ""),
            ("HF_ENDPOINT", ""),
            ("HF_TOKEN", ""),
        ],
    ] {
        let settings = settings(vars);
        assert_eq!(settings.endpoint, "https://huggingface.co");
        assert_eq!(settings.cache, Path::new("/home/me/.cache/huggingface/hub"));
        assert_eq!(
            (settings.token, settings.offline, settings.certificates),
            (None, false, None)
        );
    }
}

#[test]
fn the_cache_folder_is_that_of_the_python_libraries() {
    let cache = |vars: &[(&str, &str)]| settings(vars).cache;
    let all = [
        ("HOME", "/h"),
        ("XDG_CACHE_HOME", "/x"),
        ("HF_HOME", "/hf"),
        ("HUGGINGFACE_HUB_CACHE", "/old"),
        ("HF_HUB_CACHE", "/new"),
    ];
    let expected = [
        "/h/.cache/huggingface/hub",
        "/x/huggingface/hub",
        "/hf/hub",
        "/old",
        "/new",
    ];
    for (count, expected) in expected.into_iter().enumerate() {
        assert_eq!(cache(&all[..=count]), Path::new(expected));
    }
    assert_eq!(
        cache(&[("HOME", "/h"), ("HF_HOME", "~/models")]),
        Path::new("/h/models/hub")
    );
}

#[test]
fn variables_in_paths_are_expanded_as_in_python() {
    let with = |variable, value| {
        settings(&[
            ("HOME", "/h"),
            ("SCRATCH", "/scratch"),
            ("USER", "me"),
            (variable, value),
        ])
    };
    let cache = |variable, value| with(variable, value).cache;
    assert_eq!(
        cache("HF_HOME", "$SCRATCH/hf"),
        Path::new("/scratch/hf/hub")
    );
    assert_eq!(
        cache("HF_HUB_CACHE", "${SCRATCH}/$USER/hub"),
        Path::new("/scratch/me/hub")
    );
    assert_eq!(
        cache("HUGGINGFACE_HUB_CACHE", "~/$USER"),
        Path::new("/h/me")
    );
    assert_eq!(
        cache("XDG_CACHE_HOME", "$SCRATCH"),
        Path::new("/scratch/huggingface/hub")
    );
    assert_eq!(
        cache("HF_HOME", "/x/$JOB"),
        Path::new("/x/$JOB/hub"),
        "a variable that is not set stays unchanged"
    );

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "hf_file").unwrap();
    let place = ("PLACE", folder.path().to_str().unwrap());
    assert_eq!(
        settings(&[place, ("HF_TOKEN_PATH", "$PLACE/token")])
            .token
            .as_deref(),
        Some("hf_file")
    );
    assert_eq!(
        settings(&[place, ("HF_HOME", "$PLACE")]).token.as_deref(),
        Some("hf_file")
    );
}

#[test]
fn the_token_is_read_from_the_variable_or_the_file() {
    let home = tempfile::tempdir().unwrap();
    let hf_home = ("HF_HOME", home.path().to_str().unwrap());
    assert_eq!(settings(&[hf_home]).token, None);
    fs::write(home.path().join("token"), "hf_file\n").unwrap();
    assert_eq!(settings(&[hf_home]).token.as_deref(), Some("hf_file"));
    assert_eq!(
        settings(&[hf_home, ("HF_TOKEN", " hf_variable\n")])
            .token
            .as_deref(),
        Some("hf_variable")
    );
    assert_eq!(
        settings(&[hf_home, ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token,
        None
    );
    let path = home.path().join("token");
    assert_eq!(
        settings(&[("HF_TOKEN_PATH", path.to_str().unwrap())])
            .token
            .as_deref(),
        Some("hf_file")
    );
}

#[test]
fn offline_accepts_the_same_values_as_python() {
    for yes in ["1", "true", "True", "YES", "on"] {
        assert!(settings(&[("HF_HUB_OFFLINE", yes)]).offline, "{yes}");
    }
    assert!(settings(&[("TRANSFORMERS_OFFLINE", "1")]).offline);
    for no in ["0", "false", "no", "off", "2", ""] {
        assert!(!settings(&[("HF_HUB_OFFLINE", no)]).offline, "{no}");
    }
}

#[test]
fn endpoint_timeout_and_certificates_are_read_from_the_environment() {
    let vars = [
        ("HF_ENDPOINT", "https://mirror.co/"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "90"),
        ("SSL_CERT_FILE", "/ca.pem"),
    ];
    let settings = settings(&vars);
    assert_eq!(
        (settings.endpoint.as_str(), settings.timeout),
        ("https://mirror.co/", Duration::from_secs(90))
    );
    assert_eq!(settings.certificates.as_deref(), Some(Path::new("/ca.pem")));
}

#[test]
fn the_debug_output_of_the_settings_hides_the_token() {
    let mut settings = HubSettings::new("cache");
    settings.token = Some("hf_secret".to_string());
    assert!(!format!("{settings:?}").contains("hf_secret"));
}
