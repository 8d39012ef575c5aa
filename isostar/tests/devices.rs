//! `isostar devices`, and commands on devices that are not there.

#[path = "common/command.rs"]
mod command;

use std::time::{Duration, Instant};

use command::{fails, isostar_command, succeed};
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
    // And a last line for the MPI library.
    assert_eq!(text.lines().count(), lines.len() + 1);
    assert!(text.lines().last().unwrap().starts_with("mpi "), "{text}");
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

/// As on a machine without a driver: the loaders of Vulkan and of EGL are told to read no description
/// of one. In a build without wgpu, the cause is another.
#[test]
fn wgpu_without_a_driver_ends_the_command_within_a_second() {
    let folder = TempDir::new().unwrap();
    let mut command = isostar_command(
        folder.path(),
        &["train", "--device", "wgpu", "--out", "run"],
    );
    for drivers in [
        "VK_ICD_FILENAMES",
        "VK_DRIVER_FILES",
        "__EGL_VENDOR_LIBRARY_FILENAMES",
    ] {
        command.env(drivers, "/nonexistent.json");
    }
    let start = Instant::now();
    let output = command.output().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = stderr.lines().collect();
    let has_wgpu = isostar_train::device::compiled_devices().contains(&"wgpu");
    let [cause, remedy] = if has_wgpu {
        ["this machine has 0 of its kind", "mesa-vulkan-drivers"]
    } else {
        ["is not compiled in", "--features wgpu"]
    };
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(lines.len() == 2, "{stderr}");
    assert!(
        lines[0].starts_with("error: ") && lines[0].contains(cause),
        "{stderr}"
    );
    assert!(
        lines[1].starts_with("  try: ") && lines[1].contains(remedy),
        "{stderr}"
    );
    assert!(output.stdout.is_empty() && !folder.path().join("run").exists());
    assert!(seconds < 1.0, "{seconds} s");
}
