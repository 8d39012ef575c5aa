//! `isostar devices`, and commands on devices that are not there.

#[path = "common/command.rs"]
mod command;

use std::time::{Duration, Instant};

use command::{fails, succeed};
use serde_json::Value;
use tempfile::TempDir;

#[test]
fn every_backend_is_listed_with_its_devices_or_with_what_it_needs() {
    let folder = TempDir::new().unwrap();
    let lines = succeed(folder.path(), &["devices", "--json"]);
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for backend in ["flex", "ndarray", "wgpu", "cuda"] {
        let line = lines
            .iter()
            .find(|line| line["device"] == backend)
            .unwrap_or_else(|| panic!("{backend} is missing: {lines:?}"));
        match &line["missing"] {
            Value::Null => assert!(
                line["name"].is_string() && line["f64"].is_boolean() && line["bf16"].is_boolean(),
                "{line}"
            ),
            missing => assert!(
                missing.as_str().unwrap().contains("; "),
                "cause and remedy: {line}"
            ),
        }
    }
    let flex = lines.iter().find(|line| line["device"] == "flex").unwrap();
    assert_eq!(
        (&flex["name"], &flex["f64"]),
        (&"the CPU".into(), &true.into())
    );
    let text = succeed(folder.path(), &["devices"]);
    assert_eq!(text.lines().count(), lines.len());
    assert!(text.contains("the CPU, f64 yes"), "{text}");
}

/// With the feature and a driver, the device is there, and the test shows nothing.
#[test]
fn a_device_that_is_not_there_ends_the_command_within_a_second() {
    let folder = TempDir::new().unwrap();
    for device in ["cuda", "cuda:63", "wgpu"] {
        if isostar_train::device::parse_device(device).is_ok() {
            continue;
        }
        let start = Instant::now();
        fails(
            folder.path(),
            &["train", "--device", device, "--out", "run"],
            &[device],
        );
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "{device}: {:?}",
            start.elapsed()
        );
    }
}
